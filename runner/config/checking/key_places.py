"""Finds where a key may stand: through mappings, lists, names and every branch of a union."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from runner.model.values import JsonObject

Flat: TypeAlias = Callable[[JsonObject], JsonObject]
"""A schema with the content of its `$ref`."""

LIST = "[]"
NAME = "NAME"
_DEEPEST = 6
"""How many keys deep a key is searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """A mapping inside of another one."""

    steps: tuple[str, ...]
    """The way to it: keys, NAME for any name, and LIST for any entry of a list."""
    keys: tuple[str, ...]
    """The keys that it may have."""

    @property
    def path(self) -> str:
        """`session.audio.input`"""
        return ".".join(step for step in self.steps if step != LIST)

    @property
    def parent(self) -> str:
        """The last key of the way."""
        return next(step for step in reversed(self.steps) if step not in (LIST, NAME))

    @property
    def has_keys_only(self) -> bool:
        """Whether the path alone says what to write."""
        return LIST not in self.steps and NAME not in self.steps

    def holding(self, key: str) -> str:
        """`{routes: [{to: …}]}`: what to write for the key to stand there."""
        text = f"{{{key}: …}}"
        for step in reversed(self.steps):
            text = f"[{text}]" if step == LIST else f"{{{step}: {text}}}"
        return text


def known_keys(schema: JsonObject, flat: Flat) -> list[str]:
    """The keys of a mapping with this schema that one may write."""
    properties = schema.get("properties", {})
    return [key for key in properties if not flat(properties[key]).get("doNotSuggest")]


def places_below(schema: JsonObject, flat: Flat) -> Iterator[list[KeyPlace]]:
    """The mappings inside of one with this schema, level by level, the outermost first."""
    level: list[tuple[tuple[str, ...], JsonObject]] = list(_mappings((), schema, flat))
    for _ in range(_DEEPEST):
        level = [
            inner
            for steps, mapping in level
            for key in known_keys(mapping, flat)
            for inner in _mappings((*steps, key), mapping["properties"][key], flat)
        ]
        by_steps: dict[tuple[str, ...], list[str]] = {}
        for steps, mapping in level:
            by_steps.setdefault(steps, []).extend(known_keys(mapping, flat))
        yield [KeyPlace(steps=steps, keys=tuple(keys)) for steps, keys in by_steps.items()]


def _mappings(
    steps: tuple[str, ...], schema: JsonObject, flat: Flat
) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """The mappings with known keys that a value with this schema is, or holds under names or in lists."""
    schema = flat(schema)
    if "properties" in schema:
        yield steps, schema
    for branch in schema.get("oneOf", ()):
        yield from _mappings(steps, branch, flat)
    if "items" in schema and steps[-1:] != (LIST,):
        yield from _mappings((*steps, LIST), schema["items"], flat)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _mappings((*steps, NAME), schema["additionalProperties"], flat)
