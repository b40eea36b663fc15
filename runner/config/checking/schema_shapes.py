"""Finds what a value of the wrong shape was meant to be: `3` for `{attempts: 3}`, `en` for `[en]`.

People write the value that they think of. A message that shows it in the right shape needs no second look.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from runner.config.checking.key_places import NAME, Flat
from runner.config.node import Node
from runner.config.reading.yaml_scalar import plain_scalar
from runner.model.values import Json, JsonObject

Accepts: TypeAlias = Callable[[Node, JsonObject], bool]
"""Whether a value fits a schema."""

_MOST_NESTED = 3
_LONGEST = 40
"""Characters of a value that is repeated."""
_ACTS = frozenset(
    {"on", "off", "yes", "no", "none", "hangup", "hang_up", "reject", "decline", "end", "transfer", "all"}
)
"""Words that say what is to be done, or with how much, and are not the name of anything."""
_NUMBER = re.compile(r"\+[0-9]{7,15}")
_VARIABLE = re.compile(
    r"\$\{?(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}?|(?P<bare>[A-Z]{3,12}|[A-Z]+(?:_[A-Z0-9]+)+)"
)
"""The name of an environment variable. Without a dollar it is short, or has underscores, as no key has."""
_PAIR = re.compile(r"([A-Za-z][\w-]*): (\S.*)")
"""A name and its value in one text, as headers are written on paper."""
_NEEDS_QUOTES = re.compile(r"""^$|^[-?:,\[\]{}#&*!|>'"%@`\s+]|[,\[\]{}]|: |:$| #|\s$|\n""")


def reshaped(node: Node, schema: JsonObject, accepts: Accepts, flat: Flat) -> str:
    """`write {attempts: 3}`: the value in the schema's shape; empty where no shape of it would fit."""
    if schema.get("x-secret"):
        return _from_variable(node, schema, flat)
    if isinstance(node.value, Mapping) and schema.get("type") == "array":
        first = next(iter(node.value), "")
        if first.startswith("-"):
            return f'write "- {first.lstrip("-")}: …", with a space behind the dash'
    if not _is_shown(node):
        is_list = schema.get("type") == "array" and "errorMessage" not in schema
        is_entry = (
            is_list and isinstance(node.value, Mapping) and accepts(node, flat(schema.get("items", {})))
        )
        return "write [{…}], a list of one" if is_entry else ""
    unquoted = plain_scalar(node.text) if isinstance(node.value, str) else None
    if unquoted is not None and accepts(node.holding(unquoted), schema):
        return f"write {node.text}, without quotes"
    suggestion = next(_meant(node, schema, accepts, flat, _MOST_NESTED), None)
    if isinstance(node.value, bool) and suggestion == f"[{node.text}]":
        return f'write "{node.text}", in quotes'  # A list of texts takes it as it takes one text.
    return f"write {suggestion}" if suggestion is not None else ""


def _from_variable(node: Node, schema: JsonObject, flat: Flat) -> str:
    """`write {env: NAME}` where a variable is named in place of the secret. No secret is repeated."""
    match = _VARIABLE.fullmatch(node.text) if isinstance(node.value, str) else None
    if match is None:
        return ""
    is_list = schema.get("type") == "array"
    wanted = flat(schema["items"]) if is_list else schema
    branches = [wanted, *map(flat, wanted.get("oneOf", ()))]
    if not any("env" in branch.get("properties", {}) for branch in branches):
        return ""
    reference = f"{{env: {match['braced'] or match['bare']}}}"
    return f"write [{reference}]" if is_list else f"write {reference}"


def _is_shown(node: Node) -> bool:
    """Whether the value is short enough to be repeated in a message."""
    entries = node.entries()
    if entries:
        return len(entries) == 1 and _is_shown(entries[0])
    if isinstance(node.value, Mapping):
        return bool(node.value) and len(flow(node)) <= _LONGEST
    return (
        not isinstance(node.value, tuple)
        and node.text.lower() not in _ACTS
        and node.value is not None
        and len(node.text) <= _LONGEST
        and "\n" not in node.text
    )


def _meant(node: Node, schema: JsonObject, accepts: Accepts, flat: Flat, depth: int) -> Iterator[str]:
    """The ways to put the value into the schema's shape, the likeliest first."""
    if depth == 0 or schema.get("x-secret"):
        return
    for branch in map(flat, schema.get("oneOf", ())):
        yield from _meant(node, branch, accepts, flat, depth)
    type_name = schema.get("type")
    if type_name == "object" and not node.entries() and not isinstance(node.value, Mapping):
        yield from _in_mapping(node, schema, accepts, flat, depth)
    elif type_name == "array" and not node.entries():
        inner = _value(node, flat(schema.get("items", {})), accepts, flat, depth - 1)
        if inner is not None:
            yield f"[{inner}]"
    elif (
        node.entries()
        and schema.get("additionalProperties") is not True
        and accepts(node.entries()[0], schema)
    ):
        yield flow(node.entries()[0])


def _in_mapping(node: Node, schema: JsonObject, accepts: Accepts, flat: Flat, depth: int) -> Iterator[str]:
    others = schema.get("additionalProperties")
    if "properties" not in schema and isinstance(others, Mapping):
        if (pair := _PAIR.fullmatch(node.text)) is not None and accepts(
            node.holding({pair[1]: node.holding(pair[2])}), schema
        ):
            yield f"{{{pair[1]}: {_scalar(pair[2])}}}"
        inner = _value(node, flat(others), accepts, flat, depth - 1)
        if inner is not None:
            yield f"{{{_name(schema)}: {inner}}}"
    required = schema.get("required", ())
    for key in [schema["x-bare"]] if "x-bare" in schema else required[:1]:
        if key not in schema.get("properties", {}):
            continue
        inner = _value(node, flat(schema["properties"][key]), accepts, flat, depth - 1)
        if inner is not None:
            further = "".join(f", {other}: …" for other in required if other != key)
            yield f"{{{key}: {inner}{further}}}"


def _name(schema: JsonObject) -> str:
    """An example of a name in a mapping of names: `NAME` where any name will do."""
    pattern = schema.get("propertyNames", {}).get("pattern", "")
    known = [key for example in schema.get("examples", ()) for key in example]
    return known[0] if known and not re.search(pattern, NAME) else NAME


def _value(node: Node, schema: JsonObject, accepts: Accepts, flat: Flat, depth: int) -> str | None:
    if schema.get("x-secret"):
        return None
    if "x-scheme" in schema and _NUMBER.fullmatch(node.text):
        return f"{schema['x-scheme']}{node.text}"
    if accepts(node, schema):
        return flow(node)
    return next(_meant(node, schema, accepts, flat, depth), None)


def flow(node: Node) -> str:
    """A value as one would write it inside braces, digits as written."""
    if isinstance(node.value, str):
        return _scalar(node.text or node.value)
    if isinstance(node.value, Mapping | tuple):
        return flow_data(node.data())
    return node.text


def flow_data(value: Json) -> str:
    """A JSON value as one would write it in one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {flow_data(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow_data, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    """A text, in quotes where YAML would read something else."""
    is_text = isinstance(plain_scalar(text), str) and not _NEEDS_QUOTES.search(text)
    return text if is_text else f'"{text}"'
