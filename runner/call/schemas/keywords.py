"""What each keyword of JSON Schema (2020-12) demands of a value itself: those of the vocabulary Validation.

A keyword with an argument of the wrong form demands nothing: `validate` has reported it.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sized
from fractions import Fraction
from operator import ge, gt, le, lt

from runner.call.schemas.check import Check, KeywordRule
from runner.call.schemas.formats import has_format
from runner.model.values import Json

_TYPES: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "string": (str,),
}


def is_number(value: Json) -> bool:
    """Whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def key(value: Json) -> Hashable:
    """The same for values that JSON treats as equal: 1 and 1.0, objects in any order of their keys."""
    match value:
        case bool():
            return "boolean", value
        case list():
            return "array", tuple(map(key, value))
        case Mapping():
            return "object", frozenset((name, key(entry)) for name, entry in value.items())
        case _:
            return value  # type: ignore[no-any-return]  # null, a number or text


def _size(value: Json) -> int:
    """The number of values in a value, itself included."""
    inner: Iterable[Json] = value.values() if isinstance(value, Mapping) else value
    return 1 + sum(map(_size, inner)) if isinstance(value, Mapping | list) else 1


# Any value


def _type(check: Check, names: Json) -> None:
    type_names = [names] if isinstance(names, str) else names
    if not any(_is_of(check.value, name) for name in type_names):
        check.refuse("type")


def _is_of(value: Json, name: str) -> bool:
    if name == "number":
        return is_number(value)
    if name == "integer":
        return is_number(value) and value == value // 1
    return isinstance(value, _TYPES.get(name, ()))


def _enum(check: Check, values: Json) -> None:
    check.validation.spend(_size(check.value) + sum(map(_size, values)))
    wanted = key(check.value)
    if all(key(value) != wanted for value in values):
        check.refuse("enum")


def _const(check: Check, value: Json) -> None:
    check.validation.spend(_size(check.value) + _size(value))
    if key(value) != key(check.value):
        check.refuse("const")


# Bounds


def _bound(keyword: str, kind: type[Sized] | None, is_beyond: Callable[[float, float], bool]) -> KeywordRule:
    """A bound of the length of texts, lists or objects; without a `kind`, of numbers."""

    def rule(check: Check, bound: Json) -> None:
        if kind is None:
            size = check.value if is_number(check.value) else None
        else:
            size = len(check.value) if isinstance(check.value, kind) else None
        if size is not None and is_beyond(size, bound):
            check.refuse(keyword)

    return rule


_BOUNDS: Mapping[str, tuple[type[Sized] | None, Callable[[float, float], bool]]] = {
    "minimum": (None, lt),
    "maximum": (None, gt),
    "exclusiveMinimum": (None, le),
    "exclusiveMaximum": (None, ge),
    "minLength": (str, lt),
    "maxLength": (str, gt),
    "minItems": (list, lt),
    "maxItems": (list, gt),
    "minProperties": (dict, lt),
    "maxProperties": (dict, gt),
}
"""Of which values, and what is beyond the bound."""


def _multiple_of(check: Check, factor: Json) -> None:
    # As written in decimal: 0.3 is a multiple of 0.1, which floats deny.
    if is_number(check.value) and Fraction(str(check.value)) % Fraction(str(factor)) != 0:
        check.refuse("multipleOf")


# Text


def _pattern(check: Check, source: Json) -> None:
    if isinstance(check.value, str) and not has_pattern(check, source, check.value):
        check.refuse("pattern")


def has_pattern(check: Check, source: str, text: str) -> bool:
    """Whether a pattern of the schema is found in a text."""
    check.validation.spend_text(text)
    return check.validation.source.pattern(source).search(text) is not None


def _format(check: Check, name: Json) -> None:
    if isinstance(check.value, str) and not has_format(check.value, name):
        check.refuse("format")


# Lists


def _unique_items(check: Check, wanted: Json) -> None:
    if wanted is True and isinstance(check.value, list):
        check.validation.spend(_size(check.value))
        if len({key(entry) for entry in check.value}) < len(check.value):
            check.refuse("uniqueItems")


# Objects


def _required(check: Check, names: Json) -> None:
    if isinstance(check.value, dict):
        for name in names:
            if name not in check.value:
                check.refuse("required", missing=name)


def _dependent_required(check: Check, names_of: Json) -> None:
    if isinstance(check.value, dict):
        for present, names in names_of.items():
            for name in names if present in check.value else ():
                if name not in check.value:
                    check.refuse("dependentRequired", missing=name)


KEYWORDS: Mapping[str, KeywordRule] = {
    **{keyword: _bound(keyword, *of) for keyword, of in _BOUNDS.items()},
    "const": _const,
    "dependentRequired": _dependent_required,
    "enum": _enum,
    "format": _format,
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique_items,
}
