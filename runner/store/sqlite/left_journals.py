"""The journals of calls that a process has left, as they were read from the log: in one piece of memory.

A full log has hundreds of thousands of pieces. As objects of their own they take three times the memory and
the time, while nobody serves the calls; so a journal is made of its pieces when its call's turn comes.
"""

from array import array
from collections.abc import Iterable

import orjson

from runner.store import rows
from runner.store.journal.sealed import SealedEntries

_NUMBERS = 4
"""Of a piece: its own, where it was written first, and where in memory it begins and ends."""


class LeftJournals:
    """The pieces of some calls' journals, until each journal is taken."""

    def __init__(self, call_ids: Iterable[str] = ()) -> None:
        self._wanted = {rows.column_text(call_id) for call_id in call_ids}
        self._since: dict[str, int] = {}
        """Where in the log each journal begins."""
        self._places: dict[str, array[int]] = {}
        """The pieces of each journal, `_NUMBERS` for each."""
        self._entries = bytearray()

    def __len__(self) -> int:
        """How many journals are not taken yet."""
        return len(self._wanted)

    def __contains__(self, call_id: str) -> bool:
        return rows.column_text(call_id) in self._wanted

    def begin(self, stored: Iterable[tuple[str, int, int, bytes]]) -> int | None:
        """Add rows of `journal`; returns from where on the log has more, None where it has not."""
        for call_id, first_seq, since, entries in stored:
            begin = len(self._entries)
            self._entries += entries
            places = self._places.setdefault(call_id, array("q"))
            places.extend((first_seq, since, begin, begin + len(entries)))
            if not first_seq:
                self._since[call_id] = since
        return min(self._since.values(), default=None)

    def add(self, upto: int, names: str, entries: bytes) -> None:
        """Add what is wanted of a row of the log."""
        at, begin = 0, len(self._entries)
        since, places, memory = self._since, self._places, self._entries
        for name in orjson.loads(names):
            call_id, size = name[0], name[2]
            if call_id in since:
                written = name[3] if len(name) > 3 else upto
                if written > since[call_id]:  # else of an earlier call with this id
                    memory += entries[at : at + size]
                    places[call_id].extend((name[1], written, begin, begin + size))
                    begin += size
            at += size

    def take(self, call_id: str) -> list[SealedEntries]:
        """The journal of a call in order; empty where there is none. It is gone from here."""
        numbers = [iter(self._places.get(rows.column_text(call_id), ()))] * _NUMBERS
        # Of a piece that was written several times the one that was written last, but not as a copy.
        last = {first_seq: (begin, end) for first_seq, _, begin, end in sorted(zip(*numbers, strict=True))}
        journal = [
            SealedEntries(call_id, first_seq, bytes(self._entries[begin:end]))
            for first_seq, (begin, end) in last.items()
        ]
        self.forget(call_id)
        return journal

    def forget(self, call_id: str) -> None:
        """This journal is about to change."""
        stored_id = rows.column_text(call_id)
        self._wanted.discard(stored_id)
        self._places.pop(stored_id, None)
        if not self._wanted:
            self._entries = bytearray()
