"""A runner over a store that only notes what it is asked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from runner.errors import CallLostError, LeaseLostError, StoreError
from runner.model.live_call import Claim, ClaimLimits, HeldCall, Lease, RunnerInfo
from runner.serve.fleet.lease_keeper import LeaseKeeper
from runner.serve.fleet.member import TAKEOVER_S, Member
from runner.store.journal.sealed import SealedEntries

CALL = HeldCall(id="rtc_1", agent="desk", configuration="c1", began_at=1000.0)
INFO = RunnerInfo(id="one", version="1", configuration="c1")
NO_LIMITS = ClaimLimits()


class Shelf:
    """A store that is asked who serves what, and what it was asked."""

    is_exclusive = False

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.asserted: list[list[HeldCall]] = []
        self.trouble: StoreError | None = None
        self.trouble_in_writing: StoreError | None = None
        """A full disk can be read."""
        self.is_renewed = True
        self.lost: set[str] = set()
        self.orphans: list[HeldCall] = []
        self.late_pieces: list[SealedEntries] = []
        self.handed_over: list[list[str]] = []
        self.claim_answer: Claim | None = None
        self.others: list[RunnerInfo] = []
        self.unknown: set[str] = set()
        self.fences: dict[str, int] = {}
        self.claims_under = 0
        """The epoch of the oldest lease that claims anything."""
        self.while_asserting: Callable[[], Awaitable[object]] | None = None
        self.once_told: Callable[[], Awaitable[object]] | None = None
        self.while_renewing: Callable[[], Awaitable[object]] | None = None
        self.while_taking_over: Callable[[], Awaitable[object]] | None = None

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        trouble = self.trouble or (None if what == "renew" else self.trouble_in_writing)
        if trouble is not None:
            raise trouble

    async def join(self, runner: RunnerInfo, lease_s: float) -> Lease:
        self._ask("join")
        return Lease(runner=runner.id, epoch=1)

    async def renew(self, lease: Lease) -> bool:
        self._ask("renew")
        if self.while_renewing is not None:
            await self.while_renewing()
        return self.is_renewed

    async def assert_calls(
        self, runner: RunnerInfo, lease: Lease, calls: Callable[[], Sequence[HeldCall]], lease_s: float
    ) -> tuple[Lease, dict[str, int]]:
        self._ask("assert")
        if self.while_asserting is not None:
            await self.while_asserting()
        asserted = list(calls())
        self.asserted.append(asserted)
        held = {
            call.id: self.fences.get(call.id, call.fence) for call in asserted if call.id not in self.lost
        }
        if self.once_told is not None:
            await self.once_told()
        return Lease(runner=runner.id, epoch=lease.epoch + 1), held

    async def leave(self, lease: Lease) -> None:
        self._ask("leave")

    async def claim(
        self, lease: Lease, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None = None
    ) -> Claim:
        self._ask("claim" if ring is None else f"claim with {ring.first_seq}")
        if lease.epoch < self.claims_under:
            raise LeaseLostError("the lease is over")
        return self.claim_answer or Claim(ours=call)

    async def set_state(self, lease: Lease, call: HeldCall) -> int:
        self._ask(call.state.value)
        if call.id in self.unknown:
            raise CallLostError(call.id)
        return self.fences.get(call.id, call.fence)

    async def unclaim(self, lease: Lease, call: HeldCall) -> None:
        self._ask("unclaim")

    async def retire(self, lease: Lease) -> None:
        self._ask("retire")

    async def hand_over(self, lease: Lease, call_ids: Sequence[str]) -> None:
        self._ask("hand over")
        self.handed_over.append(list(call_ids))

    async def take_over(self, lease: Lease) -> list[HeldCall]:
        self._ask("take over")
        if self.while_taking_over is not None:
            await self.while_taking_over()
        orphans, self.orphans = self.orphans, []
        return orphans

    async def late(self, lease: Lease) -> list[SealedEntries]:
        self._ask("late")
        return self.late_pieces

    async def forget_late(self, lease: Lease, pieces: Sequence[SealedEntries]) -> None:
        self._ask("forget late")
        self.late_pieces = [piece for piece in self.late_pieces if piece not in pieces]

    async def live_calls(self) -> list[Any]:
        return []

    async def live_call(self, call_id: str) -> None:
        """Nobody asks it."""

    async def runners(self) -> list[RunnerInfo]:
        return self.others


class Desk:
    """Takes calls up, and drops them."""

    def __init__(self) -> None:
        self.read: list[list[str]] = []
        self.taken: list[HeldCall] = []
        self.dropped: list[str] = []
        self.late: list[SealedEntries] = []
        self.done: list[SealedEntries] = []
        self.fails = ""
        self.trouble: StoreError | None = None
        self.while_reading: Callable[[], Awaitable[object]] | None = None

    async def journals(self, calls: Sequence[HeldCall]) -> Mapping[str, Sequence[SealedEntries]]:
        self.read.append([call.id for call in calls])
        if self.while_reading is not None:
            await self.while_reading()
        if self.trouble is not None:
            raise self.trouble
        return {}

    def take_over(self, call: HeldCall, journal: Sequence[SealedEntries]) -> None:
        if call.id == self.fails:
            raise ValueError("a bug of ours")
        self.taken.append(call)

    async def take_up_late(self, late: Sequence[SealedEntries]) -> list[SealedEntries]:
        if self.trouble is not None:
            raise self.trouble
        self.late += late
        return self.done

    def drop(self, call_id: str) -> None:
        self.dropped.append(call_id)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def joined(*, takeover_s: float = TAKEOVER_S) -> tuple[Member, Shelf, Desk, Clock]:
    shelf, desk, clock = Shelf(), Desk(), Clock()
    keeper = LeaseKeeper(shelf, INFO, lease_s=10.0, clock=clock)
    member = Member(shelf, keeper, desk, takeover_s=takeover_s, clock=clock)
    await keeper.join()
    return member, shelf, desk, clock
