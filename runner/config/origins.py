"""Finds where each value of an agent comes from: its file, an overlay or defaults, or a built-in default.

Walks the agent's document, whose nodes keep their places through every merge. Decides no value.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from runner.config.building.hosts import environment_hosts, redirected
from runner.config.checking.schema import SchemaCheck
from runner.config.checking.schema_files import schema as shipped_schema
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.environments import in_environment
from runner.config.reading.layers import branch_of
from runner.model.values import Json, JsonObject, Place

MASK = "***"


class ValueOrigin(Enum):
    """The source of a value."""

    AGENT = "agent file"
    DEFAULTS = "defaults"
    SHARED_TOOL = "shared tool"
    ENVIRONMENT = "environment"
    BUILT_IN = "built-in default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of an agent. `path` leads to it, e.g. `("tools.find_slots", "http", "timeout")`."""

    path: tuple[str, ...]
    value: Json
    """As written: a template is shown, not rendered. A literal secret is masked."""
    origin: ValueOrigin
    place: Place | None = None
    """None for a built-in default."""


class Origins:
    """The origins of values for agents that were loaded together."""

    def __init__(self, runner: Node | None, environment: str | None) -> None:
        """`runner` is the document of runner.yaml as it was read."""
        chosen = runner.find("environments", environment) if runner and environment is not None else None
        self._of_environment = _places(chosen)
        self._hosts = environment_hosts(chosen, Problems())
        self._hosts_place = chosen.key_place("hosts") if chosen else None
        self._of_defaults = _places(runner.get("defaults") if runner else None)
        self._of_tools = _places(runner.get("tools") if runner else None)
        self._tools = in_environment(runner, environment).get("tools") if runner else None
        self._schema = shipped_schema("agent")
        self._flat: Callable[[JsonObject], JsonObject] = SchemaCheck(self._schema).flat

    def values(self, document: Node) -> Iterator[Value]:
        """Every value of an agent's merged document, in the order of the language's reference."""
        yield from self._walk(document, self._schema, ())

    def _walk(self, node: Node, schema: JsonObject, path: tuple[str, ...]) -> Iterator[Value]:
        schema = self._chosen(node, self._flat(schema))
        if isinstance(node.value, Mapping) and node.value and _is_open(schema):
            yield from self._mapping(node, schema, path)
        elif path == ("tools",):
            for entry in node.entries():
                yield from self._tool(entry, schema)
        elif any(isinstance(entry.value, Mapping) for entry in node.entries()) and "items" in schema:
            for number, entry in enumerate(node.entries()):
                numbered = (*path[:-1], f"{path[-1]}[{number}]")
                yield from self._walk(entry, schema["items"], numbered)
        else:
            value = MASK if _is_written_secret(path, node) else _written(node)
            yield self._redirected(
                Value(path=path, value=value, origin=self._origin(node.place), place=node.place)
            )

    def _redirected(self, value: Value) -> Value:
        """A URL after the environment's `hosts`."""
        if "mcp" in value.path or value.path[-1] not in ("url", "token_url", "server"):
            return value
        url = redirected(str(value.value), self._hosts)
        if url == value.value:
            return value
        return replace(value, value=url, origin=ValueOrigin.ENVIRONMENT, place=self._hosts_place)

    def _mapping(self, node: Node, schema: JsonObject, path: tuple[str, ...]) -> Iterator[Value]:
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for key in [*properties, *(key for key, _ in node.items() if key not in properties)]:
            value = node.get(key)
            below = properties.get(key, others if isinstance(others, Mapping) else {})
            if value is not None:
                yield from self._walk(value, below, (*path, key))
            elif _is_ours((*path, key)):
                yield from _built_in(self._flat(below), (*path, key))

    def _tool(self, entry: Node, schema: JsonObject) -> Iterator[Value]:
        name, tool = entry.get("name"), entry
        shared = self._tools.get(entry.text) if self._tools and isinstance(entry.value, str) else None
        if shared is not None:
            tool = shared
        label = name.text if name is not None else entry.text or next(iter(dict(entry.items())), "")
        yield from self._walk(tool, self._flat(schema["items"]), (f"tools.{label}",))

    def _chosen(self, node: Node, schema: JsonObject) -> JsonObject:
        """The branch of a union that is meant; nothing is known where none fits."""
        if "oneOf" not in schema:
            return schema
        branches = [self._flat(branch) for branch in schema["oneOf"]]
        if not isinstance(node.value, Mapping):
            return {}
        return branch_of(node, branches, schema.get("x-tag", "")) or {}

    def _origin(self, place: Place) -> ValueOrigin:
        if place in self._of_environment:
            return ValueOrigin.ENVIRONMENT
        if place in self._of_defaults:
            return ValueOrigin.DEFAULTS
        return ValueOrigin.SHARED_TOOL if place in self._of_tools else ValueOrigin.AGENT


def _is_open(schema: JsonObject) -> bool:
    """Whether the language describes the content; JSON Schemas, examples and the like stay whole."""
    return "properties" in schema or isinstance(schema.get("additionalProperties"), Mapping)


def _is_ours(path: tuple[str, ...]) -> bool:
    """Whether a default of the schema is ours. Those of `session` and `mcp` are the voice API's."""
    return path[0] != "session" and "mcp" not in path


def _built_in(schema: JsonObject, path: tuple[str, ...]) -> Iterator[Value]:
    if "default" not in schema:
        return
    default = schema["default"]
    if isinstance(default, Mapping):
        for key, value in default.items():
            yield Value(path=(*path, key), value=value, origin=ValueOrigin.BUILT_IN)
    else:
        yield Value(path=path, value=default, origin=ValueOrigin.BUILT_IN)


def _places(node: Node | None) -> frozenset[Place]:
    return frozenset(_all_places(node)) if node is not None else frozenset()


def _all_places(node: Node) -> Iterator[Place]:
    yield node.place
    for part in (*node.entries(), *node.values()):
        yield from _all_places(part)


def _written(node: Node) -> Json:
    """The value; a number where text is wanted keeps its digits."""
    if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value if json.dumps(node.value) == node.text else node.text
    return node.data()


_CREDENTIALS = frozenset({"bearer", "password", "value", "client_secret", "sign", "authorization"})
_TELLTALE = ("authorization", "key", "token", "secret", "cookie", "password")


def _is_written_secret(path: tuple[str, ...], node: Node) -> bool:
    """Whether a literal credential may be here. One from `secrets` is only a name."""
    if "secrets." in node.text or isinstance(node.value, (Mapping, tuple)):
        return False
    key, *above = reversed(path)
    is_header = "headers" in above and ("mcp" in above or any(word in key.lower() for word in _TELLTALE))
    in_auth = "auth" in above or "mcp" in above or key == "sign"
    return is_header or (in_auth and key in _CREDENTIALS)
