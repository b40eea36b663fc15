"""The calls of this process as one of the runners: claims them, gives them up, takes over those of others."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol

from runner.errors import CallLostError, ClockError, LeaseLostError, PhoneAgentsError, StoreError
from runner.model.live_call import CallState, Claim, ClaimLimits, HeldCall, Lease, Owner
from runner.serve.fleet.lease_keeper import LeaseKeeper
from runner.serve.fleet.unserved_calls import UnservedCalls
from runner.serve.latch import Latch
from runner.store.journal.sealed import SealedEntries
from runner.store.store import FleetStore

log = logging.getLogger("runner.serve.fleet.member")

CLAIM_S = 1.0
"""For the store to say whose a ringing call is; then the caller is answered without its word."""
TAKEOVER_S = 0.5
"""Between two looks for calls that nobody serves."""
BATCH = 32
"""Calls that are taken up together: their journals are read at once."""
TOGETHER = 2
"""Batches that are taken up at the same time: the journals of one are read while calls of the other begin."""


class MemberStore(FleetStore, Protocol):
    """What the store is asked here."""

    async def late(self, lease: Lease) -> list[SealedEntries]:
        """Pieces of journals that came after this runner had taken their calls over."""

    async def forget_late(self, lease: Lease, pieces: Sequence[SealedEntries]) -> None:
        """Delete those of these pieces whose calls this runner still has."""


class Taker(Protocol):
    """Takes up calls, and drops those that another runner has."""

    async def journals(self, calls: Sequence[HeldCall]) -> Mapping[str, Sequence[SealedEntries]]:
        """Read what these calls have lived through, by call. Raises StoreError."""

    def take_over(self, call: HeldCall, journal: Sequence[SealedEntries]) -> None:
        """Serve this call from now on."""

    async def take_up_late(self, late: Sequence[SealedEntries]) -> list[SealedEntries]:
        """Begin to make up for what other runners could not write of our calls; returns the pieces that are
        not needed any more. Raises StoreError.
        """

    def drop(self, call_id: str) -> None:
        """Another runner has it: no sound, no hang-up and no record."""


class Member:
    """One runner among those that share a store, as its calls see it. Keep `run` running."""

    def __init__(
        self,
        store: MemberStore,
        keeper: LeaseKeeper,
        taker: Taker,
        *,
        takeover_s: float = TAKEOVER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock_trouble: str | None = None
        """Why calls of other runners are not taken over."""
        self._store = store
        self.keeper = keeper
        self._calls = keeper.calls
        self._taker = taker
        self._takeover_s = takeover_s
        self._clock = clock
        self._unserved = UnservedCalls()
        self._taken: dict[str, Latch] = {}
        """Calls that were taken over and are not served yet; the latch is set once they are, or cannot be."""
        self._late_fails = False
        keeper.on_lost = self.lose

    async def run(self) -> None:
        """Take over calls without a runner, for as long as the process lives."""
        while True:
            await asyncio.sleep(self._takeover_s)
            # After a pause the store is asked first whose our own calls are.
            while self.keeper.may_act and not self.keeper.was_paused and await self.take_over():
                pass
            await self.take_up_late()

    # Claims

    async def claim(self, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None = None) -> Claim:
        """Claim a ringing call, and write its `ring`. Without the store it is ours until the store says
        otherwise: a caller who rings is answered.
        """
        if await self.has(call.id):
            # Announced again while we answer it: perhaps for a process that is gone.
            return Claim()
        claim = Claim(ours=call, is_written=False)
        try:
            if self.keeper.lease is not None:
                async with asyncio.timeout(CLAIM_S):
                    claim = await self._claim(self.keeper.lease, call, limits, ring)
        except (StoreError, TimeoutError) as error:
            self.keeper.note(error)
        if claim.ours is not None:
            self._calls.hold(claim.ours, is_confirmed=claim.is_written)
            self._unserved.forget(call.id)
        return claim

    async def _claim(
        self, lease: Lease, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None
    ) -> Claim:
        try:
            return await self._store.claim(lease, call, limits, ring)
        except LeaseLostError:
            # The store is there: a new lease is worth the time.
            return await self._store.claim(await self.keeper.next_lease(lease), call, limits, ring)

    async def has(self, call_id: str) -> bool:
        """Whether this process holds the call."""
        if (served := self._taken.get(call_id)) is not None:
            # Whether it can be served shows only now; otherwise this announcement may be its last.
            await served.wait()
        return call_id in self._calls

    async def answered(self, call_id: str, api_call_id: str | None = None) -> None:
        """The API has answered this call: from now on it is taken over when its runner is lost.

        `api_call_id` is the API's id of a call from a browser.
        """
        call = self._calls.held(call_id)
        if call is None:
            return
        call = replace(call, state=CallState.ANSWERED, api_call_id=api_call_id or call.api_call_id)
        self._calls.hold(call)
        try:
            if self.keeper.lease is not None:
                self._calls.confirm(call_id, await self._store.set_state(self.keeper.lease, call))
        except CallLostError:
            # A call claimed while the store was away may be unknown there, until it is asserted.
            if not self._calls.is_confirmed(call_id):
                self.keeper.doubt()
                await self.keeper.beat()
            elif not self.keeper.is_in_doubt:
                self.lose(call_id)
        except StoreError as error:
            self.keeper.note(error)

    async def unclaim(self, call_id: str) -> None:
        """The call was not answered: the runner that gets its next announcement may claim it."""
        call = self._calls.let_go(call_id)
        try:
            if call is not None and self.keeper.lease is not None:
                await self._store.unclaim(self.keeper.lease, call)
        except StoreError as error:
            self.keeper.note(error)

    def over(self, call_id: str) -> Owner | None:
        """The call is over: returns in whose name its record is saved. It is held until `forget`."""
        call = self._calls.held(call_id)
        return None if call is None else Owner(runner=self.keeper.info.id, fence=call.fence)

    def forget(self, call_id: str) -> None:
        self._calls.let_go(call_id)

    def lose(self, call_id: str) -> None:
        """Another runner has the call."""
        log.warning("call is served by another runner", extra={"call_id": call_id})
        self._calls.lose(call_id)
        self._taker.drop(call_id)

    # The end of this process

    async def retire(self) -> None:
        """Prepare to end: take no more calls, unless no other runner stays."""
        try:
            if self.keeper.lease is not None:
                await self._store.retire(self.keeper.lease)
        except StoreError as error:
            self.keeper.note(error)
        if self.keeper.is_in_doubt:
            # Only a call that the store knows can be handed over.
            await self.keeper.beat()

    async def has_others(self) -> bool:
        """Whether another runner could take our calls. Raises StoreError."""
        runners = await self._store.runners()
        return any(runner.id != self.keeper.info.id and not runner.is_leaving for runner in runners)

    async def hand_over(self, call_ids: list[str]) -> None:
        """Let others take these calls at once."""
        if self.keeper.lease is not None:
            await self._store.hand_over(self.keeper.lease, call_ids)
        for call_id in call_ids:
            self._calls.let_go(call_id)

    # Calls without a runner

    async def take_over(self) -> bool:
        """Take our share of the calls without a runner, or a part; returns whether there may be more."""
        left_calls = await self._take_from_store()
        if not left_calls:
            return False
        waiting = iter(left_calls)
        try:
            async with asyncio.TaskGroup() as together:
                for _ in range(TOGETHER):
                    together.create_task(self._serve_all(waiting))
        finally:
            # This was cancelled before it came to them.
            for call in left_calls:
                if call.id in self._taken:
                    self.put_back(call.id)
                    self._taken.pop(call.id).set()
        # What cannot be served now is not tried again at once.
        return not any(call.id in self._unserved for call in left_calls)

    async def take_up_late(self) -> None:
        """Make up for what other runners could not write before we took their calls over."""
        lease = self.keeper.lease
        if lease is None or not self.keeper.may_act or self.keeper.was_paused:
            return
        try:
            # They stay in the store until they are made up for: this process may be killed at any moment.
            if (late := await self._store.late(lease)) and (done := await self._taker.take_up_late(late)):
                await self._store.forget_late(lease, done)
            self._late_fails = False
        except StoreError as error:
            if not self._late_fails:
                log.warning("late journal entries cannot be read", extra={"error": str(error)})
            self._late_fails = True

    def put_back(self, call_id: str) -> None:
        """The call was taken over and cannot be served now: the next runner that looks takes it."""
        self._calls.let_go(call_id)
        self._unserved.add(call_id, self._clock())

    async def _take_from_store(self) -> list[HeldCall]:
        lease = self.keeper.lease
        if lease is None:
            return []
        try:
            async with self.keeper.order:
                if due := self._unserved.due(self._clock()):
                    await self._store.hand_over(lease, due)
                    self._unserved.handed_on(due)
                left_calls = await self._store.take_over(lease)
                for call in left_calls:
                    self._calls.hold(call)
                    self._taken[call.id] = Latch()
                self.clock_trouble = None
                return left_calls
        except ClockError as error:
            if self.clock_trouble is None:
                log.error("calls of others are not taken over", extra={"error": str(error)})
            self.clock_trouble = str(error)
        except StoreError as error:
            self.keeper.note(error)
        except asyncio.CancelledError:
            # The store may have given us calls of which we shall never hear.
            self.keeper.doubt()
            raise
        return []

    async def _serve_all(self, waiting: Iterator[HeldCall]) -> None:
        while batch := list(islice(waiting, BATCH)):
            try:
                journals = await self._taker.journals(batch)
            except StoreError as error:
                for call in batch:
                    self._cannot(call, error)
                    self._taken.pop(call.id).set()
                continue
            for call in batch:
                if self._calls.held(call.id) == call:  # not lost meanwhile
                    self._serve(call, journals.get(call.id, ()))
                self._taken.pop(call.id).set()
                # Other calls are served in between.
                await asyncio.sleep(0)

    def _serve(self, call: HeldCall, journal: Sequence[SealedEntries]) -> None:
        try:
            self._taker.take_over(call, journal)
        except Exception as error:
            self._cannot(call, error)
        else:
            self._unserved.forget(call.id)

    def _cannot(self, call: HeldCall, error: Exception) -> None:
        bug = None if isinstance(error, PhoneAgentsError) else error
        log.error("call cannot be taken over", exc_info=bug, extra={"call_id": call.id, "error": str(error)})
        self._calls.let_go(call.id)
        if isinstance(error, StoreError):
            self._unserved.add(call.id, self._clock())
        else:
            self._unserved.add_failed(call.id, self._clock())
