"""The ids that came last: the voice API may send an event twice, and the copy comes soon."""

from typing import Final

NO_IDS: Final[frozenset[str]] = frozenset()
"""Shared by all calls, most of which have no id of most kinds."""
MOST = 16
"""Ids that are remembered: a call of hours takes no more memory than one of minutes."""


class RecentIds:
    """The last ids of one kind in one call, e.g. of responses that have ended."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: tuple[str, ...] = ()
        """A tuple, which takes less room than a list, and none while it is empty."""

    def __contains__(self, one: str) -> bool:
        return one in self._ids

    def add(self, one: str) -> bool:
        """Remember this id. Whether it was not known."""
        if one in self._ids:
            return False
        self._ids = (*self._ids[1 - MOST :], one)
        return True
