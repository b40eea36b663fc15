"""Finds what an unknown key was meant to be: a key of another place, or another word for one of this
place."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from runner.config.checking.other_words import our_word
from runner.config.checking.suggest import did_you_mean, nearest, one_of
from runner.model.values import JsonObject

Flat: TypeAlias = Callable[[JsonObject], JsonObject]
"""A schema with the content of its `$ref`."""

_LEVELS = 4
"""How deep inside a mapping a key is searched for."""
_MOST_LISTED = 20

OTHER_KEYS = "x-other-keys"
"""Where the check notes, in a branch of a union, the keys that choose a branch: one of them may be meant."""


def instead_of(key: str, schema: JsonObject, above: Sequence[tuple[str, JsonObject]], flat: Flat) -> str:
    """The end of the message about an unknown key of a mapping with this schema.

    `above` are the schemas of the mappings around it, each with the key that leads inside.
    """
    known = _keys(schema, flat)
    theirs = our_word(key, known)
    return (
        (f'; did you mean "{theirs}"?' if theirs is not None else "")
        or _inside(key, schema, flat)
        or _beside(key, above, flat)
        or _in_neighbour(key, above, flat)
        or did_you_mean(key, [*known, *schema.get(OTHER_KEYS, ())])
        or _near_inside(key, schema, flat)
        or _in_our_words(key, schema, flat)
        or f"; known here: {one_of(known, _MOST_LISTED)}"
    )


def _keys(schema: JsonObject, flat: Flat) -> list[str]:
    properties = schema.get("properties", {})
    return [key for key in properties if not flat(properties[key]).get("doNotSuggest")]


def _below(schema: JsonObject, flat: Flat) -> Iterator[list[tuple[str, JsonObject]]]:
    """The mappings inside of this one, level by level, each with its path."""
    level: list[tuple[str, JsonObject]] = [("", schema)]
    for _ in range(_LEVELS):
        level = [
            (f"{path}.{name}" if path else name, flat(mapping["properties"][name]))
            for path, mapping in level
            for name in _keys(mapping, flat)
        ]
        yield level


def _inside(key: str, schema: JsonObject, flat: Flat) -> str:
    """Where below this mapping the key belongs, if it was written too high up."""
    for level in _below(schema, flat):
        paths = [path for path, mapping in level if key in _keys(mapping, flat)]
        if paths:
            return f'; it belongs inside of "{paths[0]}"' if len(paths) == 1 else ""
    return ""


def _in_our_words(key: str, schema: JsonObject, flat: Flat) -> str:
    """Where below this mapping the key is that another product calls so."""
    for level in _below(schema, flat):
        found = [f"{path}.{ours}" for path, mapping in level if (ours := our_word(key, _keys(mapping, flat)))]
        if found:
            return f'; did you mean "{found[0]}"?' if len(found) == 1 else ""
    return ""


def _near_inside(key: str, schema: JsonObject, flat: Flat) -> str:
    """The key of an inner mapping that was meant, if it was mistyped and written too high up."""
    candidates = [
        (name, near)
        for name in _keys(schema, flat)
        if (near := nearest(key, _keys(flat(schema["properties"][name]), flat))) is not None
    ]
    return (
        f'; did you mean "{candidates[0][1]}", inside of "{candidates[0][0]}"?'
        if len(candidates) == 1
        else ""
    )


def _in_neighbour(key: str, above: Sequence[tuple[str, JsonObject]], flat: Flat) -> str:
    """The neighbouring mapping to which the key belongs."""
    if not above:
        return ""
    inside, schema = above[-1]
    mappings = [
        name
        for name in _keys(schema, flat)
        if name != inside and key in _keys(flat(schema["properties"][name]), flat)
    ]
    return f'; it belongs inside of "{mappings[0]}", beside "{inside}"' if len(mappings) == 1 else ""


def _beside(key: str, above: Sequence[tuple[str, JsonObject]], flat: Flat) -> str:
    """The outer key beside which the key belongs, if it was written too far inside."""
    for inside, schema in reversed(above):
        if key != inside and key in _keys(schema, flat):
            return f'; it belongs beside "{inside}"'
    return ""
