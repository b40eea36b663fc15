"""Finds what an unknown key was meant to be: a key of another place, or another word for one of this
place."""

from collections.abc import Sequence
from dataclasses import dataclass

from runner.config.checking.key_places import LIST, Flat, KeyPlace, known_keys, places_below
from runner.config.checking.other_words import no_such, our_word
from runner.config.checking.suggest import did_you_mean, nearest, one_of
from runner.model.values import JsonObject

_MOST_LISTED = 20
_MOST_PLACES = 3
"""A key that may stand at more places than these belongs to none in particular."""

_DEEP = 2
"""A key that stands deeper inside than this, and near the top of another file, belongs there."""

OTHER_KEYS = "x-other-keys"
"""Where the check notes, in a branch of a union, the keys that choose a branch: one of them may be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile:
    """Another kind of file, in which a key may belong."""

    name: str
    schema: JsonObject
    flat: Flat


def instead_of(
    key: str,
    schema: JsonObject,
    above: Sequence[tuple[str, JsonObject]],
    flat: Flat,
    others: Sequence[OtherFile] = (),
) -> str:
    """The end of the message about an unknown key of a mapping with this schema.

    `above` are the schemas of the mappings around it, each with the key that leads inside.
    """
    known = known_keys(schema, flat)
    theirs = our_word(key, known)
    inside = _highest(key, schema, flat)
    is_in_defaults = len(above) == 1 and above[0][0] == "defaults"
    return (
        (f'; did you mean "{theirs}"?' if theirs is not None else "")
        or (f'; did you mean "{known[0]}"?' if len(known) == 1 and not schema.get(OTHER_KEYS) else "")
        or (_at_the_top_of(key, others) if is_in_defaults else "")
        or _in_parameters(key, known)
        or (_belongs(key, inside) if len(inside) == 1 and len(inside[0].steps) == 1 else "")
        or ("" if above else _at_the_top_of(key, others))
        or (_belongs(key, inside) if len(inside) == 1 and len(inside[0].steps) <= _DEEP else "")
        or ("" if above else _near_the_top_of(key, others))
        or (_belongs(key, inside) if len(inside) == 1 else "")
        or _beside(key, above, flat)
        or _in_neighbour(key, above, flat)
        or no_such(key)
        or (_in_our_words(key, schema, flat) or _in_our_words(key, above[0][1], flat) if above else "")
        or did_you_mean(key, [*known, *schema.get(OTHER_KEYS, ())])
        or (_belongs(key, inside) if 1 < len(inside) <= _MOST_PLACES else "")
        or _in_our_words(key, schema, flat)
        or _near_inside(key, schema, flat)
        or _elsewhere(key, above, flat, others)
        or ("" if above else _in_words_of(key, others))
        or known_here(schema, flat)
    )


def known_here(schema: JsonObject, flat: Flat) -> str:
    """The end of the message where nothing better is known, or where searching would take too long."""
    return f"; known here: {one_of(known_keys(schema, flat), _MOST_LISTED)}"


def _highest(key: str, schema: JsonObject, flat: Flat) -> list[KeyPlace]:
    """The places for a key inside of a mapping that are the fewest levels down.

    Of several it is the one whose path is plain, if only one is.
    """
    for level in places_below(schema, flat):
        places = {place.path: place for place in reversed(level) if key in place.keys}
        if places:
            plain = [place for place in places.values() if place.has_keys_only]
            return plain if len(plain) == 1 else list(reversed(places.values()))
    return []


def _in_parameters(key: str, known: Sequence[str]) -> str:
    """For keys of a JSON Schema that a tool does not have."""
    is_in_schema = key in ("properties", "required") and "parameters" in known
    return '; it belongs inside of "parameters", beside "type: object"' if is_in_schema else ""


def _belongs(key: str, places: Sequence[KeyPlace]) -> str:
    where = f"; it belongs inside of {one_of(dict.fromkeys(place.path for place in places))}"
    return where if len(places) > 1 or places[0].has_keys_only else f"{where}: {places[0].holding(key)}"


def _in_our_words(word: str, schema: JsonObject, flat: Flat) -> str:
    """Where below this mapping our key for another product's word is."""
    for level in places_below(schema, flat):
        places = [(place, ours) for place in level if (ours := our_word(word, place.keys))]
        if places:
            return _meant(*places[0]) if len(places) == 1 else ""
    return ""


def _meant(place: KeyPlace, key: str) -> str:
    return f'; did you mean "{place.path}.{key}"?' if place.has_keys_only else f"; write {place.holding(key)}"


def _near_inside(key: str, schema: JsonObject, flat: Flat) -> str:
    """The key of an inner mapping that was meant, if it was mistyped and written too high up."""
    candidates = [
        (name, near)
        for name in known_keys(schema, flat)
        if (near := nearest(key, known_keys(flat(schema["properties"][name]), flat))) is not None
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
        for name in known_keys(schema, flat)
        if name != inside and key in known_keys(flat(schema["properties"][name]), flat)
    ]
    return f'; it belongs inside of "{mappings[0]}", beside "{inside}"' if len(mappings) == 1 else ""


def _beside(key: str, above: Sequence[tuple[str, JsonObject]], flat: Flat) -> str:
    """The outer key beside which the key belongs, if it was written too far inside."""
    for inside, schema in reversed(above):
        if key != inside and key in known_keys(schema, flat):
            return f'; it belongs beside "{inside}"'
    return ""


def _elsewhere(
    key: str, above: Sequence[tuple[str, JsonObject]], flat: Flat, others: Sequence[OtherFile]
) -> str:
    """Where in this file, or in one of another kind, the key belongs: the place that is the highest up."""
    own = _only(key, above[0][1], flat) if above else []
    if not all(_is_open(place, above, flat) for place in own):
        return ""
    if top := _at_the_top_of(key, others):
        return top
    hints = [(len(own[0].steps), _belongs(key, own[:1]))] if own else []
    hints += [
        (len(place.steps), f"; it belongs in {file.name}: {place.holding(key)}")
        for file in others
        for place in _only(key, file.schema, file.flat)[:1]
    ]
    return min(hints, key=lambda hint: hint[0], default=(0, ""))[1]


def _at_the_top_of(key: str, others: Sequence[OtherFile]) -> str:
    """The file of another kind that has the key at its top."""
    files = (file.name for file in others if key in known_keys(file.schema, file.flat))
    return next((f"; it belongs in {name}" for name in files), "")


def _near_the_top_of(key: str, others: Sequence[OtherFile]) -> str:
    """The file of another kind that has one mapping with the key at its top."""
    for file in others:
        level = next(iter(places_below(file.schema, file.flat)))
        places = [place for place in level if key in place.keys and place.has_keys_only]
        if len(places) == 1:
            return f"; it belongs in {file.name}: {places[0].holding(key)}"
    return ""


def _only(key: str, schema: JsonObject, flat: Flat) -> list[KeyPlace]:
    """The places for a key, the highest first, unless it means something else in each."""
    places = [place for level in places_below(schema, flat) for place in level if key in place.keys]
    return places if len({place.parent for place in places}) == 1 else []


def _is_open(place: KeyPlace, above: Sequence[tuple[str, JsonObject]], flat: Flat) -> bool:
    """Whether the place can be beside where we are: not so in another branch of a union."""
    steps = [step for step in place.steps if step != LIST]
    for step, (name, schema) in zip(steps, above, strict=False):
        if step != name:
            return step in known_keys(schema, flat)
    return True


def _in_words_of(word: str, others: Sequence[OtherFile]) -> str:
    """The key of another kind of file for another product's word."""
    for file in others:
        if (ours := our_word(word, known_keys(file.schema, file.flat))) is not None:
            return f'; did you mean "{ours}", in {file.name}?'
    return ""
