"""The event streams: of all calls of the fleet, and of one call wherever it is served."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Protocol

from runner.errors import StoreError
from runner.model.stored_call import StoredCall
from runner.model.values import Instant, Json
from runner.serve.admin.access import Identity
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.peers import PeerError, Peers
from runner.serve.admin.problem import not_found
from runner.serve.live_call import LiveCall

log = logging.getLogger("runner.serve.admin.streams")

TICK_S = 0.25
"""Between two looks at all calls."""
PEERS_S = 2.0
"""Between two looks for other runners."""
FIRST_S = 1.0
"""For other runners to send their calls; then the first snapshot goes out without the late ones."""
LOOK_S = 1.0
"""Between two checks whether the reader of a quiet stream has left."""
ASK_AGAIN_S = 10.0
"""Between two checks whether the reader may still read."""
AGAIN_S = 0.25
"""Before a call between two runners is looked for again."""
BETWEEN_S = 45.0
"""How long a call may be between two runners; more than a lease, and the store's own pauses."""


class Send(Protocol):
    """Sends one event. Raises ConnectionResetError when the reader has left."""

    async def __call__(self, name: str, data: str, event_id: str) -> None:
        """Send it."""


class Records(Protocol):
    """The records of calls that are over."""

    async def read(self, call_id: str) -> StoredCall | None:
        """One call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
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


class Streams:
    """Serves all streams of this process."""

    def __init__(
        self,
        followed: FollowedCalls,
        peers: Peers,
        records: Records,
        agents: Callable[[], list[str]],
        clock: Callable[[], Instant],
    ) -> None:
        self._followed = followed
        self._peers = peers
        self._records = records
        self._agents = agents
        self._clock = clock

    # All calls

    async def all_calls(self, reader: Reader, send: Send) -> None:
        """Send the calls of the fleet until the reader leaves."""
        fleet = _Fleet(self._followed, self._clock)
        others = _Others(self._peers, reader, fleet)
        try:
            if not reader.is_forwarded:
                await others.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(FIRST_S):
                        await others.told()
            fleet.look()
            fleet.take()
            snapshot = {
                "now": self._clock(),
                "by": reader.identity.by,
                "may": reader.identity.may.value,
                "agents": self._agents(),
                "runners": [self._followed.runner, *others.runners],
                "calls": fleet.rows(),
            }
            await send("snapshot", json.dumps(snapshot), fleet.next_id())
            patience, looked = _Patience(reader), asyncio.get_running_loop().time()
            while True:
                await asyncio.sleep(TICK_S)
                patience.check()
                now = asyncio.get_running_loop().time()
                if now - looked >= PEERS_S and not reader.is_forwarded:
                    looked = now
                    await others.look()
                fleet.look()
                changed, gone = fleet.take()
                if changed:
                    data = {"now": self._clock(), "calls": changed}
                    await send("calls", json.dumps(data), fleet.next_id())
                for each in gone:
                    await send("gone", json.dumps(each), fleet.next_id())
        finally:
            await others.close()

    # One call

    async def find(self, call_id: str, reader: Reader) -> None:
        """Raises AdminProblem when there is no such live call, nor a record of it."""
        if self._followed.call(call_id) is not None:
            return
        if not reader.is_forwarded and (await self._peers.is_live(call_id) or await self._record(call_id)):
            return
        raise not_found(f'there is no live call "{call_id}"')

    async def one_call(self, call_id: str, reader: Reader, send: Send) -> None:
        """Send the events of a call until it is over, whichever runner serves it."""
        last_id, unseen_since = reader.last_event_id, asyncio.get_running_loop().time()
        patience = _Patience(reader)
        while True:
            call = self._followed.call(call_id)
            if call is not None:
                if await self._local(call, last_id, reader, patience, send):
                    return
                last_id, unseen_since = None, asyncio.get_running_loop().time()
                continue
            if reader.is_forwarded:
                return
            patience.check()
            owner = await self._peers.owner(call_id)
            if owner is not None:
                headers = (
                    dict(reader.headers) if last_id is None else {**reader.headers, "Last-Event-ID": last_id}
                )
                try:
                    async for event in self._peers.follow(owner.address, headers, {"call": call_id}):
                        unseen_since = asyncio.get_running_loop().time()
                        await send(event.name, event.data, event.id)
                        if event.name == "ended":
                            return
                except PeerError as error:
                    log.info(
                        "stream of another runner has ended",
                        extra={"call_id": call_id, "runner": owner.runner, "reason": str(error)},
                    )
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
        self, call: LiveCall, last_id: str | None, reader: Reader, patience: "_Patience", send: Send
    ) -> bool:
        """Returns whether the call has ended here; otherwise it has moved to another runner."""
        with self._followed.following(call) as followed:
            place = followed.log.place(last_id)
            while True:
                entries = followed.log.after(place) if place is not None else None
                if entries is None:
                    call_now = followed.snapshot()
                    place = followed.log.last
                    snapshot = {
                        "now": self._clock(),
                        "by": reader.identity.by,
                        "may": reader.identity.may.value,
                        "call": call_now,
                    }
                    await send("snapshot", json.dumps(snapshot), followed.log.event_id(place))
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
            return await self._records.read(call_id)
        except StoreError:
            return None


class _Patience:
    """Checks now and then whether the reader is still there."""

    def __init__(self, reader: Reader) -> None:
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


@dataclass(slots=True)
class _Fleet:
    """The rows of all runners as one reader has got them, and the changes since."""

    followed: FollowedCalls
    clock: Callable[[], Instant]
    _rows: dict[str, dict[str, Json]] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)
    _gone: dict[str, dict[str, Json]] = field(default_factory=dict)
    _epoch: str = field(default_factory=lambda: token_hex(8))
    _seq: int = 0

    def rows(self) -> list[Json]:
        """All rows, the oldest call first."""
        return sorted(self._rows.values(), key=lambda row: (row["created_at"], row["id"]))

    def next_id(self) -> str:
        """The id of the next event. Nobody resumes from it: a snapshot of all calls is as good."""
        self._seq += 1
        return f"{self._epoch}.{self._seq}"

    def look(self) -> None:
        """Read the calls of this process."""
        self.replace(self.followed.runner, self.followed.rows(), self.followed.end_of)

    def replace(
        self,
        runner: str,
        rows: Mapping[str, dict[str, Json]],
        end_of: Callable[[str], dict[str, Json]] | None = None,
    ) -> None:
        """Replace all calls of a runner."""
        for row in rows.values():
            self.put(row)
        for call_id in [
            key for key, row in self._rows.items() if row["runner"] == runner and key not in rows
        ]:
            self.remove(runner, end_of(call_id) if end_of is not None else self._unknown_end(call_id))

    def put(self, row: dict[str, Json]) -> None:
        """Add a call, or change it."""
        if self._rows.get(row["id"]) != row:
            self._rows[row["id"]] = row
            self._changed.add(row["id"])
            self._gone.pop(row["id"], None)

    def remove(self, runner: str, end: dict[str, Json]) -> None:
        """Remove a call of a runner. Another may have it by now."""
        row = self._rows.get(end["id"])
        if row is not None and row["runner"] == runner:
            del self._rows[end["id"]]
            self._changed.discard(end["id"])
            self._gone[end["id"]] = end

    def take(self) -> tuple[list[Json], list[dict[str, Json]]]:
        """The changes since the last call: rows, and calls that are gone."""
        changed = [self._rows[call_id] for call_id in self._rows if call_id in self._changed]
        gone = list(self._gone.values())
        self._changed.clear()
        self._gone.clear()
        return changed, gone

    def _unknown_end(self, call_id: str) -> dict[str, Json]:
        return {"now": self.clock(), "id": call_id, "ended": None, "ended_at": None}


class _Others:
    """Follows the other runners for one reader."""

    def __init__(self, peers: Peers, reader: Reader, fleet: _Fleet) -> None:
        self._peers = peers
        self._reader = reader
        self._fleet = fleet
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, asyncio.Event] = {}

    @property
    def runners(self) -> list[str]:
        """The runners that are followed."""
        return list(self._tasks)

    async def look(self) -> None:
        """Follow runners that have joined, and drop those that have left."""
        others = {each.id: str(each.address) for each in await self._peers.others()}
        for runner in self._tasks.keys() - others.keys():
            await _cancel(self._tasks.pop(runner))
            del self._told[runner]
            self._fleet.replace(runner, {})
        for runner, address in others.items():
            task = self._tasks.get(runner)
            if task is None or task.done():
                self._told.setdefault(runner, asyncio.Event())
                self._tasks[runner] = asyncio.create_task(
                    self._follow(runner, address), name=f"calls of {runner}"
                )

    async def told(self) -> None:
        """Wait until each of them has sent its calls."""
        for event in list(self._told.values()):
            await event.wait()

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks.values():
            await _cancel(task)

    async def _follow(self, runner: str, address: str) -> None:
        try:
            async for event in self._peers.follow(address, self._reader.headers, {}):
                data = json.loads(event.data)
                match event.name:
                    case "snapshot":
                        self._fleet.replace(runner, {row["id"]: row for row in data["calls"]})
                        self._told[runner].set()
                    case "calls":
                        for row in data["calls"]:
                            self._fleet.put(row)
                    case "gone":
                        self._fleet.remove(runner, data)
                    case _:
                        pass
        except (PeerError, ValueError, KeyError, TypeError) as error:
            log.info(
                "calls of another runner are not followed", extra={"runner": runner, "reason": str(error)}
            )
            self._told[runner].set()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
