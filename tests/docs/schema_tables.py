"""Tables of keys, made from the JSON Schemas: each key with its type, its default and its meaning."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from runner.config.checking.schema_files import KINDS, schema
from runner.model.values import JsonObject
from tests.docs.pages import table

Schema = JsonObject
Linked = Callable[[str], str | None]
"""Where the keys of a definition have a table of their own, as a link; None when they stand in this one."""

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_ANY = "any value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One row. `path` leads to it from the mapping of the table: `audio.input`, `steps[].caller`."""

    path: str
    type: str
    default: str
    meaning: str
    property: int
    """The schema's identity, by which a test finds what has no row."""


def keys_table(place: str, linked: Linked) -> str:
    """The table of the mapping at `place`, such as `agent limits` or `runner`."""
    rows = [(f"`{key.path}`", key.type, key.default, key.meaning) for key in keys(place, linked)]
    # Of alternatives, several may have a key in common.
    return table(("key", "type", "default", "meaning"), list(dict.fromkeys(rows)))


def keys(place: str, linked: Linked) -> list[Key]:
    """The rows of that table."""
    kind, _, definition = place.partition(" ")
    whole = schema(kind)
    here = _Table(whole, linked)
    found = whole["$defs"][definition] if definition else whole
    return list(here.keys(found["items"] if found.get("type") == "array" else found, ""))


def every_property() -> Iterator[tuple[str, int]]:
    """Every key of the language that a table has to name: where it stands, and its schema's identity."""
    for kind in KINDS:
        for path, found in _schemas(schema(kind), (kind,)):
            if len(path) > 1 and path[-2] == "properties" and not found.get("doNotSuggest"):
                yield "/".join(path), id(found)


def _schemas(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Schema]]:
    if isinstance(node, list):
        for index, entry in enumerate(node):
            yield from _schemas(entry, (*path, str(index)))
    elif isinstance(node, dict):
        yield path, node
        for key, entry in node.items():
            if key not in ("examples", "default", "dependentSchemas"):
                yield from _schemas(entry, (*path, key))


class _Table:
    def __init__(self, whole: Schema, linked: Linked) -> None:
        self._whole = whole
        self._linked = linked

    def keys(self, node: Schema, prefix: str) -> Iterator[Key]:
        """Every key of a mapping, and of the mappings in it that have no table of their own."""
        for mapping in self._mappings(node):
            for name, found in mapping.get("properties", {}).items():
                told = self._told(found)
                if told.get("doNotSuggest"):
                    continue
                path = f"{prefix}{name}"
                yield Key(
                    path=path,
                    type=self._type(found),
                    default=_default(told, name, mapping),
                    meaning=f"{told['description']}{_example(told)}",
                    property=id(found),
                )
                yield from self._below(found, path)

    def _below(self, found: Schema, path: str) -> Iterator[Key]:
        node = found
        while "$ref" in node:
            if self._linked(_name(node)):
                return
            node = self._target(node)
        if node.get("type") == "array":
            yield from self._below(node.get("items", {}), f"{path}[]")
        elif isinstance(node.get("additionalProperties"), dict):
            yield from self._below(node["additionalProperties"], f"{path}.NAME")
        elif "oneOf" in node and "properties" not in node:
            for branch in node["oneOf"]:
                yield from self._below(branch, path)
        else:
            yield from self.keys(node, f"{path}.")

    def _mappings(self, node: Schema) -> list[Schema]:
        if "$ref" in node:
            beside = node.get("required", [])
            return [
                {**mapping, "required": [*mapping.get("required", ()), *beside]}
                for mapping in self._mappings(self._target(node))
            ]
        if "properties" in node:
            return [node]
        return [mapping for branch in node.get("oneOf", ()) for mapping in self._mappings(branch)]

    def _type(self, found: Schema) -> str:
        if "$ref" in found:
            return self._type_of_definition(found)
        if "const" in found:
            return f"`{_yaml(found['const'])}`"
        if "enum" in found:
            return ", ".join(f"`{_yaml(value)}`" for value in found["enum"])
        if "oneOf" in found and "properties" not in found:
            return _or(self._type(branch) for branch in found["oneOf"])
        if "x-key" in found:
            return f"`{{{found['x-key']}: …}}`"
        return self._type_of_value(found)

    def _type_of_definition(self, found: Schema) -> str:
        name, target = _name(found), self._target(found)
        link = self._linked(name)
        title = str(target["title"]).replace("SIP", "sip").lower().replace("sip", "SIP")
        if link:
            return f"[{title}]({link})"
        if (
            "const" in target
            or "enum" in target
            or "oneOf" in target
            or target.get("type") not in ("string", "integer")
        ):
            return self._type(target)
        return title

    def _type_of_value(self, found: Schema) -> str:
        kind = found.get("type", _ANY)
        match kind:
            case "array":
                return f"list of: {self._type(found['items'])}" if "items" in found else "list"
            case "object":
                entries = found.get("additionalProperties")
                if not isinstance(entries, dict) or "properties" in found:
                    return "mapping"
                return f"mapping of names to: {self._type(entries)}"
            case "integer" | "number":
                return f"{_TYPES[kind]}{_bounds(found)}"
            case list() if found.get("x-text"):
                return "text"
            case list():
                return "value" if len(kind) > 2 else _or(_TYPES[one] for one in kind)
            case _:
                return _TYPES.get(kind, _ANY)

    def _target(self, found: Schema) -> Schema:
        return self._whole["$defs"][_name(found)]  # type: ignore[no-any-return] # the schemas are our own

    def _told(self, found: Schema) -> Schema:
        """The schema with what it refers to beneath it."""
        return {**self._told(self._target(found)), **found} if "$ref" in found else found


def _or(types: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(types))


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _default(told: Schema, name: str, mapping: Schema) -> str:
    if any(branch.get("x-key") == name for branch in mapping.get("oneOf", ())):
        return "one of these"
    if mapping.get("x-key") == name:
        return "one of these"
    if name in (*mapping.get("required", ()), *mapping.get("x-required-with-defaults", ())):
        return "required"
    return f"`{_yaml(told['default'])}`" if "default" in told else ""


def _example(told: Schema) -> str:
    """What a text looks like that has a form: the description need not say it a second time."""
    if "pattern" not in told or "default" in told or "examples" not in told:
        return ""
    written = _yaml(told["examples"][0])
    return "" if written in told["description"] else f" E.g. `{written}`."


def _bounds(found: Schema) -> str:
    least, most = found.get("minimum"), found.get("maximum")
    if "exclusiveMinimum" in found:
        return f" over {found['exclusiveMinimum']}"
    if least is not None and most is not None:
        return f", {least} to {most}"
    return f", {least} or more" if least is not None else ""


def _yaml(value: Any) -> str:
    """A value as people write it into a file."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False, allow_unicode=True)
    return text.strip().removesuffix("\n...").strip()
