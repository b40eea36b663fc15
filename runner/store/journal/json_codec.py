"""Writes values of the model as JSON and reads them back, by their type annotations alone.

A dataclass, or a tuple with names, is an object of its fields without those that have their default value, so
that a field that is new in a later version reads as its default. Where several dataclasses are possible the
object names its own under `is`. Enums are their values, bytes are base64. JSON values (`Any`) stay unchanged.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from runner.model.values import Json

_KIND = "is"
_PLAIN = (bool, int, str, NoneType)

_Value = TypeVar("_Value")


class Codec(NamedTuple):
    """Writes and reads one type. `read` uses up what it is given, and raises ValueError, TypeError or
    KeyError.
    """

    write: Callable[[Any], Json]
    read: Callable[[Json], Any]


@cache
def codec(hint: Any) -> Codec:
    """The codec of a type annotation. Raises TypeError for a type without a JSON form."""
    origin = get_origin(hint)
    if hint is Any:
        return Codec(_same, _same)
    if hint in _PLAIN:
        return Codec(_same, _checked(hint))
    if hint is float:
        return Codec(_same, float)
    if hint is bytes:
        return Codec(lambda value: b64encode(value).decode(), lambda text: b64decode(text, validate=True))
    if isinstance(hint, type) and issubclass(hint, Enum):
        # Faster than `value` and a call of the class, which Python looks up by descriptors.
        return Codec(attrgetter("_value_"), {member.value: member for member in hint}.__getitem__)
    if isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields")):
        return _of_fields(hint, kind=None)
    if origin in (Union, UnionType):
        return _union(get_args(hint))
    if origin is tuple:
        return _tuple(get_args(hint))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(*get_args(hint))
    raise TypeError(f"{hint} has no JSON form")


def _of_fields(cls: Any, *, kind: str | None) -> Codec:
    hints = get_type_hints(cls)
    if is_dataclass(cls):
        defaults = {field.name: _default(field) for field in fields(cls)}
    else:
        defaults = {name: cls._field_defaults.get(name, MISSING) for name in cls._fields}
    parts = [(name, default, codec(hints[name])) for name, default in defaults.items()]
    readers = {name: part.read for name, _, part in parts}
    # Thousands of journals are read at a restart: what is a value of the right type is not even looked at.
    plain = {name: types for name, hint in hints.items() if (types := _read_as_they_are(hint))}
    # Every event of thousands of calls is written: what need not be compared or converted is not.
    required = [(name, part.write) for name, default, part in parts if default is MISSING]
    optional = [(name, default, part.write) for name, default, part in parts if default is not MISSING]

    def write(value: Any) -> Json:
        data: dict[str, Json] = {} if kind is None else {_KIND: kind}
        for name, written in required:
            field = getattr(value, name)
            data[name] = field if written is _same else written(field)
        for name, default, written in optional:
            field = getattr(value, name)
            if field is default or (field == default and type(field) is type(default)):
                continue
            data[name] = field if written is _same else written(field)
        return data

    def read(data: Json) -> Any:
        for name, field in data.items():
            if type(field) not in plain.get(name, ()):
                data[name] = readers[name](field)
        return cls(**data)

    return Codec(write, read)


def _read_as_they_are(hint: Any) -> tuple[type, ...]:
    """The types of the values that reading leaves unchanged; none where each has to be read."""
    hints = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return hints if all(each in (*_PLAIN, float) for each in hints) else ()


def _default(field: "Field[Any]") -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def _union(hints: Sequence[Any]) -> Codec:
    """One of several dataclasses by its name, or None, or one single other type."""
    of_class = {
        cls: _of_fields(cls, kind=cls.__name__)
        for cls in hints
        if isinstance(cls, type) and is_dataclass(cls)
    }
    others = [hint for hint in hints if hint not in of_class and hint is not NoneType]
    if len(of_class) == 1 and not others:
        [cls] = of_class
        of_class, others = {}, [cls]
    if len(others) > 1 or (others and of_class):
        raise TypeError(f"which of {', '.join(map(str, hints))} it is cannot be told from JSON")
    other = codec(others[0]) if others else Codec(_same, _checked(NoneType))
    by_name = {cls.__name__: part.read for cls, part in of_class.items()}

    def write(value: Any) -> Json:
        if value is None:
            return None
        part = of_class.get(type(value))
        return other.write(value) if part is None else part.write(value)

    def read(data: Json) -> Any:
        if data is None and NoneType in hints:
            return None
        return by_name[data.pop(_KIND)](data) if by_name else other.read(data)

    return Codec(write, read)


def _tuple(hints: Sequence[Any]) -> Codec:
    if len(hints) == 2 and hints[1] is ...:
        part = codec(hints[0])
        return Codec(
            lambda values: [part.write(value) for value in values],
            lambda data: tuple(part.read(value) for value in data),
        )
    parts = [codec(hint) for hint in hints]
    return Codec(
        lambda values: [part.write(value) for part, value in zip(parts, values, strict=True)],
        lambda data: tuple(part.read(value) for part, value in zip(parts, data, strict=True)),
    )


def _mapping(_: Any, hint: Any) -> Codec:
    part = codec(hint)
    return Codec(
        lambda values: {name: part.write(value) for name, value in values.items()},
        lambda data: {name: part.read(value) for name, value in data.items()},
    )


def _same(value: _Value) -> _Value:
    return value


def _checked(cls: type) -> Callable[[Json], Json]:
    def read(value: Json) -> Json:
        if type(value) is not cls:
            raise TypeError(f"expected {cls.__name__}, got {type(value).__name__}")
        return value

    return read
