"""The event streams: of all calls of the fleet, and of one call wherever it is served."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from runner.errors import StoreError
from runner.model.stored_call import StoredCall
from runner.model.values import Instant, JsonObject
from runner.serve.admin.access import Identity
from runner.serve.admin.call_rows import Changes
from runner.serve.admin.fleet_feed import FleetFeed
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.json_in_turns import encode_in_turns
from runner.serve.admin.peers import AdminPeers, PeerError
from runner.serve.admin.problem import not_found
from runner.serve.forwarding import AGAIN_S
from runner.serve.live_call import LiveCall
from runner.store.store import RecordStore

log = logging.getLogger("runner.serve.admin.streams")

TICK_S = 0.25
"""Between two looks at all calls."""
KEPT_S = 30.0
"""How long the list of all calls is kept after its last reader has left: readers come back."""
LOOK_S = 1.0
"""Between two checks whether the reader of a quiet stream has left."""
ASK_AGAIN_S = 10.0
"""Between two checks whether the reader may still read."""
BETWEEN_S = 45.0
"""How long a call may be between two runners; more than a lease, and the store's own pauses."""


Send: TypeAlias = Callable[[str, str, str], Awaitable[None]]
"""Sends one event: its name, data and id. Raises ConnectionResetError when the reader has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReader:
    """The reader of a stream."""

    identity: Identity
    headers: Mapping[str, str]
    """Headers for asking other runners in the reader's name."""
    is_forwarded: bool
    """Whether another runner reads: it wants only this runner's calls."""
    last_event_id: str | None
    may_still: Callable[[], bool]
    """Whether the reader's token or session is still valid."""
    is_there: Callable[[], bool]
    """Whether the reader's connection is still open."""


class ReaderGoneError(Exception):
    """The reader has left, or may read no more."""


@dataclass(slots=True, eq=False)
class Streams:
    """Serves all streams of this process."""

    followed: FollowedCalls
    peers: AdminPeers
    records: RecordStore
    agents: Callable[[], list[str]]
    clock: Callable[[], Instant]
    _feeds: dict[str | None, FleetFeed] = field(default_factory=dict, init=False)

    # All calls

    async def all_calls(self, reader: FeedReader, send: Send) -> None:
        """Send the calls of the fleet until the reader leaves."""
        async with self._following(reader) as feed:
            place = feed.calls.place(reader.last_event_id)
            if place is None:
                await feed.wait_for_others()
            patience = _Patience(reader)
            while True:
                feed.look()
                changes = feed.calls.after(place) if place is not None else None
                if place is not None and changes is not None:
                    place = await self._tell(changes, feed, place, send)
                else:
                    place = feed.calls.last
                    snapshot = {
                        "now": self.clock(),
                        "by": reader.identity.by,
                        "may": reader.identity.may.value,
                        "agents": self.agents(),
                        "runners": feed.runners,
                        "missing": feed.missing,
                        "calls": feed.calls.all(),
                    }
                    await send("snapshot", json.dumps(snapshot), feed.calls.event_id(place))
                await asyncio.sleep(TICK_S)
                patience.check()
                await feed.look_for_runners()

    async def _tell(self, changes: Changes, feed: FleetFeed, place: int, send: Send) -> int:
        """Send changes. The reader is where it was until the last of them is read: twice does no harm."""
        now = self.clock()
        events: list[tuple[str, JsonObject]] = []
        if changes.runners:
            events.append(("runners", {"now": now, "runners": feed.runners, "missing": feed.missing}))
        if changes.rows:
            events.append(("calls", {"now": now, "calls": changes.rows}))
        events += [("gone", end) for end in changes.gone]
        for n, (name, data) in enumerate(events, 1):
            at = changes.upto if n == len(events) else place
            await send(name, json.dumps(data), feed.calls.event_id(at))
        return changes.upto

    @asynccontextmanager
    async def _following(self, reader: FeedReader) -> AsyncIterator[FleetFeed]:
        """The feed of all who read under one name. It is kept for a while when they are gone: they come back.

        Another name has another feed: what other runners tell was told to the holder of this one's token.
        """
        name = None if reader.is_forwarded else reader.identity.by
        feed = self._feeds.get(name)
        if feed is None:
            peers = None if reader.is_forwarded else self.peers
            feed = self._feeds[name] = FleetFeed(self.followed, peers, self.clock)
        feed.readers.append(reader.headers)
        try:
            yield feed
        finally:
            feed.readers.remove(reader.headers)
            if not feed.readers:
                asyncio.get_running_loop().call_later(KEPT_S, self._forget, name, feed)
                await feed.pause()

    def _forget(self, name: str | None, feed: FleetFeed) -> None:
        if not feed.readers and self._feeds.get(name) is feed:
            del self._feeds[name]

    # One call

    async def find(self, call_id: str, reader: FeedReader) -> None:
        """Raises AdminProblem when there is no such live call, nor a record of it."""
        if self.followed.call(call_id) is not None:
            return
        if not reader.is_forwarded and (await self.peers.is_live(call_id) or await self._record(call_id)):
            return
        raise not_found(f'there is no live call "{call_id}"')

    async def one_call(self, call_id: str, reader: FeedReader, send: Send) -> None:
        """Send the events of a call until it is over, whichever runner serves it."""
        last_id, unseen_since = reader.last_event_id, asyncio.get_running_loop().time()
        patience = _Patience(reader)
        unreachable: str | None = None
        while True:
            call = self.followed.call(call_id)
            if call is not None:
                if await self._local(call, last_id, reader, patience, send):
                    return
                last_id, unseen_since = None, asyncio.get_running_loop().time()
                continue
            if reader.is_forwarded:
                return
            patience.check()
            owner = await self.peers.owner(call_id)
            if owner is not None:
                headers = (
                    dict(reader.headers) if last_id is None else {**reader.headers, "Last-Event-ID": last_id}
                )
                try:
                    async for event in self.peers.follow(owner.address, headers, {"call": call_id}):
                        unseen_since = asyncio.get_running_loop().time()
                        await send(event.name, event.data, event.id)
                        if event.name == "ended":
                            return
                except PeerError as error:
                    # It may not answer until its calls are taken over, and is asked again and again.
                    if owner.runner != unreachable:
                        log.info(
                            "stream of another runner has ended",
                            extra={"call_id": call_id, "runner": owner.runner, "reason": str(error)},
                        )
                    unreachable = owner.runner
                last_id = None
            elif (stored := await self._record(call_id)) is not None:
                record = stored.record
                end = {
                    "id": call_id,
                    "ended": record.get("ended"),
                    "detail": record.get("detail", ""),
                    "ended_at": record.get("ended_at"),
                }
                await send("ended", json.dumps(end), "")
                return
            if asyncio.get_running_loop().time() - unseen_since > BETWEEN_S:
                return
            await asyncio.sleep(AGAIN_S)

    async def _local(
        self, call: LiveCall, last_id: str | None, reader: FeedReader, patience: "_Patience", send: Send
    ) -> bool:
        """Returns whether the call has ended here; otherwise it has moved to another runner."""
        with self.followed.following(call) as followed:
            place = followed.log.place(last_id)
            while True:
                entries = followed.log.after(place) if place is not None else None
                if entries is None:
                    place, call_now = await followed.snapshot()
                    snapshot = {
                        "now": self.clock(),
                        "by": reader.identity.by,
                        "may": reader.identity.may.value,
                        "call": call_now,
                    }
                    await send("snapshot", await encode_in_turns(snapshot), followed.log.event_id(place))
                    continue
                for entry in entries:
                    await send(entry.name, entry.data, followed.log.event_id(entry.seq))
                    place = entry.seq
                if followed.log.is_closed and place == followed.log.last:
                    return not followed.moved
                if not entries:
                    patience.check()
                    await followed.log.grown(place or 0, LOOK_S)

    async def _record(self, call_id: str) -> StoredCall | None:
        try:
            return await self.records.read(call_id)
        except StoreError:
            return None


class _Patience:
    """Checks now and then whether the reader is still there."""

    def __init__(self, reader: FeedReader) -> None:
        self._reader = reader
        self._asked_at = asyncio.get_running_loop().time()

    def check(self) -> None:
        """Raises ReaderGoneError when the reader has left, or may read no more."""
        if not self._reader.is_there():
            raise ReaderGoneError
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= ASK_AGAIN_S:
            self._asked_at = now
            if not self._reader.may_still():
                raise ReaderGoneError
