"""The whole state of a machine as a value, so that two machines can be compared."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World

Seen = dict[int, int]
"""The objects that were met, by id: which one each was."""
Reader = Callable[[Any, Seen], object]

_readers: dict[type, Reader] = {}
"""How values of a type are read, found once for each: states hold hundreds of values."""


def state_of(machine: CallMachine) -> object:
    """Everything that the machine holds, object by object; what it only refers to, by its name."""
    return _value(machine, {})


def _value(value: object, seen: Seen) -> object:
    kind = type(value)
    if kind not in _readers:
        _readers[kind] = _reader_of(kind)
    return _readers[kind](value, seen)


def _reader_of(kind: type) -> Reader:
    if issubclass(kind, type(None) | bool | int | float | str | bytes | Enum):
        return lambda value, seen: value
    if issubclass(kind, World):
        return lambda value, seen: "world"
    if issubclass(kind, Mapping):
        return lambda value, seen: [(_value(key, seen), _value(entry, seen)) for key, entry in value.items()]
    if issubclass(kind, list | tuple | deque):
        return lambda value, seen: [_value(entry, seen) for entry in value]
    if issubclass(kind, set | frozenset):
        return lambda value, seen: sorted(repr(_value(entry, seen)) for entry in value)
    if is_dataclass(kind) and "__eq__" in vars(kind):
        return lambda value, seen: value
    if not kind.__module__.startswith("runner."):
        # Compiled patterns and templates, and bound methods.
        return lambda value, seen: str(getattr(value, "__qualname__", kind))
    slots = [name for each in kind.__mro__ for name in getattr(each, "__slots__", ())]
    return lambda value, seen: _object(value, slots, seen)


def _object(value: object, slots: list[str], seen: Seen) -> object:
    if id(value) in seen:
        return f"object {seen[id(value)]}"
    seen[id(value)] = len(seen)
    held = [
        *sorted(getattr(value, "__dict__", {}).items()),
        *((name, getattr(value, name)) for name in slots if hasattr(value, name)),
    ]
    return type(value).__name__, [(name, _value(entry, seen)) for name, entry in held]
