"""What each keyword of JSON Schema (2020-12) demands of a value.

Those of the vocabularies Core, Applicator, Unevaluated and Validation. A keyword with an argument of the
wrong form demands nothing: `validate` has reported it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sized
from fractions import Fraction
from itertools import count
from operator import ge, gt, le, lt

from runner.call.schemas.check import Check, Rule
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
    check.run.spend(_size(check.value) + len(values))
    wanted = key(check.value)
    if all(key(value) != wanted for value in values):
        check.refuse("enum")


def _const(check: Check, value: Json) -> None:
    check.run.spend(_size(check.value))
    if key(value) != key(check.value):
        check.refuse("const")


# Bounds


def _bound(keyword: str, kind: type[Sized] | None, is_beyond: Callable[[float, float], bool]) -> Rule:
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
    if isinstance(check.value, str) and not _matches(check, source, check.value):
        check.refuse("pattern")


def _matches(check: Check, source: str, text: str) -> bool:
    check.run.spend_text(text)
    return check.run.source.pattern(source).search(text) is not None


def _format(check: Check, name: Json) -> None:
    if isinstance(check.value, str) and not has_format(check.value, name):
        check.refuse("format")


# Lists


def _prefix_items(check: Check, schemas: Json) -> None:
    if isinstance(check.value, list):
        for index, (schema, entry) in enumerate(zip(schemas, check.value, strict=False)):
            check.part(schema, index, entry)


def _items(check: Check, schema: Json) -> None:
    if isinstance(check.value, list):
        first = len(check.schema.get("prefixItems", ()))
        for index, entry in zip(count(first), check.value[first:], strict=False):
            check.part(schema, index, entry)


def _contains(check: Check, schema: Json) -> None:
    if not isinstance(check.value, list):
        return
    fitting = [
        index
        for index, entry in enumerate(check.value)
        if check.run.check(schema, entry, (*check.path, index)).fits
    ]
    check.seen.update(fitting)
    least, most = check.schema.get("minContains", 1), check.schema.get("maxContains")
    if len(fitting) < least or (most is not None and len(fitting) > most):
        check.refuse("contains")


def _unique_items(check: Check, wanted: Json) -> None:
    if wanted is True and isinstance(check.value, list):
        check.run.spend(_size(check.value))
        if len({key(entry) for entry in check.value}) < len(check.value):
            check.refuse("uniqueItems")


def _unevaluated_items(check: Check, schema: Json) -> None:
    if isinstance(check.value, list):
        for index, entry in enumerate(check.value):
            if index not in check.seen:
                check.part(schema, index, entry)


# Objects


def _properties(check: Check, schemas: Json) -> None:
    if isinstance(check.value, dict):
        for name, schema in schemas.items():
            if name in check.value:
                check.part(schema, name, check.value[name])


def _pattern_properties(check: Check, schemas: Json) -> None:
    if isinstance(check.value, dict):
        for source, schema in schemas.items():
            for name, entry in check.value.items():
                check.run.spend(1)
                if _matches(check, source, name):
                    check.part(schema, name, entry)


def _additional_properties(check: Check, schema: Json) -> None:
    if not isinstance(check.value, dict):
        return
    others = [*_others(check)]
    if schema is False and others:
        # One misfit for all of them: their names are listed once.
        check.refuse("additionalProperties")
        return
    for name in others:
        check.part(schema, name, check.value[name])


def _others(check: Check) -> Iterator[str]:
    declared = check.schema.get("properties", {})
    patterns = check.schema.get("patternProperties", {})
    for name in check.value:
        check.run.spend(1)
        if name not in declared and not any(_matches(check, source, name) for source in patterns):
            yield name


def _property_names(check: Check, schema: Json) -> None:
    if isinstance(check.value, dict):
        for name in check.value:
            check.misfits += check.run.check(schema, name, (*check.path, name)).misfits


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


def _dependent_schemas(check: Check, schemas: Json) -> None:
    if isinstance(check.value, dict):
        for name, schema in schemas.items():
            if name in check.value:
                check.follow(schema)


def _unevaluated_properties(check: Check, schema: Json) -> None:
    if not isinstance(check.value, dict):
        return
    others = [name for name in check.value if name not in check.seen]
    if schema is False and others:
        check.refuse("unevaluatedProperties")
        return
    for name in others:
        check.part(schema, name, check.value[name])


# Several schemas


def _ref(check: Check, reference: Json) -> None:
    check.follow(check.run.source.target(reference))


def _all_of(check: Check, schemas: Json) -> None:
    for schema in schemas:
        check.follow(schema)


def _any_of(check: Check, schemas: Json) -> None:
    checks = []
    for schema in schemas:
        checks.append(check.same(schema))
        check.learn(checks[-1])
        if checks[-1].fits and not check.run.source.tracks:
            return
    if not any(each.fits for each in checks):
        check.refuse("anyOf")


def _one_of(check: Check, schemas: Json) -> None:
    fitting = [each for schema in schemas if (each := check.same(schema)).fits]
    if len(fitting) != 1:
        check.refuse("oneOf")
    for each in fitting:
        check.learn(each)


def _not(check: Check, schema: Json) -> None:
    if check.same(schema).fits:
        check.refuse("not")


def _if(check: Check, schema: Json) -> None:
    condition = check.same(schema)
    check.learn(condition)
    branch = check.schema.get("then" if condition.fits else "else")
    if branch is not None:
        check.follow(branch)


RULES: Mapping[str, Rule] = {
    **{keyword: _bound(keyword, *of) for keyword, of in _BOUNDS.items()},
    "$ref": _ref,
    "$dynamicRef": _ref,
    "additionalProperties": _additional_properties,
    "allOf": _all_of,
    "anyOf": _any_of,
    "const": _const,
    "contains": _contains,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "enum": _enum,
    "format": _format,
    "if": _if,
    "items": _items,
    "multipleOf": _multiple_of,
    "not": _not,
    "oneOf": _one_of,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "prefixItems": _prefix_items,
    "properties": _properties,
    "propertyNames": _property_names,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique_items,
}
LAST_RULES: Mapping[str, Rule] = {
    **{keyword: _bound(keyword, *of) for keyword, of in _BOUNDS.items()},
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_properties,
}
