"""Compares a value's type with the schema's, and converts the value to that type."""

from typing import Any

from runner.config.node import Node
from runner.model.values import JsonObject


def has_type(node: Node, schema: JsonObject, *, exactly: bool = False) -> bool:
    """Whether a value has a type that the schema allows.

    A scalar counts as text wherever only text is allowed, so that digits need no quotes; not so `exactly`.
    """
    type_name = schema.get("type")
    if type_name is None:
        return True
    if isinstance(type_name, str):
        return _is(node.value, type_name) or (not exactly and type_name == "string" and _stands_as_text(node))
    if any(_is(node.value, name) for name in type_name):
        return True
    return not exactly and "string" in type_name and _stands_as_text(node)


def _stands_as_text(node: Node) -> bool:
    return isinstance(node.value, bool | int | float)


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool) or value is None:
        return name == ("null" if value is None else "boolean")
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _TYPES[name])


_TYPES: dict[str, Any] = {
    "string": str,
    "number": (int, float),
    "array": tuple,
    "object": dict,
    "null": (),
    "boolean": (),
}


def as_wanted(node: Node, schema: JsonObject) -> Node:
    """The same value in the schema's type."""
    type_name = "string" if schema.get("x-text") else schema.get("type")
    if type_name == "string" and _stands_as_text(node):
        return node.holding(node.text)
    if type_name == "integer" and isinstance(node.value, int | float):
        return node._replace(value=int(node.value), text=str(int(node.value)))
    return node
