"""Merges one document over another: an agent over the defaults, an environment over runner.yaml.

Mappings merge, key by key; anything else is replaced. So is a mapping of another kind than the one below
(`{file: …}` over `{env: …}`, a server_vad over a semantic_vad): merged they would be neither. Every part
keeps the place that it came from.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from runner.config.checking.schema import SchemaCheck
from runner.config.checking.schema_files import schema as shipped_schema
from runner.config.node import Node
from runner.model.values import JsonObject


def laid_over(below: Node | None, above: Node, kind: str) -> Node:
    """`above` on top of `below`, two documents of one kind of file (`agent` or `runner`)."""
    return _merged(below, above, shipped_schema(kind), _flat(kind))


@cache
def _flat(kind: str) -> Callable[[JsonObject], JsonObject]:
    return SchemaCheck(shipped_schema(kind)).flat


def _merged(
    below: Node | None, above: Node, schema: JsonObject, flat: Callable[[JsonObject], JsonObject]
) -> Node:
    if below is None or not isinstance(below.value, Mapping) or not isinstance(above.value, Mapping):
        return above
    schema = flat(schema)
    if "oneOf" in schema:
        branches = [flat(branch) for branch in schema["oneOf"]]
        tag = schema.get("x-tag", "")
        chosen, other = branch_of(above, branches, tag), branch_of(below, branches, tag)
        if chosen is not None and other is not None and chosen is not other:
            return above
        schema = chosen or other or {}
    values = {**below.value}
    for key, value in above.value.items():
        values[key] = _merged(below.value.get(key), value, _schema_of(key, schema), flat)
    return Node(value=values, place=above.place, key_places={**below.key_places, **above.key_places})


def branch_of(node: Node, branches: Sequence[JsonObject], tag: str) -> JsonObject | None:
    """The branch of a union that a mapping is: by its tag, or by a key of its own."""
    tag_value = node.get(tag)
    for branch in branches:
        if tag_value is not None and branch.get("properties", {}).get(tag, {}).get("const") == tag_value.text:
            return branch
        if branch.get("x-key") in dict(node.items()):
            return branch
    return None


def _schema_of(key: str, schema: JsonObject) -> JsonObject:
    others = schema.get("additionalProperties", {})
    part: JsonObject = schema.get("properties", {}).get(key, others if isinstance(others, Mapping) else {})
    return part
