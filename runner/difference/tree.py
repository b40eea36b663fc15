"""Compares two JSON trees: paths that were added, removed or changed. Knows nothing of agents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from runner.model.values import Json, JsonObject


class Absent(Enum):
    """Stands for a missing value, which is not the same as null."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path whose value differs."""

    path: tuple[str, ...]
    """Keys; an entry of a list is named by its `name` or `label`, or counted from 1 as `[1]`."""
    old: Json
    """ABSENT when the path is new."""
    new: Json
    """ABSENT when the path is gone."""


def changes(old: Json, new: Json, path: tuple[str, ...] = ()) -> Iterator[Change]:
    """Every difference, in the order of the keys of `new` with removed keys after them.

    Whatever is added or removed is one change, however much is in it. A list of mappings is compared entry by
    entry, any other list as a whole: for `enum: [a, b]` a change of the second entry alone says too little.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from changes(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif _has_entries(old, new):
        name_of = _own_name if _are_named(old) and _are_named(new) else _position
        olds, news = (
            {name_of(entry, position): entry for position, entry in enumerate(side, 1)} for side in (old, new)
        )
        yield from changes(olds, news, path)
        common = [[name for name in one if name in other] for one, other in ((olds, news), (news, olds))]
        if common[0] != common[1]:
            yield Change(path=(*path, "order"), old=common[0], new=common[1])
    elif not _same(old, new):
        yield Change(path=path, old=old, new=new)


def _has_entries(old: Json, new: Json) -> bool:
    """Whether these are two lists of mappings, one of which may be empty."""
    if not (_is_list(old) and _is_list(new)):
        return False
    entries = [*old, *new]
    return bool(entries) and all(isinstance(entry, Mapping) for entry in entries)


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _are_named(entries: Sequence[JsonObject]) -> bool:
    """Whether every entry has a name of its own."""
    names = [_own_name(entry, 0) for entry in entries]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _own_name(entry: JsonObject, _: int) -> Json:
    return entry.get("name", entry.get("label"))


def _position(_: JsonObject, position: int) -> Json:
    return f"[{position}]"


def _same(old: Json, new: Json) -> bool:
    """Equal as JSON: in Python `True` is 1, and to the model it is not."""
    if isinstance(old, bool) is not isinstance(new, bool):
        return False
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if _is_list(old) and _is_list(new):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)
