"""The list of live calls that readers follow: the rows of all runners, and what changed after which place.

Conflated: each row is kept once, under the place of its last change. So a reader that is slow or comes back
gets each changed row once, and costs no memory.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from secrets import token_hex

from runner.model.values import Instant, Json
from runner.serve.admin.event_log import seq_of
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.peers import PeerError, Peers

log = logging.getLogger("runner.serve.admin.fleet_feed")

Row = dict[str, Json]

LOOK_S = 0.2
"""Between two reads of the calls of this process, for all readers together."""
RUNNERS_S = 2.0
"""Between two looks for other runners."""
FIRST_S = 1.0
"""For other runners to send their calls; then the first snapshot goes out without the late ones."""
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


class FleetFeed:
    """The rows. `last` counts changes; the place before all of them is 0."""

    def __init__(self, followed: FollowedCalls, peers: Peers | None, clock: Callable[[], Instant]) -> None:
        """Without `peers` it has only the calls of this process."""
        self.epoch = token_hex(8)
        """Differs for each feed, so that places in another one mean nothing here."""
        self.last = 0
        """The place of the last change."""
        self._followed = followed
        self._clock = clock
        self._rows: OrderedDict[str, _Entry] = OrderedDict()
        self._gone: OrderedDict[str, _Entry] = OrderedDict()
        self._forgotten = 0
        """The place of the last end that was forgotten."""
        self._runners_at = 0
        self._looked_at = float("-inf")
        self._others = _Others(peers, self) if peers is not None else None
        self.readers: list[Mapping[str, str]] = []
        """The headers of each reader; requests to other runners use those of the newest."""

    # For readers

    def rows(self) -> list[Row]:
        """All rows, the oldest call first."""
        rows = (entry.data for entry in self._rows.values())
        return sorted(rows, key=lambda row: (row["created_at"], row["id"]))

    @property
    def runners(self) -> list[str]:
        """The runners of the fleet, this one first."""
        return [self._followed.runner, *(self._others.runners if self._others is not None else ())]

    @property
    def missing(self) -> list[str]:
        """The runners that cannot be reached: their calls are shown as they last were, if at all."""
        return self._others.missing if self._others is not None else []

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
        """The place that an event's id (`EPOCH.SEQ`) names; None where this feed has no such place."""
        seq = seq_of(event_id, self.epoch)
        return seq if seq is not None and self._forgotten <= seq <= self.last else None

    def event_id(self, seq: int) -> str:
        """The id of the event at a place."""
        return f"{self.epoch}.{seq}"

    # Looking

    def look(self) -> None:
        """Read the calls of this process."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self.replace(self._followed.runner, self._followed.rows(), self._followed.end_of)

    async def look_for_runners(self) -> None:
        """Follow the current other runners."""
        if self._others is not None:
            await self._others.look()

    async def wait_for_others(self) -> None:
        """Wait until the other runners have sent their calls, for a limited time."""
        if self._others is not None:
            await self._others.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_S):
                    await self._others.wait()

    async def pause(self) -> None:
        """Stop following while there are no readers."""
        if self._others is not None:
            await self._others.close()

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
        """Add a call, or change it."""
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


class _Others:
    """Follows the other runners while there are readers."""

    def __init__(self, peers: Peers, feed: FleetFeed) -> None:
        self._peers = peers
        self._feed = feed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._first_words: dict[str, asyncio.Event] = {}
        self._known: tuple[str, ...] = ()
        self._missing: set[str] = set()
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    @property
    def runners(self) -> list[str]:
        """The runners that are followed."""
        return list(self._known)

    @property
    def missing(self) -> list[str]:
        """The runners that do not send their calls."""
        return sorted(self._missing)

    async def look(self) -> None:
        """Follow runners that have joined, and drop those that have left."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at >= RUNNERS_S:
                self._looked_at = now
                await self._look()

    async def _look(self) -> None:
        others = {each.id: each.address for each in await self._peers.others()}
        for runner in self._tasks.keys() - others.keys():
            await _cancel(self._tasks.pop(runner))
            self._first_words.pop(runner, None)
        for runner in set(self._known) - others.keys():
            self._feed.replace(runner, {})
        if tuple(others) != self._known:
            self._known = tuple(others)
            self._missing &= others.keys()
            self._feed.runners_changed()
        for runner, address in others.items():
            task = self._tasks.get(runner)
            if address is None:
                self._note_missing(runner)
            elif task is None or task.done():
                self._first_words.setdefault(runner, asyncio.Event())
                self._tasks[runner] = asyncio.create_task(
                    self._follow(runner, address), name=f"calls of {runner}"
                )

    async def wait(self) -> None:
        """Wait until each of them has sent its calls or cannot be reached. A late one is missing."""
        try:
            for event in list(self._first_words.values()):
                await event.wait()
        finally:
            for runner, event in self._first_words.items():
                if not event.is_set():
                    self._note_missing(runner)

    async def close(self) -> None:
        """Stop following."""
        self._looked_at = float("-inf")
        tasks, self._tasks = self._tasks, {}
        self._first_words.clear()
        await _cancel(*tasks.values())

    async def _follow(self, runner: str, address: str) -> None:
        first = self._first_words[runner]
        try:
            async for event in self._peers.follow(address, self._feed.readers[-1], {}):
                data = json.loads(event.data)
                match event.name:
                    case "snapshot":
                        self._feed.replace(runner, {row["id"]: row for row in data["calls"]})
                        self._note_present(runner)
                        first.set()
                    case "calls":
                        for row in data["calls"]:
                            self._feed.put(row)
                    case "gone":
                        self._feed.remove(runner, data)
                    case _:
                        pass
        except (PeerError, ValueError, KeyError, TypeError) as error:
            log.info(
                "calls of another runner are not followed", extra={"runner": runner, "reason": str(error)}
            )
            self._note_missing(runner)
            first.set()

    def _note_missing(self, runner: str) -> None:
        if runner not in self._missing:
            self._missing.add(runner)
            self._feed.runners_changed()

    def _note_present(self, runner: str) -> None:
        if runner in self._missing:
            self._missing.discard(runner)
            self._feed.runners_changed()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
