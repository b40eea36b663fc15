"""Checks a Node tree with a JSON Schema, and says what is wrong the way a colleague would.

General validators judge plain data: they know no places, cannot take `08001234` for the text that the schema
demands, and answer a wrong `oneOf` with every branch's failure. So this one walks nodes. It knows the
keywords that the shipped schemas use (KEYWORDS) and the annotations that they explain in `$comment`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from runner.config.checking.checked import Checked
from runner.config.checking.document_walk import CheckedEntries, Walk
from runner.config.checking.schema_files import schema as shipped_schema
from runner.config.checking.schema_keys import OtherFile, instead_of
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.values import JsonObject

KEYWORDS = frozenset(
    {
        *("$ref", "type", "enum", "const", "oneOf"),
        *("properties", "required", "additionalProperties", "propertyNames"),
        *("dependentRequired", "dependentSchemas"),
        *("minProperties", "items", "minItems", "maxItems", "uniqueItems"),
        *("minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"),
    }
)
"""The keywords that are checked. Others, except annotations, have no effect and must not be used."""

_MISSING = frozenset({"missing-key", "missing-default"})


def check(node: Node, kind: str, problems: Problems, memory: CheckedEntries | None = None) -> Checked:
    """Check the document of a file of this kind (`agent`, `runner` or `test`)."""
    return _shipped(kind).check(node, problems, memory)


_OTHER_FILES = {"agent": {"runner": "runner.yaml"}, "runner": {"agent": "the file of an agent"}}
"""The kinds of files with which one is confused, by kind, each with a name for it."""


@cache
def _shipped(kind: str) -> "SchemaCheck":
    return SchemaCheck(shipped_schema(kind), _OTHER_FILES.get(kind, {}))


class SchemaCheck:
    """One schema, ready to check any number of documents."""

    def __init__(self, schema: JsonObject, other_files: Mapping[str, str] | None = None) -> None:
        """`other_files`: the kinds of files in which an unknown key may belong, with their names."""
        self._root = schema
        self._other_files = other_files or {}
        self._hints: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
        self._flat: dict[int, JsonObject] = {}

    def check(self, node: Node, problems: Problems, memory: CheckedEntries | None = None) -> Checked:
        """Check one document; mistakes go to `problems`."""
        walk = Walk(self, node, {} if memory is None else memory)
        root = walk.value(node, self.flat(self._root), None)
        problems.extend(walk.problems)
        return Checked(root, walk.broken, self._keeps_to)

    def instead_of(self, key: str, schema: JsonObject, above: Sequence[tuple[str, JsonObject]]) -> str:
        """The end of the message about an unknown key. A slip that is in many files is searched once."""
        slip = (key, *(name for name, _ in above)), (*schema.get("properties", ()),)
        if slip not in self._hints:
            kinds = [(name, _shipped(kind)) for kind, name in self._other_files.items()]
            others = [OtherFile(name=name, schema=check._root, flat=check.flat) for name, check in kinds]
            self._hints[slip] = instead_of(key, schema, above, self.flat, others)
        return self._hints[slip]

    def _keeps_to(self, node: Node, schema: JsonObject) -> bool:
        if isinstance(node.value, dict) and "oneOf" in schema:
            own = {branch["x-key"] for branch in map(self.flat, schema["oneOf"]) if "x-key" in branch}
            if own and not own & node.value.keys():
                return False  # It is unknown which branch is left.
        walk = Walk(self, None, {}, gives_hints=False)
        walk.value(node, schema, None)
        return all(problem.rule in _MISSING for problem in walk.problems)

    def flat(self, schema: JsonObject) -> JsonObject:
        """The schema with the content of its `$ref`. Keywords beside the `$ref` take precedence."""
        if "$ref" not in schema:
            return schema
        known = self._flat.get(id(schema))
        if known is None:
            known = self._flat[id(schema)] = self._with_target(schema)
        return known

    def _with_target(self, schema: JsonObject) -> JsonObject:
        target: Any = self._root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        below = self.flat(target)
        merged = {**below, **{key: value for key, value in schema.items() if key != "$ref"}}
        if "properties" in merged:
            merged["properties"] = {**below.get("properties", {}), **schema.get("properties", {})}
        if "required" in merged:
            merged["required"] = [*below.get("required", ()), *schema.get("required", ())]
        return merged
