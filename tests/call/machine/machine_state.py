"""The whole state of a machine as a value, so that two machines can be compared."""

from collections import deque
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World


def state_of(machine: CallMachine) -> object:
    """Everything that the machine holds, object by object; what it only refers to, by its name."""
    return _value(machine, {})


def _value(value: Any, seen: dict[int, int]) -> object:
    match value:
        case None | bool() | int() | float() | str() | bytes() | Enum():
            return value
        case World():
            return "world"
        case Mapping():
            return [(_value(key, seen), _value(entry, seen)) for key, entry in value.items()]
        case list() | tuple() | deque():
            return [_value(entry, seen) for entry in value]
        case set() | frozenset():
            return sorted(repr(_value(entry, seen)) for entry in value)
        case _ if is_dataclass(value) and "__eq__" in vars(type(value)):
            return value
        case _ if not type(value).__module__.startswith("runner."):
            # Compiled patterns and templates, and bound methods.
            return str(getattr(value, "__qualname__", type(value)))
    if id(value) in seen:
        return f"object {seen[id(value)]}"
    seen[id(value)] = len(seen)
    return type(value).__name__, [(name, _value(entry, seen)) for name, entry in _fields(value)]


def _fields(value: object) -> list[tuple[str, object]]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return [
        *sorted(getattr(value, "__dict__", {}).items()),
        *((name, getattr(value, name)) for name in slots if hasattr(value, name)),
    ]
