"""Words for the schema check's messages: about values, and about what would be right. Decides nothing."""

import json
from collections.abc import Mapping

from runner.config.checking.schema_shapes import flow_data
from runner.config.node import Node
from runner.model.values import JsonObject

_LONGEST_QUOTE = 60
_LONGEST_EXAMPLE = 100
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def subject(name: str | None, schema: JsonObject | None = None) -> str:
    """The subject of a message: the key that leads to the value, or `this …`."""
    if name is not None:
        return f'"{name}"'
    title = (schema or {}).get("title", "")
    if title[1:2].islower():
        title = title[0].lower() + title[1:]
    return f"this {title}".rstrip()


def shown_value(node: Node, schema: JsonObject) -> str:
    """The value, quoted as written. A secret is never quoted."""
    value = node.value
    if value is None and node.comment is not None:
        return 'empty, since "#" begins a comment unless it is in quotes'
    if value is None or value in ("", ()) or value == {}:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, tuple):
        return "a list"
    if schema.get("x-secret"):
        return "a text (not shown)"
    line = node.text.strip().split("\n")[0]
    return f'"{line[:_LONGEST_QUOTE]}…"' if line != node.text or len(line) > _LONGEST_QUOTE else f'"{line}"'


def right(schema: JsonObject) -> str:
    """What would be right instead, from the schema's own hint or from its keywords."""
    message: str = schema.get("errorMessage") or f"write {demanded(schema)}"
    return message


def demanded(schema: JsonObject) -> str:
    """What the schema demands, in words."""
    if "const" in schema or "enum" in schema:
        written = [
            json.dumps(value, ensure_ascii=False) for value in schema.get("enum", [schema.get("const")])
        ]
        return written[0] if len(written) == 1 else f"{', '.join(written[:-1])} or {written[-1]}"
    if "oneOf" in schema:
        words = " or ".join(dict.fromkeys(map(demanded, schema["oneOf"])))
        return words if ", such as " in words else words + _example(schema)
    type_name = "string" if schema.get("x-text") else schema.get("type", "string")
    types = [type_name] if isinstance(type_name, str) else type_name
    words = " or ".join(dict.fromkeys(_TYPES[name] for name in types))
    return words + _range(schema) + _count(schema) + _example(schema)


def _range(schema: JsonObject) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f", at least {least}"
    if "exclusiveMinimum" in schema:
        return f" greater than {schema['exclusiveMinimum']}"
    return f", at most {most}" if most is not None else ""


def _example(schema: JsonObject) -> str:
    """An example of a list or mapping, if the schema has a short one."""
    if schema.get("type") not in ("array", "object", None):
        return ""
    structures = (example for example in schema.get("examples", ()) if isinstance(example, Mapping | list))
    shown = [text for example in structures if len(text := flow_data(example)) <= _LONGEST_EXAMPLE]
    return f", such as {shown[0]}" if shown else ""


def _count(schema: JsonObject) -> str:
    least = schema.get("minItems") or schema.get("minProperties")
    noun = "entry" if least == 1 else "entries"
    return f" with at least {least} {noun}" if least else ""
