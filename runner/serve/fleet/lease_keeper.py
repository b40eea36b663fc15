"""The lease of this process among the runners of its store, and whether it may act under it.

A runner whose lease is over by its own clock does nothing that must not be done twice before it has asked the
store: see `may_act`. The clock includes the time in which the machine was suspended.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from runner.errors import StoreError
from runner.model.live_call import CallState, HeldCall, Lease, RunnerInfo
from runner.serve.fleet.held_calls import HeldCalls
from runner.store.store import FleetStore

log = logging.getLogger("runner.serve.fleet.lease_keeper")

_Answer = TypeVar("_Answer")

LEASE_S = 10.0
HEARTBEAT_S = 2.0
ANSWER = 1 / 3
"""Share of a lease for the store to renew it: an absent store must not look like a pause of ours."""
ASSERTION = 2 / 3
"""Share of a lease that asserting very many calls may take: longer would look like a pause of ours."""
ASSERTED_S = 0.002
"""For each call that is asserted, besides the time for an answer."""
TURNS_TO_READ = 10
"""Turns of the event loop until whoever waits for an answer that has arrived is told of it."""
SOON = 1 / 4
"""Share of the time between two heartbeats until the next one, where one has failed or a call is in doubt."""


class LeaseKeeper:
    """`join` the runners, keep `run` running, and `leave` at the end."""

    def __init__(
        self,
        store: FleetStore,
        info: RunnerInfo,
        *,
        lease_s: float = LEASE_S,
        heartbeat_s: float = HEARTBEAT_S,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock` never jumps, and includes the time in which the machine was suspended."""
        self.info = info
        self.lease: Lease | None = None
        self.calls = HeldCalls()
        """What the lease is for."""
        self.on_lost: Callable[[str], None] = lambda call_id: None
        """Called with the id of each call that another runner has, when the calls are asserted."""
        self.trouble: str | None = None
        """Why the store is away: until it answers, and knows what we hold. On a full disk it answers only."""
        self.order = asyncio.Lock()
        """What the store is told that we hold, and what it gives us, are not to cross."""
        self._store = store
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._clock = clock = clock or partial(time.clock_gettime, time.CLOCK_BOOTTIME)
        self._renewed_at = 0.0
        self._failures = 0
        """How often the store could not be asked, or its answer is unknown."""
        self._settled = 0
        """How many of these came before the store was last told what we hold."""
        self._answered = asyncio.Condition()
        self._doubted = asyncio.Event()
        self._looked_at = clock()

    @property
    def may_act(self) -> bool:
        """Whether no other runner can have taken our calls: the lease was renewed in time."""
        return self.lease is not None and self._clock() - self._renewed_at < self._lease_s

    @property
    def is_in_doubt(self) -> bool:
        """Whether the store may not know what we hold: it has failed since it was told, or is being told."""
        return self._must_assert or self.trouble is not None

    @property
    def _must_assert(self) -> bool:
        """Whether something that we wanted to tell the store may be unknown to it. A heartbeat tells nothing
        of the kind: to assert all calls because one was late would make a slow database slower still.
        """
        return self._failures > self._settled

    @property
    def _assertion_s(self) -> float:
        longest_s = self._lease_s * ANSWER + len(self.calls) * ASSERTED_S
        return min(longest_s, self._lease_s * ASSERTION)

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
        async with self._answered:
            await self._answered.wait_for(lambda: not self.was_paused)

    async def acting(self) -> None:
        """Wait until no other runner can have taken our calls: until `may_act`, where others may join.

        A store that only we can use may be away for longer: the call that is to be hung up is still ours.
        """
        if self._store.is_exclusive and self.lease is not None:
            return
        async with self._answered:
            await self._answered.wait_for(lambda: self.may_act)

    async def join(self) -> None:
        """Join the runners. Raises CannotRunError and StoreError."""
        asked_at = self._clock()
        self.lease = await self._store.join(self.info, self._lease_s)
        self._renewed_at = self._looked_at = asked_at

    async def run(self) -> None:
        """Renew the lease for as long as the process lives, and assert calls soon after they are in doubt."""
        while True:
            await self.look()
            if self.was_paused:
                continue
            await asyncio.sleep(self._heartbeat_s * SOON)
            if not self.is_in_doubt:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._heartbeat_s * (1 - SOON)):
                        await self._doubted.wait()
            self._doubted.clear()

    async def look(self) -> None:
        """Ask the store whose our calls are, and wake the tasks that wait for the answer."""
        # Its answer holds for when it was asked: this process may have stood still meanwhile.
        asked_at = self._clock()
        await self.beat()
        self._looked_at = asked_at
        await self._wake()

    async def beat(self) -> None:
        """Renew the lease, and assert the calls where that is not enough."""
        lease = self.lease
        if lease is None:
            return
        try:
            if await self._renew(lease) and not self._must_assert:
                return
            # Paused, starved, or forgotten by the database: whose are our calls now?
            await _within(self._assertion_s, self._assert(lease))
        except (StoreError, TimeoutError) as error:
            self._note_trouble(error)

    async def next_lease(self, lost: Lease) -> Lease:
        """The lease after one that is over, which may be under way. Raises StoreError."""
        async with self.order:
            current = self.lease or lost
        if current == lost:
            await self._assert(lost)
        return self.lease or lost

    async def leave(self) -> None:
        """Leave the runners: others take our calls at once."""
        lease, self.lease = self.lease, None
        if lease is None:
            return
        try:
            await self._store.leave(lease)
        except StoreError as error:
            log.warning("lease was not released", extra={"error": str(error)})

    def note(self, error: Exception) -> None:
        """The store could not be told what we do, or its answer is unknown."""
        self.doubt()
        self._note_trouble(error)

    def doubt(self) -> None:
        """The store may not know what we hold, or we what it has given us: the next heartbeat tells."""
        self._failures += 1
        self._doubted.set()

    async def told(self) -> None:
        """Wait until the store knows all that we hold now."""
        async with self._answered:
            await self._answered.wait_for(lambda: not self._must_assert)

    def _note_trouble(self, error: Exception) -> None:
        reason = str(error) or "no answer in time"
        if self.trouble is None:
            log.warning("store is unavailable", extra={"error": reason})
        self.trouble = reason

    def _note_answer(self) -> None:
        if self.trouble is not None and not self._must_assert:
            log.info("store is available again")
            self.trouble = None

    async def _renew(self, lease: Lease) -> bool:
        """Renew the lease first, also where calls are in doubt: asserting many takes longer. False when the
        lease is over.
        """
        if not self.may_act:
            return False
        asked_at = self._clock()
        is_renewed = await _within(self._lease_s * ANSWER, self._store.renew(lease))
        if is_renewed:
            self._renewed_at = self._looked_at = asked_at
            self._note_answer()
            await self._wake()
        return is_renewed

    async def _assert(self, lease: Lease) -> None:
        noticed = failures = self._failures
        asserted: list[HeldCall] = []

        def held() -> list[HeldCall]:
            nonlocal failures
            failures = self._failures
            asserted.extend(self.calls)
            return asserted

        async with self.order:
            if self.lease != lease and self._settled >= noticed:
                # Calls that are answered together are asserted together.
                return
            asked_at = self._clock()
            self.lease, fences = await self._store.assert_calls(self.info, lease, held, self._lease_s)
        # What has failed since the store was told, it may not know.
        self._settled = failures
        lost = [call.id for call in asserted if call.id not in fences]
        if asserted:
            log.warning("calls were claimed again", extra={"calls": len(asserted), "lost": len(lost)})
        for call_id in lost:
            self.on_lost(call_id)
        for call in asserted:
            # While a call rings, another runner may have it as well.
            if call.state is CallState.ANSWERED and call.id in fences:
                self.calls.confirm(call.id, fences[call.id])
        # Only now: a task that waits to act must not wake for a call that is lost.
        self._renewed_at = asked_at
        self._note_answer()
        await self._wake()

    async def _wake(self) -> None:
        """Wake the tasks that wait for a renewed lease, or for the store to say whose our calls are."""
        async with self._answered:
            self._answered.notify_all()


async def _within(longest_s: float, asked: Coroutine[Any, Any, _Answer]) -> _Answer:
    """The answer of the store. Raises TimeoutError when there is none by then.

    An event loop that stood still hears of its timers before it reads what has come meanwhile, so it gets the
    chance to: a busy process must not give up the lease that it was just granted.
    """
    answering = asyncio.ensure_future(asked)
    try:
        await asyncio.wait((answering,), timeout=longest_s)
        for _ in range(TURNS_TO_READ):
            if not answering.done():
                await asyncio.sleep(0)
    finally:
        if not answering.done():
            answering.cancel()
            await asyncio.wait((answering,))
    if answering.cancelled():
        raise TimeoutError
    return answering.result()
