"""The rows of live calls, whichever runner serves them, and what changed after which place. No I/O.

Conflated: each row is kept once, under the place of its last change. So a reader that is slow or comes back
gets each changed row once, and costs no memory.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from secrets import token_hex

from runner.model.values import Instant, Json
from runner.serve.admin.event_log import seq_of

Row = dict[str, Json]

MOST_GONE = 1000
"""Ends of calls kept for readers that come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has changed after a place."""

    upto: int
    """The place after all of these changes."""
    rows: list[Row]
    """Rows that are new or have changed."""
    gone: list[Row]
    """The ends of calls that are gone."""
    runners: bool
    """Whether a runner has joined or left, or its reachability has changed."""


@dataclass(slots=True)
class _Entry:
    """A row, or the end of a call, and the place of its last change."""

    seq: int
    data: Row


class CallRows:
    """The rows. `last` counts changes; the place before all of them is 0."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self.epoch = token_hex(8)
        """Differs for each list, so that places in another one mean nothing here."""
        self.last = 0
        """The place of the last change."""
        self._clock = clock
        self._rows: OrderedDict[str, _Entry] = OrderedDict()
        self._gone: OrderedDict[str, _Entry] = OrderedDict()
        self._forgotten = 0
        """The place of the last end that was forgotten."""
        self._runners_at = 0

    # For readers

    def all(self) -> list[Row]:
        """All rows, the oldest call first."""
        rows = (entry.data for entry in self._rows.values())
        return sorted(rows, key=lambda row: (row["created_at"], row["id"]))

    def after(self, seq: int) -> Changes | None:
        """The changes after a place; None where some are forgotten, or the place is unknown."""
        if not self._forgotten <= seq <= self.last:
            return None
        return Changes(
            upto=self.last,
            rows=_after(self._rows, seq),
            gone=_after(self._gone, seq),
            runners=self._runners_at > seq,
        )

    def place(self, event_id: str | None) -> int | None:
        """The place that an event's id (`EPOCH.SEQ`) names; None where this list has no such place."""
        seq = seq_of(event_id, self.epoch)
        return seq if seq is not None and self._forgotten <= seq <= self.last else None

    def event_id(self, seq: int) -> str:
        """The id of the event at a place."""
        return f"{self.epoch}.{seq}"

    # From runners

    def replace(
        self,
        runner: str,
        rows: Mapping[str, Row],
        end_of: Callable[[str], Row] | None = None,
    ) -> None:
        """Replace all calls of a runner."""
        for row in rows.values():
            self.put(row)
        for call_id in [
            key for key, entry in self._rows.items() if entry.data["runner"] == runner and key not in rows
        ]:
            self.remove(runner, end_of(call_id) if end_of is not None else self._unknown_end(call_id))

    def put(self, row: Row) -> None:
        entry = self._rows.get(row["id"])
        if entry is None or entry.data != row:
            self._rows[row["id"]] = _Entry(self._next(), row)
            self._rows.move_to_end(row["id"])
            self._gone.pop(row["id"], None)

    def remove(self, runner: str, end: Row) -> None:
        """Remove a call of a runner. Another may have it by now."""
        entry = self._rows.get(end["id"])
        if entry is None or entry.data["runner"] != runner:
            return
        del self._rows[end["id"]]
        self._gone[end["id"]] = _Entry(self._next(), end)
        while len(self._gone) > MOST_GONE:
            self._forgotten = self._gone.popitem(last=False)[1].seq

    def runners_changed(self) -> None:
        """Note that a runner has joined or left, or that its reachability has changed."""
        self._runners_at = self._next()

    def _next(self) -> int:
        self.last += 1
        return self.last

    def _unknown_end(self, call_id: str) -> Row:
        return {"now": self._clock(), "id": call_id, "ended": None, "ended_at": None}


def _after(entries: OrderedDict[str, _Entry], seq: int) -> list[Row]:
    """In the order of their last change."""
    newest_first = takewhile(lambda entry: entry.seq > seq, reversed(entries.values()))
    return [entry.data for entry in newest_first][::-1]
