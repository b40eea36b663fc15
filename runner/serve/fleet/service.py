"""Runs what makes this process one of several, or the successor of one that was killed."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias
from uuid import uuid4

from runner.errors import JournalError, StoreError
from runner.model.call import Ringing
from runner.model.live_call import HeldCall, Lease, RunnerInfo
from runner.model.values import Instant
from runner.serve.background import Background
from runner.serve.fleet.call_journal import CallJournal
from runner.serve.fleet.hold import CallHold
from runner.serve.fleet.journal_writer import JournalWriter
from runner.serve.fleet.late_tool_calls import LateToolCalls
from runner.serve.fleet.lease_keeper import LeaseKeeper
from runner.serve.fleet.member import Member
from runner.serve.fleet.takeover import LeftCall, Takeover
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.versions import Versions
from runner.store.adoption import ADOPT_S
from runner.store.journal.piece_spool import PieceSpool
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import SealedEntries
from runner.store.store import Store

log = logging.getLogger("runner.serve.fleet")

SWEEP_S = 3600.0
"""Between two deletions of what no live call needs any more."""
HAND_OVER_S = 5.0
"""For other runners to take our calls when we end."""


ServeLeftCall: TypeAlias = Callable[[LeftCall, CallHold], None]
"""Makes a live call of one that another process has left, and serves it from now on."""


class FleetService:
    """This process among the runners of its store."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        versions: Versions,
        live_calls: LiveCalls,
        metrics: Metrics,
        *,
        version: str,
        name: str | None = None,
        dead: str | None = None,
        clock: Callable[[], Instant],
        lease_s: float,
        heartbeat_s: float,
        spool: PieceSpool | None = None,
    ) -> None:
        """`dead` is the name of a runner that is certain to be dead. Journals wait in `spool` for an absent
        store.
        """
        info = RunnerInfo(
            id=name or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}",
            version=version,
            configuration=versions.current.source.hash,
        )
        self._dead = dead
        self._store = store
        self._versions = versions
        self._live_calls = live_calls
        self._metrics = metrics
        self.keeper = LeaseKeeper(store, info, lease_s=lease_s, heartbeat_s=heartbeat_s)
        self.member = Member(store, self.keeper, self, takeover_s=heartbeat_s / 4)
        self._writer = JournalWriter(
            store,
            seal,
            lambda: self.keeper.lease,
            spool=spool,
            claims=self.keeper.calls,
            on_written=metrics.note_journal_batch,
        )
        metrics.journal_behind.set_function(lambda: self._writer.behind_bytes)
        metrics.journal_lag_seconds.set_function(lambda: self._writer.lag_s)
        self._takeover = Takeover(store, seal, versions, clock)
        self._late = LateToolCalls(store, seal, live_calls.find)
        self._published: str | None = None
        self._serve_left: ServeLeftCall | None = None
        self._lease = Background("lease", self.keeper.run)
        self._journal = Background("journal", self._writer.run)
        self._taking_over = Background("takeover", self.member.run)
        self._sweeping = Background("sweeping", self._sweep)
        self._adopting = Background("adopting journals", self._adopt)
        self._work = (self._lease, self._taking_over, self._journal, self._sweeping, self._adopting)

    def reached_at(self, address: str) -> None:
        """Set where other runners reach the admin API of this one. Call it before `start`."""
        self.keeper.info = replace(self.keeper.info, address=address)

    def pages_reached_at(self, address: str) -> None:
        """Set where other runners pass on requests of pages. Call it before `start`."""
        self.keeper.info = replace(self.keeper.info, page_address=address)

    async def start(self, serve_left: ServeLeftCall) -> None:
        """Join the runners, and take over at once the calls that a process before us has left.

        Raises CannotRunError and StoreError.
        """
        self._serve_left = serve_left
        await self.keeper.join()
        await self._writer.recover()
        if self._dead is not None:
            # Only now: what it could not write must be in its calls' journals before others take them.
            await self._store.leave(Lease(runner=self._dead, epoch=0))
        await self._publish()
        # To take thousands of calls over may last longer than a lease, and each is served at once.
        for work in (self._lease, self._journal):
            work.start()
        try:
            await self.member.take_over()
        except BaseException:
            await self.close()
            raise
        for work in (self._taking_over, self._sweeping, self._adopting):
            work.start()

    async def hold(self, ringing: Ringing) -> CallHold:
        """The hold on a call that begins to ring."""
        configuration = self._versions.current.source.hash
        if configuration != self._published:
            await self._publish()
        return CallHold(
            self.member,
            CallJournal(self._writer, ringing.call_id),
            ringing,
            configuration=configuration,
        )

    async def has_others(self) -> bool:
        """Whether another runner could take our calls, as far as the store says."""
        try:
            async with asyncio.timeout(HAND_OVER_S):
                return await self.member.has_others()
        except (TimeoutError, StoreError):
            return False

    async def hand_over(self) -> None:
        """Let other runners take our live calls at once. Does nothing when no other stays."""
        calls = self._live_calls.ids()
        try:
            async with asyncio.timeout(HAND_OVER_S):
                await self.member.retire()
                # A call that was ringing may have been answered by now.
                calls = self._live_calls.ids()
                if not calls or not await self.member.has_others():
                    return
                log.info("calls are handed over", extra={"calls": len(calls)})
                await self._writer.written()
                await self._live_calls.hand_over(calls)
                # What happens to them meanwhile belongs in their journals too.
                await self._writer.written()
                await self.member.hand_over(calls)
        except (TimeoutError, StoreError) as error:
            if calls:
                log.error("calls are not handed over", extra={"error": str(error) or "no answer in time"})

    async def take_back(self) -> None:
        """Serve the calls that nobody serves, if no other runner stays: runners that are told to end at the
        same moment may hand their calls to each other.
        """
        try:
            async with asyncio.timeout(HAND_OVER_S):
                # Each says that it ends before it looks: so one of them sees what is left.
                if self.keeper.trouble is not None or await self.member.has_others():
                    return
                while self.keeper.may_act and not self.keeper.was_paused and await self.member.take_over():
                    pass
                for call in list(self.keeper.calls):
                    await self.member.has(call.id)  # once it is served, or cannot be
        except (TimeoutError, StoreError) as error:
            log.error("calls are not taken back", extra={"error": str(error) or "no answer in time"})

    async def close(self) -> None:
        """Write what waits, and leave the runners."""
        for work in self._work:
            await work.stop()
        await self._writer.close()
        await self.keeper.leave()

    @property
    def troubles(self) -> list[str]:
        """What is wrong, each in a sentence."""
        failed = [work.trouble for work in self._work if work.trouble is not None]
        if self.keeper.trouble is not None:
            failed.append(f"the store cannot be asked who serves which call: {self.keeper.trouble}")
        if self.member.clock_trouble is not None:
            failed.append(f"calls of other runners are not taken over: {self.member.clock_trouble}")
        if self._writer.trouble is not None:
            behind = f"{self._writer.behind_bytes} bytes wait"
            failed.append(f"journals cannot be written: {self._writer.trouble}; {behind}")
        return failed

    # Taker

    async def journals(self, calls: Sequence[HeldCall]) -> Mapping[str, Sequence[SealedEntries]]:
        """Read what these calls have lived through."""
        return await self._takeover.journals(calls)

    def take_over(self, call: HeldCall, journal: Sequence[SealedEntries]) -> None:
        """Serve a call that another process has left. Raises JournalError where nobody here could."""
        left = self._takeover.restore(call, journal)
        if left is None or self._serve_left is None:
            raise JournalError(f'neither its journal nor its agent "{call.agent}" is usable here')
        self._metrics.takeovers.labels(journal="none" if left.journal is None else "replayed").inc()
        writer = None
        if left.journal is not None:
            writer = CallJournal(self._writer, call.id, left.journal.next_seq, left.journal.key)
        hold = CallHold(self.member, writer, left.ringing, configuration=call.configuration, is_held=True)
        self._serve_left(left, hold)

    async def take_up_late(self, late: Sequence[SealedEntries]) -> list[SealedEntries]:
        """Carry out what runners before this one have come to know of its calls and could not write down."""
        return await self._late.take_up(late)

    def drop(self, call_id: str) -> None:
        """Another runner serves this call."""
        self._live_calls.drop(call_id)

    async def _publish(self) -> None:
        source = self._versions.current.source
        if self.keeper.lease is None:
            return
        try:
            await self._store.publish(self.keeper.lease, source.hash, source.encoded().decode())
            self._published = source.hash
        except StoreError as error:
            log.warning("configuration was not stored", extra={"hash": source.hash, "error": str(error)})

    async def _adopt(self) -> None:
        while True:
            await asyncio.sleep(ADOPT_S)
            # What the store does not take now stays in the file.
            with suppress(StoreError):
                await self._writer.adopt()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._store.sweep()
            except StoreError as error:
                log.warning("store cleanup failed", extra={"error": str(error)})
