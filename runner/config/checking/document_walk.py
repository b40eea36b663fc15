"""Walks a document beside its schema: what is wrong, and the same document in the types that it demands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from operator import is_not
from typing import Protocol, TypeAlias

from runner.config.checking.checked import Broken
from runner.config.checking.other_words import our_word
from runner.config.checking.schema_branch import Mistake, by_key, by_tag
from runner.config.checking.schema_keys import OTHER_KEYS, known_here
from runner.config.checking.schema_names import without_inner_keys
from runner.config.checking.schema_shapes import reshaped
from runner.config.checking.schema_types import as_wanted, has_type
from runner.config.checking.schema_value import ValueCheck, pattern
from runner.config.checking.schema_words import right, subject
from runner.config.checking.suggest import nearest
from runner.config.node import Node
from runner.config.problem import Problem
from runner.model.values import JsonObject, Place

_MAPPING_KEYWORDS = ("properties", "required", "additionalProperties", "propertyNames", "dependentRequired")


@dataclass(frozen=True, slots=True)
class _CheckedEntry:
    """The result of checking one entry of a document."""

    node: Node
    """Kept, since it is known by its identity."""
    result: Node
    problems: Sequence[Problem]
    broken: Mapping[int, Broken]


CheckedEntries: TypeAlias = dict[tuple[int, int, str], _CheckedEntry]
"""The checked entries of documents. Documents that share entries, as those of one agent in several
environments do, have them checked once.
"""


class Schemas(Protocol):
    """Where a walk looks schemas up."""

    def flat(self, schema: JsonObject) -> JsonObject:
        """The schema with the content of its `$ref`."""

    def instead_of(self, key: str, schema: JsonObject, above: Sequence[tuple[str, JsonObject]]) -> str:
        """The end of the message about an unknown key."""


_MOST_SEARCHES = 50
"""Unknown keys of one document that are searched for in every place: it takes some ten milliseconds each."""


class Walk:
    """One walk over one document. `name` is the key that leads to a value, None for entries and the root."""

    def __init__(
        self, schemas: Schemas, document: Node | None, memory: CheckedEntries, *, gives_hints: bool = True
    ) -> None:
        """Without hints it only finds out whether there is a mistake."""
        self._schemas = schemas
        self._resolved = schemas.flat
        self._gives_hints = gives_hints
        self._searches_left = _MOST_SEARCHES
        self._document = document
        self._memory = memory
        self._above: list[tuple[str, JsonObject]] = []
        """The mappings around the current one, from the document on, with the keys into them."""
        self._values = ValueCheck()
        self.problems = self._values.problems
        self.broken: dict[int, Broken] = {}

    def value(self, node: Node, schema: JsonObject, name: str | None) -> Node:
        """Check a value; returns it in the type that the schema demands."""
        before = len(self.problems)
        if self._fits_type(node, schema, name):
            node = as_wanted(node, schema)
            if self._values.constraints(node, schema, name):
                node = self._below(node, schema, name)
        if len(self.problems) > before:
            node = node.holding(node.value)  # its own identity: aliases share nodes
            self.broken[id(node)] = Broken(node, schema)
        return node

    # The value itself

    def _fits_type(self, node: Node, schema: JsonObject, name: str | None) -> bool:
        if isinstance(node.value, float) and not isfinite(node.value):
            self._values.error(
                node.place, "type", f'"{node.text}" is not a number that JSON can write', schema
            )
            return False
        if has_type(node, schema):
            return True
        self._values.wrong(node, "type", schema, name, self._reshaped(node, schema))
        return False

    def _reshaped(self, node: Node, schema: JsonObject) -> str:
        return reshaped(node, schema, self._accepts, self._resolved) if self._gives_hints else ""

    def _accepts(self, node: Node, schema: JsonObject) -> bool:
        """Whether a value fits a schema. true and false are never meant as texts."""
        if not has_type(node, schema, exactly=isinstance(node.value, bool)):
            return False
        walk = Walk(self._schemas, None, {}, gives_hints=False)
        walk.value(node, schema, None)
        return not walk.problems

    # Its content

    def _below(self, node: Node, schema: JsonObject, name: str | None) -> Node:
        for key, whole in schema.get("dependentSchemas", {}).items():
            if node.get(key) is not None:
                node = self.value(node, self._resolved(whole), name)
        if isinstance(node.value, tuple) and "items" in schema:
            items = self._resolved(schema["items"])
            entries = tuple(self.value(entry, items, None) for entry in node.value)
            if any(map(is_not, entries, node.value)):
                node = node.holding(entries)
        elif isinstance(node.value, dict) and any(keyword in schema for keyword in _MAPPING_KEYWORDS):
            node = self._mapping(node, node.value, schema, name)
        if "oneOf" in schema:
            node = self._union(node, schema, name)
        return node

    def _mapping(self, node: Node, values: Mapping[str, Node], schema: JsonObject, name: str | None) -> Node:
        self._missing(node, values, schema, name)
        names = self._resolved(schema.get("propertyNames", {}))
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", {})
        if isinstance(others, dict) and not properties:
            values, mistake = without_inner_keys(values, self._resolved(others), self._resolved)
            if mistake is not None:
                key, hint = mistake
                self._values.error(node.key_place(key), "type", f'"{key}" {hint}', schema)
        checked = {}
        meants: dict[str, Place] = {}
        for key, value in values.items():
            self._key(node, key, names)
            if key in properties:
                self._above.append((key, schema))
                checked[key] = self._entry(node, value, self._resolved(properties[key]), key)
                self._above.pop()
            elif others is False:
                meant = self._unknown(node, key, schema)
                if meant is not None and meant not in values and isinstance(value.value, dict | tuple):
                    # Read as the key that was meant, so that the typo causes no further problems.
                    meants[meant] = node.key_places[key]
                    checked[meant] = self._entry(node, value, self._resolved(properties[meant]), meant)
            else:
                checked[key] = self.value(value, self._resolved(others) if others is not True else {}, key)
        if meants:
            return node._replace(value=checked, key_places={**node.key_places, **meants})
        is_same = len(checked) == len(values) and not any(map(is_not, checked.values(), values.values()))
        return node if is_same else node.holding(checked)

    def _entry(self, node: Node, value: Node, schema: JsonObject, key: str) -> Node:
        """Check an entry of a mapping; one of the document itself is looked up first."""
        if node is not self._document:
            return self.value(value, schema, key)
        known = self._memory.get((id(value), id(schema), key))
        if known is None:
            apart = Walk(self._schemas, None, {})
            apart._above += self._above
            result = apart.value(value, schema, key)
            known = _CheckedEntry(value, result, apart.problems, apart.broken)
            self._memory[id(value), id(schema), key] = known
        self.problems += known.problems
        self.broken |= known.broken
        return known.result

    def _missing(self, node: Node, values: Mapping[str, Node], schema: JsonObject, name: str | None) -> None:
        whose = subject(name, schema)
        mistyped = self._mistyped(values, schema)
        for key in schema.get("required", ()):
            if key not in values and key not in mistyped:
                const = self._resolved(schema.get("properties", {}).get(key, {})).get("const")
                what = f'"{key}: {const}"' if isinstance(const, str) else f'the key "{key}"'
                self._values.error(node.place, "missing-key", f"{whose} needs {what}", schema)
        for key in schema.get("x-required-with-defaults", ()):
            if key not in values:
                message = f'{whose} needs the key "{key}", here or under "defaults" in runner.yaml'
                self._values.error(node.place, "missing-default", message, schema)
        for key, needed in schema.get("dependentRequired", {}).items():
            for other in needed:
                if key in values and other not in values:
                    self._values.error(
                        node.key_place(key), "missing-key", f'"{key}" needs "{other}" beside it', schema
                    )

    @staticmethod
    def _mistyped(values: Mapping[str, Node], schema: JsonObject) -> set[str | None]:
        """The keys that unknown ones were probably meant to be: a mistyped key is not missing as well."""
        known = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or values.keys() <= known.keys():
            return set()
        return {our_word(key, known) or nearest(key, known) for key in values if key not in known}

    def _key(self, node: Node, key: str, schema: JsonObject) -> None:
        if "pattern" in schema and not pattern(schema["pattern"]).search(key):
            self._values.error(node.key_place(key), "value", f'the key is "{key}"; {right(schema)}', schema)

    def _unknown(self, node: Node, key: str, schema: JsonObject) -> str | None:
        """Note an unknown key; returns the known key that the message suggests instead."""
        if key not in node.key_places:
            return None  # It came from a merge key, which has a problem of its own.
        hint = ""
        if self._gives_hints:
            is_searched = self._searches_left > 0
            self._searches_left -= 1
            hint = (
                self._schemas.instead_of(key, schema, self._above)
                if is_searched
                else known_here(schema, self._resolved)
            )
        self._values.error(node.key_place(key), "unknown-key", f'unknown key "{key}"{hint}', schema)
        return next((known for known in schema["properties"] if hint == f'; did you mean "{known}"?'), None)

    # Unions

    def _union(self, node: Node, schema: JsonObject, name: str | None) -> Node:
        branches = [self._resolved(branch) for branch in schema["oneOf"]]
        schema = {**schema, "errorMessage": right({**schema, "oneOf": branches})}
        fitting = [branch for branch in branches if has_type(node, branch, exactly=True)]
        fitting = fitting or [branch for branch in branches if has_type(node, branch)]
        if not fitting:
            self._values.wrong(node, "type", schema, name, self._reshaped(node, schema))
            return node
        stands_as_text = self._gives_hints and not has_type(node, fitting[0], exactly=True)
        if stands_as_text and not self._accepts(node, fitting[0]):
            hint = self._reshaped(node, schema)
            if hint or isinstance(node.value, bool):
                self._values.wrong(node, "type", schema, name, hint)
                return node
        if len(fitting) == 1 or not isinstance(node.value, dict):
            return self.value(node, {"errorMessage": schema["errorMessage"], **fitting[0]}, name)
        tag = schema.get("x-tag")
        if tag is not None:
            consts = {self._resolved(branch["properties"][tag])["const"]: branch for branch in fitting}
            chosen = by_tag(node, tag, consts, subject(name, schema))
        else:
            keys = {branch["x-key"]: branch for branch in fitting}
            known = schema.get("properties", {})
            is_left_out = not node.key_places.keys() <= node.value.keys()
            if is_left_out and not keys.keys() & node.value.keys():
                return node  # An unknown key, which is reported already, was meant to choose the branch.
            whose, right_one = subject(name, schema), schema["errorMessage"]
            chosen = by_key(node, keys, known, self._resolved, subject=whose, right=right_one)
            if not isinstance(chosen, Mistake):
                chosen = {**chosen, OTHER_KEYS: list(keys)}
        if isinstance(chosen, Mistake):
            self._values.error(chosen.place, chosen.rule, chosen.message, schema)
            return node
        return self.value(node, chosen, name)
