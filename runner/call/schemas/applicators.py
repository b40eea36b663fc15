"""The keywords of JSON Schema (2020-12) that apply schemas to a value or to its parts.

Those of the vocabularies Applicator and Unevaluated, and references.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import count

from runner.call.schemas.check import Check, KeywordRule
from runner.call.schemas.keywords import has_pattern
from runner.model.values import Json

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
        if check.validation.check(schema, entry, (*check.path, index)).fits
    ]
    check.seen.update(fitting)
    least, most = check.schema.get("minContains", 1), check.schema.get("maxContains")
    if len(fitting) < least or (most is not None and len(fitting) > most):
        check.refuse("contains")


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
                check.validation.spend(1)
                if has_pattern(check, source, name):
                    check.part(schema, name, entry)


def _additional_properties(check: Check, schema: Json) -> None:
    if isinstance(check.value, dict):
        _each_of(check, [*_others(check)], schema, "additionalProperties")


def _each_of(check: Check, names: Collection[str], schema: Json, keyword: str) -> None:
    if schema is False and names:
        # One misfit for all of them: their names are listed once.
        check.refuse(keyword)
        return
    for name in names:
        check.part(schema, name, check.value[name])


def _others(check: Check) -> Iterator[str]:
    declared = check.schema.get("properties", {})
    patterns = check.schema.get("patternProperties", {})
    for name in check.value:
        check.validation.spend(1)
        if name not in declared and not any(has_pattern(check, source, name) for source in patterns):
            yield name


def _property_names(check: Check, schema: Json) -> None:
    if isinstance(check.value, dict):
        for name in check.value:
            check.misfits += check.validation.check(schema, name, (*check.path, name)).misfits


def _dependent_schemas(check: Check, schemas: Json) -> None:
    if isinstance(check.value, dict):
        for name, schema in schemas.items():
            if name in check.value:
                check.follow(schema)


def _unevaluated_properties(check: Check, schema: Json) -> None:
    if isinstance(check.value, dict):
        others = [name for name in check.value if name not in check.seen]
        _each_of(check, others, schema, "unevaluatedProperties")


# Several schemas


def _ref(check: Check, reference: Json) -> None:
    check.follow(check.validation.source.target(reference))


def _all_of(check: Check, schemas: Json) -> None:
    for schema in schemas:
        check.follow(schema)


def _any_of(check: Check, schemas: Json) -> None:
    checks = []
    for schema in schemas:
        checks.append(check.same(schema))
        check.learn(checks[-1])
        if checks[-1].fits and not check.validation.source.tracks:
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


APPLICATORS: Mapping[str, KeywordRule] = {
    "$ref": _ref,
    "$dynamicRef": _ref,
    "additionalProperties": _additional_properties,
    "allOf": _all_of,
    "anyOf": _any_of,
    "contains": _contains,
    "dependentSchemas": _dependent_schemas,
    "if": _if,
    "items": _items,
    "not": _not,
    "oneOf": _one_of,
    "patternProperties": _pattern_properties,
    "prefixItems": _prefix_items,
    "properties": _properties,
    "propertyNames": _property_names,
}
UNEVALUATED: Mapping[str, KeywordRule] = {
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_properties,
}
"""They look at what all other keywords of the same schema have evaluated."""
