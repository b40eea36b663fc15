"""Takes apart what is left of a call, so that it is freed at once and not by the garbage collector.

The parts of a machine refer to each other. To find out that nothing else refers to them, the collector has to
visit all objects of all live calls, which takes seconds when there are thousands: see
`runner.serve.event_loop`.
"""

from enum import Enum
from types import MethodType
from typing import Any

from runner.call.machine.machine import CallMachine

_PARTS = ("runner.call.machine.", "runner.call.records.")
"""Modules whose objects belong to one machine; objects of `runner.model` are shared."""
_MANY = 100
"""No machine has so many parts of one kind: a longer collection holds items of a conversation."""


def take_apart(machine: CallMachine) -> None:
    """Remove the methods that parts of a machine hold of each other.

    It can handle no event after that. What it has noted can still be read.
    """
    known: list[Any] = [machine]
    seen: set[int] = set()
    while known:
        part = known.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        match part:
            case list() | tuple() | dict() if len(part) > _MANY:
                pass
            case list() | tuple():
                known.extend(part)
            case dict():
                known.extend(part.values())
            case Enum():
                pass
            case _ if type(part).__module__.startswith(_PARTS):
                known.extend(_forget_methods(part))
            case _:
                pass


def _forget_methods(part: Any) -> list[Any]:
    """Let a part forget the methods that it holds, and return what else it holds."""
    fields = {name: getattr(part, name) for name in (*_slots(part), *getattr(part, "__dict__", ()))}
    for name in [name for name, value in fields.items() if isinstance(value, MethodType)]:
        delattr(part, name)
        del fields[name]
    return list(fields.values())


def _slots(part: Any) -> list[str]:
    """The slots of a part that hold something."""
    names = [name for kind in type(part).__mro__ for name in kind.__dict__.get("__slots__", ())]
    return [name for name in names if name != "__weakref__" and hasattr(part, name)]


def forget_traces(*errors: BaseException) -> None:
    """Remove the traces of handled errors and of their causes: each frame in a trace holds its objects, and
    often the error.
    """
    for error in errors:
        cause: BaseException | None = error
        while cause is not None:
            cause.__traceback__ = None
            cause = cause.__cause__ or cause.__context__
