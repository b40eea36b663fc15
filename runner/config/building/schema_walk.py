"""Walks the nodes of a JSON Schema in a user's file: its references, and the arguments that it declares."""

from collections.abc import Iterable, Iterator, Mapping

from runner.call.templates.names import NOTHING, Shape
from runner.config.node import Node


def resolved(root: Node, reference: str) -> Node | None:
    """The target of a `$ref` inside one document (RFC 6901), or None."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    node: Node | None = root
    for step in reference.removeprefix("#/").split("/"):
        if node is None:
            return None
        key = step.replace("~1", "/").replace("~0", "~")
        node = node.find(int(key)) if key.isdigit() and node.entries() else node.get(key)
    return node


def argument_shapes(parameters: Node) -> tuple[Mapping[str, Shape], bool]:
    """The declared arguments with what is below each, and whether the schema explicitly allows others."""
    shapes: dict[str, Shape] = {}
    # A schema that lacks both says something else than it means; that is reported already.
    is_open = parameters.get("type") is None and parameters.get("properties") is None
    for schema in _at_once(parameters, parameters):
        properties = schema.get("properties")
        is_open |= properties is not None and not isinstance(properties.value, Mapping)
        shapes |= {name: _shape(node) for name, node in schema.items_at("properties")}
        extra = schema.get("additionalProperties")
        is_open |= schema.get("patternProperties") is not None or (
            extra is not None and extra.value is not False
        )
    return shapes, is_open


def _at_once(schema: Node, root: Node, *, also: Iterable[str] = ()) -> Iterator[Node]:
    """The schema and all that apply to the same value, always or sometimes; each once."""
    seen: set[int] = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop(0)
        if id(node.value) in seen or not isinstance(node.value, Mapping):
            continue
        seen.add(id(node.value))
        yield node
        reference = node.get("$ref")
        if reference is not None and (target := resolved(root, reference.text)) is not None:
            waiting.append(target)
        for word in ("allOf", "anyOf", "oneOf", "if", "then", "else", *also):
            if (inner := node.get(word)) is not None:
                waiting += inner.entries() or (inner,)
        if (dependent := node.get("dependentSchemas")) is not None:
            waiting += dependent.values()


def circular_references(root: Node) -> Iterator[Node]:
    """The references that lead back to their own schema with no property and no entry between."""
    for schema in _schemas(root):
        reference = schema.get("$ref")
        target = resolved(root, reference.text) if reference is not None else None
        if reference is not None and target is not None:
            reached = _at_once(target, root, also=("not",))
            if any(each.value is schema.value for each in reached):
                yield reference


def _schemas(root: Node) -> Iterator[Node]:
    """Every mapping in a schema, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node.value) not in seen:
            seen.add(id(node.value))
            if isinstance(node.value, Mapping):
                yield node
            waiting += [*node.entries(), *node.values()]


def _shape(schema: Node) -> Shape:
    """What may follow an argument: nothing below text and numbers, the properties of a closed object."""
    kind = schema.get("type")
    if kind is None:
        return None
    if kind.value in ("string", "integer", "number", "boolean"):
        return NOTHING
    properties = schema.get("properties")
    only_these = not any(keyword in _OPENING for keyword, _ in schema.items())
    if kind.value == "object" and properties is not None and only_these:
        return {name: _shape(node) for name, node in properties.items()}
    return None


_OPENING = frozenset(
    ["$ref", "allOf", "anyOf", "oneOf", "if", "additionalProperties", "patternProperties", "dependentSchemas"]
)
"""Keywords that may add further properties."""
