"""This process as one of the runners: its lease, the calls that it holds, and those that it takes over.

A runner whose lease is over by its own clock does nothing that must not be done twice before it has asked the
store: see `may_act`. The clock includes the time in which the machine was suspended.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from runner.errors import CallLostError, ClockError, LeaseLostError, StoreError
from runner.model.live_call import CallState, Claim, HeldCall, Lease, Limits, Owner, RunnerInfo
from runner.store.journal.sealed import SealedEntries
from runner.store.store import Fleet

log = logging.getLogger("runner.serve.fleet.member")

LEASE_S = 10.0
HEARTBEAT_S = 2.0
CLAIM_S = 1.0
"""For the store to say whose a ringing call is; then the caller is answered without its word."""
ANSWER = 1 / 3
"""Share of a lease for the store to renew it: an absent store must not look like a pause of ours."""
TAKEOVER_S = 1.0
"""Between two looks for calls that nobody serves."""
TOGETHER = 4
"""Calls that are taken up at the same time: one after the other, thousands would each wait for the store."""


class Taker(Protocol):
    """Takes up calls, and drops those that another runner has."""

    async def take_over(self, call: HeldCall) -> None:
        """Serve this call from now on."""

    def drop(self, call_id: str) -> None:
        """Another runner has it: no sound, no hang-up and no record."""


def suspended_clock() -> float:
    """Seconds of a clock that never jumps, and includes the time in which the machine was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Member:
    """One runner among those that share a store. `join` it, keep `run` running, and `leave` at the end."""

    def __init__(
        self,
        store: Fleet,
        info: RunnerInfo,
        *,
        lease_s: float = LEASE_S,
        heartbeat_s: float = HEARTBEAT_S,
        takeover_s: float = TAKEOVER_S,
        clock: Callable[[], float] = suspended_clock,
    ) -> None:
        self.info = info
        self.lease: Lease | None = None
        self.trouble: str | None = None
        """Why the last request to the store failed."""
        self.clock_trouble: str | None = None
        """Why calls of other runners are not taken over."""
        self._store = store
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._takeover_s = takeover_s
        self._clock = clock
        self._renewed_at = 0.0
        self._failures = 0
        """How often the store could not be asked."""
        self._settled = 0
        """How many of these came before the store was last told what we hold."""
        self._held: dict[str, HeldCall] = {}
        self._unconfirmed: set[str] = set()
        """Calls whose claim the store has not confirmed: another runner may have claimed them too."""
        self._unserved: set[str] = set()
        """Calls that were taken over and could not be served."""
        self._taken: set[str] = set()
        """Calls that were taken over and are not served yet."""
        self._served = asyncio.Condition()
        self._taker: Taker | None = None
        self._order = asyncio.Lock()
        """What the store is told that we hold, and what it gives us, are not to cross."""
        self._renewed = asyncio.Condition()
        self._looked_at = clock()

    @property
    def may_act(self) -> bool:
        """Whether no other runner can have taken our calls: the lease was renewed in time."""
        return self.lease is not None and self._clock() - self._renewed_at < self._lease_s

    @property
    def _is_in_doubt(self) -> bool:
        """Whether the store may not know what we hold: it has failed since it was told, or is being told."""
        return self._failures > self._settled

    @property
    def was_paused(self) -> bool:
        """Whether this process stood still for so long that others may have its calls, and has not asked yet.

        An absent store is different: then it was asked, and calls continue.
        """
        return self.lease is not None and self._clock() - self._looked_at >= self._lease_s

    async def looked(self) -> None:
        """Wait until the store was asked whose our calls are, whatever its answer."""
        if not self.was_paused:
            return
        async with self._renewed:
            await self._renewed.wait_for(lambda: not self.was_paused)

    async def acting(self) -> None:
        """Wait until `may_act`."""
        async with self._renewed:
            await self._renewed.wait_for(lambda: self.may_act)

    async def join(self, taker: Taker) -> None:
        """Join the runners. Raises CannotRunError and StoreError."""
        self._taker = taker
        asked_at = self._clock()
        self.lease = await self._store.join(self.info, self._lease_s)
        self._renewed_at = self._looked_at = asked_at

    async def run(self) -> None:
        """Renew the lease and take over calls without a runner, for as long as the process lives."""
        next_look = 0.0
        # Beside the heartbeats: thousands of calls take longer than a lease.
        taking: asyncio.Task[None] | None = None
        try:
            while True:
                await self.look()
                if self.was_paused:
                    continue
                if taking is not None and taking.done():
                    taking.result()
                    taking = None
                if self.may_act and self._clock() >= next_look and taking is None:
                    taking = asyncio.create_task(self.take_over(), name="take over")
                    next_look = self._clock() + self._takeover_s
                await asyncio.sleep(min(self._heartbeat_s, self._takeover_s))
        finally:
            if taking is not None:
                taking.cancel()

    async def look(self) -> None:
        """Ask the store whose our calls are, and wake the tasks that wait for the answer."""
        # Its answer holds for when it was asked: this process may have stood still meanwhile.
        asked_at = self._clock()
        await self.beat()
        self._looked_at = asked_at
        async with self._renewed:
            self._renewed.notify_all()

    async def leave(self) -> None:
        """Leave the runners: others take our calls at once."""
        lease, self.lease = self.lease, None
        if lease is None:
            return
        try:
            await self._store.leave(lease)
        except StoreError as error:
            log.warning("lease was not released", extra={"error": str(error)})

    # Calls

    async def claim(self, call: HeldCall, limits: Limits, ring: SealedEntries | None = None) -> Claim:
        """Claim a ringing call, and write its `ring`. Without the store it is ours until the store says
        otherwise: a caller who rings is answered.
        """
        if await self.has(call.id):
            # Announced again while we answer it: perhaps for a process that is gone.
            return Claim()
        claim = Claim(ours=call, is_written=False)
        try:
            if self.lease is not None:
                async with asyncio.timeout(CLAIM_S):
                    claim = await self._claim(self.lease, call, limits, ring)
        except (StoreError, TimeoutError) as error:
            self._note(error)
        if claim.ours is not None:
            self._held[call.id] = claim.ours
            self._unserved.discard(call.id)
            if not claim.is_written:
                self._unconfirmed.add(call.id)
        return claim

    async def has(self, call_id: str) -> bool:
        """Whether this process holds the call."""
        if call_id in self._taken:
            # Whether it can be served shows only now; otherwise this announcement may be its last.
            async with self._served:
                await self._served.wait_for(lambda: call_id not in self._taken)
        return call_id in self._held

    async def answered(self, call_id: str, api_call_id: str | None = None) -> None:
        """The API has answered this call: from now on it is taken over when its runner is lost.

        `api_call_id` is the API's id of a call from a browser.
        """
        call = self._held.get(call_id)
        if call is None:
            return
        self._held[call_id] = call = replace(
            call, state=CallState.ANSWERED, api_call_id=api_call_id or call.api_call_id
        )
        try:
            if self.lease is not None:
                self._confirm(call_id, await self._store.set_state(self.lease, call))
        except CallLostError:
            # A call claimed while the store was away may be unknown there, until it is asserted.
            if call_id in self._unconfirmed:
                self._failures += 1
                await self.beat()
            elif not self._is_in_doubt:
                self.lose(call_id)
        except StoreError as error:
            self._note(error)

    async def unclaim(self, call_id: str) -> None:
        """The call was not answered: the runner that gets its next announcement may claim it."""
        call = self._let_go(call_id)
        try:
            if call is not None and self.lease is not None:
                await self._store.unclaim(self.lease, call)
        except StoreError as error:
            self._note(error)

    def over(self, call_id: str) -> Owner | None:
        """The call is over: returns in whose name its record is saved. It is held until `forget`."""
        call = self._held.get(call_id)
        return None if call is None else Owner(runner=self.info.id, fence=call.fence)

    def forget(self, call_id: str) -> None:
        """Forget the call."""
        self._let_go(call_id)

    async def retire(self) -> None:
        """Prepare to end: take no more calls, unless no other runner stays."""
        try:
            if self.lease is not None:
                await self._store.retire(self.lease)
        except StoreError as error:
            self._note(error)
        if self._is_in_doubt:
            # Only a call that the store knows can be handed over.
            await self.beat()

    async def hand_over(self, call_ids: list[str]) -> None:
        """Let others take these calls at once."""
        if self.lease is not None:
            await self._store.hand_over(self.lease, call_ids)
        for call_id in call_ids:
            self._let_go(call_id)

    def put_back(self, call_id: str) -> None:
        """The call was taken over and cannot be served now: the next runner that looks takes it."""
        self._let_go(call_id)
        self._unserved.add(call_id)

    def held(self, call_id: str) -> HeldCall | None:
        """How this call is held; None where it is not."""
        return self._held.get(call_id)

    def is_confirmed(self, call_id: str) -> bool:
        """Whether the store knows that this process has the call."""
        return call_id not in self._unconfirmed

    def fence(self, call_id: str) -> int:
        """The fence under which this call is held; 0 where it is not."""
        call = self._held.get(call_id)
        return 0 if call is None else call.fence

    def lose(self, call_id: str) -> None:
        """Another runner has the call."""
        log.warning("call is served by another runner", extra={"call_id": call_id})
        self._let_go(call_id)
        if self._taker is not None:
            self._taker.drop(call_id)

    async def has_others(self) -> bool:
        """Whether another runner could take our calls."""
        try:
            runners = await self._store.runners()
            return any(runner.id != self.info.id and not runner.is_leaving for runner in runners)
        except StoreError:
            return False

    async def take_over(self) -> None:
        """Take our share of the calls without a runner."""
        lease, taker = self.lease, self._taker
        if lease is None or taker is None:
            return
        try:
            async with self._order:
                if self._unserved:
                    await self._store.hand_over(lease, list(self._unserved))
                    self._unserved.clear()
                left_calls = await self._store.take_over(lease)
                self._held.update((call.id, call) for call in left_calls)
                self._taken.update(call.id for call in left_calls)
                self.clock_trouble = None
        except ClockError as error:
            if self.clock_trouble is None:
                log.error("calls of others are not taken over", extra={"error": str(error)})
            self.clock_trouble = str(error)
            return
        except StoreError as error:
            self._note(error)
            return
        waiting = iter(left_calls)
        try:
            async with asyncio.TaskGroup() as together:
                for _ in range(TOGETHER):
                    together.create_task(self._serve_all(waiting, taker))
        finally:
            self._taken.clear()

    async def _serve_all(self, waiting: Iterator[HeldCall], taker: Taker) -> None:
        for call in waiting:
            if self.held(call.id) == call:  # not lost meanwhile
                await self._serve(call, taker)
            await self._is_served(call.id)

    async def _claim(self, lease: Lease, call: HeldCall, limits: Limits, ring: SealedEntries | None) -> Claim:
        try:
            return await self._store.claim(lease, call, limits, ring)
        except LeaseLostError:
            # The store is there: a new lease is worth the time, and may be under way.
            async with self._order:
                current = self.lease or lease
            if current == lease:
                await self._assert(lease)
            return await self._store.claim(self.lease or lease, call, limits, ring)

    async def _serve(self, call: HeldCall, taker: Taker) -> None:
        try:
            await taker.take_over(call)
        except Exception:
            log.exception("call cannot be taken over", extra={"call_id": call.id})
            self.put_back(call.id)

    async def _is_served(self, call_id: str) -> None:
        self._taken.discard(call_id)
        async with self._served:
            self._served.notify_all()

    def _confirm(self, call_id: str, fence: int) -> None:
        """The store says that the call is ours under this fence."""
        self._unconfirmed.discard(call_id)
        if (call := self._held.get(call_id)) is not None and call.fence != fence:
            self._held[call_id] = replace(call, fence=fence)

    def _let_go(self, call_id: str) -> HeldCall | None:
        self._unconfirmed.discard(call_id)
        return self._held.pop(call_id, None)

    # The lease

    async def beat(self) -> None:
        """Renew the lease, or assert the calls where that is not enough."""
        lease = self.lease
        if lease is None:
            return
        asked_at = self._clock()
        try:
            async with asyncio.timeout(self._lease_s * ANSWER):
                await self._renew(lease, asked_at)
        except (StoreError, TimeoutError) as error:
            self._note(error)

    async def _renew(self, lease: Lease, asked_at: float) -> None:
        with suppress(LeaseLostError):
            if self.may_act and not self._is_in_doubt and await self._store.renew(lease):
                await self._is_renewed(asked_at)
                return
            # Paused, starved, or forgotten by the database: whose are our calls now?
        await self._assert(lease)

    async def _assert(self, lease: Lease) -> None:
        noticed = failures = self._failures
        asserted: list[HeldCall] = []

        def held() -> list[HeldCall]:
            nonlocal failures
            failures = self._failures
            asserted.extend(self._held.values())
            return asserted

        async with self._order:
            if self.lease != lease and self._settled >= noticed:
                # Calls that are answered together are asserted together.
                return
            asked_at = self._clock()
            self.lease, fences = await self._store.assert_calls(self.info, lease, held, self._lease_s)
        # What has failed since the store was told, it may not know.
        self._settled = failures
        lost = [call.id for call in asserted if call.id not in fences]
        log.warning("calls were claimed again", extra={"calls": len(asserted), "lost": len(lost)})
        for call_id in lost:
            self.lose(call_id)
        for call in asserted:
            # While a call rings, another runner may have it as well.
            if call.state is CallState.ANSWERED and call.id in fences:
                self._confirm(call.id, fences[call.id])
        # Only now: a task that waits to act must not wake for a call that is lost.
        await self._is_renewed(asked_at)

    async def _is_renewed(self, asked_at: float) -> None:
        self._renewed_at = asked_at
        self.trouble = None
        async with self._renewed:
            self._renewed.notify_all()

    def _note(self, error: Exception) -> None:
        self._failures += 1
        reason = str(error) or "no answer in time"
        if self.trouble is None:
            log.warning("store is unavailable", extra={"error": reason})
        self.trouble = reason
