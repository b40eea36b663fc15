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
            case list() | tuple():
                known.extend(part)
            case dict():
                known.extend(part.values())
            case Enum():
                pass
            case _ if type(part).__module__.startswith(_PARTS) and hasattr(part, "__dict__"):
                fields = vars(part)
                for name in [name for name, value in fields.items() if isinstance(value, MethodType)]:
                    del fields[name]
                known.extend(fields.values())
            case _:
                pass


def forget_traces(*errors: BaseException) -> None:
    """Remove the traces of handled errors and of their causes: each frame in a trace holds its objects, and
    often the error.
    """
    for error in errors:
        cause: BaseException | None = error
        while cause is not None:
            cause.__traceback__ = None
            cause = cause.__cause__ or cause.__context__
