"""Keeps the last events of one followed call, for any number of readers, each with a place of its own.

Bounded: a reader that is too slow loses its place and starts again with a snapshot.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from secrets import token_hex

from runner.model.values import JsonObject

MOST_ENTRIES = 1000
MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event, encoded once for all readers."""

    seq: int
    name: str
    data: str


class EventLog:
    """The last events. `seq` counts from 1; the place before all events is 0."""

    def __init__(self, *, most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES) -> None:
        self.epoch = token_hex(8)
        """Differs for each log, so that places in another one mean nothing here."""
        self.last = 0
        """The place of the last event."""
        self.is_closed = False
        self._entries: deque[LoggedEvent] = deque()
        self._bytes = 0
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._grown = asyncio.Event()

    def append(self, name: str, data: JsonObject) -> None:
        self.last += 1
        entry = LoggedEvent(self.last, name, json.dumps(data))
        self._entries.append(entry)
        self._bytes += len(entry.data)
        while len(self._entries) > self._most_entries or self._bytes > self._most_bytes:
            self._bytes -= len(self._entries.popleft().data)
        self._wake()

    def close(self) -> None:
        """There are no further events."""
        self.is_closed = True
        self._wake()

    def after(self, seq: int) -> list[LoggedEvent] | None:
        """The events after a place; None where some of them are gone, or the place is unknown."""
        first = self._entries[0].seq if self._entries else self.last + 1
        if not first - 1 <= seq <= self.last:
            return None
        return [self._entries[index] for index in range(seq - first + 1, len(self._entries))]

    def place(self, event_id: str | None) -> int | None:
        """The place that an event's id (`EPOCH.SEQ`) names; None where it names none of this log."""
        seq = seq_of(event_id, self.epoch)
        return seq if seq is not None and self.after(seq) is not None else None

    def event_id(self, seq: int) -> str:
        """The id of the event at a place."""
        return f"{self.epoch}.{seq}"

    async def grown(self, seq: int, within_s: float) -> None:
        """Wait until there is an event after this place or the log is closed, at most this long."""
        if self.last > seq or self.is_closed:
            return
        grown = self._grown
        try:
            async with asyncio.timeout(within_s):
                await grown.wait()
        except TimeoutError:
            return

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()


def seq_of(event_id: str | None, epoch: str) -> int | None:
    """The number in an event's id (`EPOCH.SEQ`); None where it is of another epoch, or no such id."""
    its_epoch, _, seq = (event_id or "").partition(".")
    if its_epoch != epoch or not (seq.isascii() and seq.isdecimal()) or len(seq) > 12:
        return None
    return int(seq)
