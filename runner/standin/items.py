"""Ids, and the order of the conversation's items as the API keeps it. Pure."""

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
"""An event of the API, ready to be written as JSON."""

Item = dict[str, Any]
"""An item of the conversation, in the API's own fields."""


@dataclass(slots=True)
class Ids:
    """Makes ids that look like the API's, count upwards, and so are the same in every run."""

    call: str
    _counts: dict[str, int] = field(default_factory=dict)

    def new(self, kind: str) -> str:
        """The next id of this kind: `event`, `item`, `resp`, `call`."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}_{self.call}{self._counts[kind]:05d}"


@dataclass(slots=True)
class Items:
    """The items of one conversation, in order."""

    _all: dict[str, Item] = field(default_factory=dict)
    """By id. A dict keeps the order in which they were added."""

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Put an item at the end, or after another; the result is the id of the one before it."""
        before = self.last_id if after is None else after
        if after is None or after == self.last_id:
            self._all[item["id"]] = item
            return before
        entries = list(self._all.items())
        position = 0 if after == "root" else list(self._all).index(after) + 1
        entries.insert(position, (item["id"], item))
        self._all = dict(entries)
        return None if after == "root" else after

    def get(self, item_id: str) -> Item | None:
        """The item of this id."""
        return self._all.get(item_id)

    def remove(self, item_id: str) -> None:
        """Take an item out of the conversation."""
        del self._all[item_id]

    def before(self, item_id: str) -> str | None:
        """The id of the item before this one, or None for the first."""
        ids = list(self._all)
        index = ids.index(item_id) if item_id in self._all else 0
        return ids[index - 1] if index else None

    @property
    def last_id(self) -> str | None:
        """The id of the item at the end."""
        return next(reversed(self._all), None)
