"""Merges the schemas of an `allOf` into one, where one schema can express them all."""

from collections.abc import Iterable, Mapping

from runner.model.values import Json, JsonObject

_FIRST = frozenset({"description", "title", "default", "examples", "deprecated", "readOnly"})
"""Descriptive keywords: the first, outermost schema's count."""
_LEAST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_MOST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})


def merged(schemas: Iterable[Json]) -> dict[str, Json] | None:
    """The schemas as one, or None where one cannot express them all.

    Each schema of an `allOf` that is closed (`additionalProperties: false`) forbids the properties of all
    others, which nobody means: together they are closed to what none of them names.
    """
    whole: dict[str, Json] = {}
    closed = False
    for schema in schemas:
        if schema is True:
            continue
        if not isinstance(schema, Mapping):
            return None
        for word, value in schema.items():
            if word == "additionalProperties" and value is False:
                closed = True
            elif word not in whole:
                whole[word] = value
            elif word in _FIRST:
                continue
            elif not _join(whole, word, value):
                return None
    if closed and "additionalProperties" not in whole:
        whole["additionalProperties"] = False
    return whole


def _join(whole: dict[str, Json], word: str, value: Json) -> bool:
    """Merge a keyword's second value into the whole; returns whether that was possible."""
    first = whole[word]
    if word == "properties":
        whole[word] = _properties(first, value)
    elif word == "required":
        whole[word] = list(dict.fromkeys([*first, *value]))
    elif word == "type":
        common = _common_types(first, value)
        whole[word] = common[0] if len(common) == 1 else common
        return bool(common)
    elif word == "enum":
        whole[word] = [entry for entry in first if entry in value]
    elif word in _LEAST:
        whole[word] = min(first, value)
    elif word in _MOST:
        whole[word] = max(first, value)
    else:
        return bool(first == value and type(first) is type(value))
    return True


def _properties(first: JsonObject, second: JsonObject) -> dict[str, Json]:
    both = {
        name: merged([first[name], schema]) or {"allOf": [first[name], schema]}
        for name, schema in second.items()
        if name in first
    }
    return {**first, **second, **both}


def _common_types(first: Json, second: Json) -> list[str]:
    ours, theirs = (names if isinstance(names, list) else [names] for names in (first, second))
    common = [name for name in ours if name in theirs]
    if "integer" in [*ours, *theirs] and "number" in [*ours, *theirs] and "integer" not in common:
        common.append("integer")
    return common
