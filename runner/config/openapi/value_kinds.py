"""Classifies the values of a schema, as far as their encoding depends on it: text, list, object."""

from collections.abc import Mapping
from enum import Enum

from runner.model.values import Json, JsonObject

_DEEPEST = 12


class ValueKind(Enum):
    """The kind of a value."""

    SCALAR = "scalar"
    LIST = "list"
    OBJECT = "object"


_STRUCTURES = {"array": ValueKind.LIST, "object": ValueKind.OBJECT}


def kinds(schema: Json, definitions: JsonObject, depth: int = 0) -> frozenset[ValueKind]:
    """Every possible kind of a value. Without a type in the schema it counts as a scalar."""
    if not isinstance(schema, Mapping) or depth == _DEEPEST:
        return frozenset({ValueKind.SCALAR})
    named = schema.get("type")
    if named is not None:
        names = named if isinstance(named, list) else [named]
        return frozenset(_STRUCTURES.get(name, ValueKind.SCALAR) for name in names)
    if "$ref" in schema:
        target = definitions.get(schema["$ref"].removeprefix("#/$defs/"))
        return kinds(target, definitions, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return frozenset().union(*(kinds(part, definitions, depth + 1) for part in schema[word]))
    if "properties" in schema or "additionalProperties" in schema:
        return frozenset({ValueKind.OBJECT})
    return frozenset({ValueKind.LIST if "items" in schema else ValueKind.SCALAR})


def holds_objects(schema: Json, definitions: JsonObject, depth: int = 0) -> bool:
    """Whether an object may stand inside of a list or of another object."""
    if not isinstance(schema, Mapping) or depth == _DEEPEST:
        return False
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    parts = [part for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, ())]
    if "$ref" in schema:
        parts.append(definitions.get(schema["$ref"].removeprefix("#/$defs/")))
    return any(ValueKind.OBJECT in kinds(one, definitions) for one in inner) or any(
        holds_objects(part, definitions, depth + 1) for part in parts
    )
