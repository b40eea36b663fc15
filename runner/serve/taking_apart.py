"""Takes apart what is left of a call, so that it goes at once and not when the garbage collector finds it.

The parts of a machine know each other. To find out that nobody else knows them, the collector has to look at
all objects of all live calls, which takes seconds when there are thousands: see `runner.serve.event_loop`.
"""

from enum import Enum
from types import MethodType
from typing import Any

from runner.call.machine.machine import CallMachine

_PARTS = ("runner.call.machine.", "runner.call.records.")
"""Modules whose objects belong to one machine, but for what its configuration is made of (`runner.model`)."""


def take_apart(machine: CallMachine) -> None:
    """Let the parts of a machine not know those any more that they are parts of, which they do by methods.

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
    """Let errors that were dealt with, and their causes, not know where they came from: whoever is at one of
    these places holds the error, which holds the place."""
    for error in errors:
        cause: BaseException | None = error
        while cause is not None:
            cause.__traceback__ = None
            cause = cause.__cause__ or cause.__context__
