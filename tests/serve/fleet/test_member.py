"""One runner among others: when it may act, what it does when the store failed, and what it loses."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from runner.errors import CallLostError, ClockError, LeaseLostError, StoreError
from runner.model.event import Limit
from runner.model.live_call import CallState, Claim, HeldCall, Lease, Limits, Owner, RunnerInfo
from runner.serve.fleet.member import Member
from runner.store.journal.sealed import SealedEntries
from tests.patience import PATIENCE_S

CALL = HeldCall(id="rtc_1", agent="desk", configuration="c1", began_at=1000.0)
NO_LIMITS = Limits()


class Shelf:
    """A store that is asked who serves what, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.asserted: list[list[HeldCall]] = []
        self.trouble: StoreError | None = None
        self.is_renewed = True
        self.lost: set[str] = set()
        self.orphans: list[HeldCall] = []
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

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.trouble is not None:
            raise self.trouble

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
        self, lease: Lease, call: HeldCall, limits: Limits, ring: SealedEntries | None = None
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
        orphans, self.orphans = self.orphans, []
        return orphans

    async def live_calls(self) -> list[Any]:
        return []

    async def live_call(self, call_id: str) -> None:
        """Nobody asks it."""

    async def runners(self) -> list[RunnerInfo]:
        return self.others


class Desk:
    """Takes calls up, and drops them."""

    def __init__(self) -> None:
        self.taken: list[HeldCall] = []
        self.dropped: list[str] = []
        self.fails = ""
        self.while_taking: Callable[[HeldCall], Awaitable[object]] | None = None

    async def take_over(self, call: HeldCall) -> None:
        if call.id == self.fails:
            raise ValueError("a bug of ours")
        if self.while_taking is not None:
            await self.while_taking(call)
        self.taken.append(call)

    def drop(self, call_id: str) -> None:
        self.dropped.append(call_id)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def joined() -> tuple[Member, Shelf, Desk, Clock]:
    shelf, desk, clock = Shelf(), Desk(), Clock()
    info = RunnerInfo(id="one", version="1", configuration="c1")
    member = Member(shelf, info, lease_s=10.0, clock=clock)
    await member.join(desk)
    return member, shelf, desk, clock


async def test_it_may_act_as_long_as_its_own_clock_says_that_the_lease_lasts() -> None:
    member, shelf, _, clock = await joined()
    may_act = [member.may_act]
    clock.now += 9.9
    may_act.append(member.may_act)
    clock.now += 0.1
    may_act.append(member.may_act)
    assert may_act == [True, True, False]
    waiting = asyncio.create_task(member.acting())
    await asyncio.sleep(0)
    assert not waiting.done()
    await member.beat()
    await waiting
    assert shelf.asked == ["join", "assert"]


async def test_a_heartbeat_renews_and_asserts_nothing() -> None:
    member, shelf, _, _ = await joined()
    await member.beat()
    await member.beat()
    assert shelf.asked == ["join", "renew", "renew"]


async def test_what_was_claimed_while_the_store_was_away_is_asserted_when_it_is_back() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL, is_written=False)
    await member.answered("rtc_1")
    await member.beat()
    assert member.trouble == "no answer"
    shelf.trouble = None
    await member.beat()
    assert [[call.state for call in calls] for calls in shelf.asserted] == [[CallState.ANSWERED]]
    await member.beat()
    assert shelf.asked[-2:] == ["assert", "renew"]
    assert member.trouble is None


async def test_a_call_that_is_lost_is_dropped_before_anybody_who_waits_to_act_wakes() -> None:
    member, shelf, desk, clock = await joined()
    await member.claim(CALL, NO_LIMITS)
    clock.now += 11
    shelf.lost = {"rtc_1"}
    dropped_first: list[bool] = []

    async def acts() -> None:
        await member.acting()
        dropped_first.append(desk.dropped == ["rtc_1"])

    waiting = asyncio.create_task(acts())
    await asyncio.sleep(0)
    await member.beat()
    await waiting
    assert dropped_first == [True]
    assert (member.fence("rtc_1"), member.over("rtc_1")) == (0, None)


async def test_a_lease_that_was_lost_between_two_heartbeats_is_asserted() -> None:
    member, shelf, _, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    shelf.is_renewed = False
    await member.beat()
    assert shelf.asserted == [[CALL]]
    assert member.lease == Lease(runner="one", epoch=2)


async def test_a_claim_that_the_lease_does_not_allow_is_ours_until_the_store_says_otherwise() -> None:
    member, shelf, desk, _ = await joined()
    shelf.trouble = LeaseLostError("the lease is over")
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL, is_written=False)
    shelf.trouble, shelf.lost = None, {"rtc_1"}
    await member.beat()
    assert desk.dropped == ["rtc_1"]


async def test_a_claim_that_comes_as_the_lease_ends_is_made_under_the_next_one() -> None:
    member, shelf, _, _ = await joined()
    shelf.claims_under = 2
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL)
    assert shelf.asked == ["join", "claim", "assert", "claim"]


async def test_a_claim_that_comes_as_the_lease_is_renewed_is_made_under_the_new_one() -> None:
    member, shelf, _, _ = await joined()
    shelf.claims_under, shelf.is_renewed = 2, False
    claimed: list[asyncio.Task[Claim]] = []

    async def rings() -> None:
        claimed.append(asyncio.create_task(member.claim(CALL, NO_LIMITS)))
        await asyncio.sleep(0)

    shelf.while_asserting = rings
    await member.beat()
    assert await claimed[0] == Claim(ours=CALL)
    assert shelf.asked == ["join", "renew", "assert", "claim", "claim"]


async def test_calls_that_nobody_serves_are_taken_up_and_held_under_their_new_fence() -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans = [HeldCall(id="rtc_7", agent="desk", configuration="c1", began_at=1.0, fence=3)]
    await member.take_over()
    assert [call.id for call in desk.taken] == ["rtc_7"]
    assert member.over("rtc_7") == Owner(runner="one", fence=3)


async def test_a_call_that_cannot_be_taken_up_is_handed_on_at_the_next_look() -> None:
    member, shelf, _, _ = await joined()
    shelf.orphans = [CALL]
    await member.take_over()
    member.put_back("rtc_1")
    assert member.fence("rtc_1") == 0
    shelf.trouble = StoreError("no answer")
    await member.take_over()
    shelf.trouble = None
    await member.take_over()
    await member.take_over()
    assert shelf.handed_over == [["rtc_1"]]


async def test_a_limit_that_is_reached_holds_nothing() -> None:
    member, shelf, _, _ = await joined()
    shelf.claim_answer = Claim(reached=Limit.CALLS_PER_DAY)
    assert await member.claim(CALL, NO_LIMITS) == shelf.claim_answer
    assert member.fence("rtc_1") == 0


async def test_a_call_that_another_is_seen_to_act_for_is_dropped() -> None:
    member, _, desk, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    fences = [member.fence("rtc_1")]
    member.lose("rtc_1")
    assert desk.dropped == ["rtc_1"]
    assert [*fences, member.fence("rtc_1")] == [1, 0]


async def test_a_pause_while_the_store_answers_is_a_pause_until_it_was_asked_again() -> None:
    member, shelf, _, clock = await joined()

    async def stands_still() -> None:
        clock.now += 11

    shelf.while_renewing = stands_still
    await member.look()
    was_paused = [member.was_paused]
    shelf.while_renewing = None
    await member.look()
    was_paused.append(member.was_paused)
    assert was_paused == [True, False]
    assert shelf.asked == ["join", "renew", "assert"]


async def test_a_store_that_does_not_answer_is_away_and_no_pause() -> None:
    shelf, clock = Shelf(), Clock()
    info = RunnerInfo(id="one", version="1", configuration="c1")
    member = Member(shelf, info, lease_s=0.03, clock=clock)
    await member.join(Desk())
    shelf.while_renewing = asyncio.Event().wait
    async with asyncio.timeout(PATIENCE_S):
        await member.look()
    assert member.trouble == "no answer in time"
    assert not member.was_paused


async def test_calls_are_handed_over_to_who_stays_and_not_to_who_leaves_as_well() -> None:
    member, shelf, _, _ = await joined()
    await member.retire()
    assert shelf.asked[-1] == "retire"
    other = RunnerInfo(id="two", version="1", configuration="c1", is_leaving=True)
    shelf.others = [member.info, other]
    has_others = [await member.has_others()]
    shelf.others = [member.info, replace(other, is_leaving=False)]
    has_others.append(await member.has_others())
    assert has_others == [False, True]


async def test_what_the_store_does_not_know_is_asserted_before_it_is_handed_over() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = None
    await member.retire()
    assert shelf.asserted == [[CALL]]


async def test_a_call_that_cannot_be_taken_up_costs_none_of_the_others() -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans = [CALL, replace(CALL, id="rtc_2")]
    desk.fails = "rtc_1"
    await member.take_over()
    assert [call.id for call in desk.taken] == ["rtc_2"]
    assert (member.fence("rtc_1"), member.fence("rtc_2")) == (0, 1)
    await member.take_over()
    assert shelf.handed_over == [["rtc_1"]]


async def test_a_call_that_was_claimed_without_the_store_is_not_lost_when_it_is_answered_first_thing() -> (
    None
):
    member, shelf, desk, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble, shelf.unknown = None, {"rtc_1"}
    await member.answered("rtc_1")
    assert (desk.dropped, member.fence("rtc_1")) == ([], 1)
    await member.beat()
    assert [[call.state for call in calls] for calls in shelf.asserted] == [[CallState.ANSWERED]]


async def test_a_call_that_is_answered_while_calls_are_asserted_is_asserted_as_answered() -> None:
    member, shelf, desk, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble, shelf.unknown = None, {"rtc_1"}
    answering: list[asyncio.Task[None]] = []

    async def answers() -> None:
        shelf.while_asserting = None
        answering.append(asyncio.create_task(member.answered("rtc_1")))
        await asyncio.sleep(0)

    shelf.while_asserting = answers
    await member.beat()
    await answering[0]
    assert (desk.dropped, member.fence("rtc_1")) == ([], 1)
    assert [[call.state for call in calls] for calls in shelf.asserted] == [[CallState.ANSWERED]]


async def test_a_call_that_is_claimed_without_the_store_before_it_is_told_is_asserted_once() -> None:
    member, shelf, _, _ = await joined()

    async def claims() -> None:
        shelf.trouble = StoreError("no answer")
        await member.claim(CALL, NO_LIMITS)
        shelf.trouble = shelf.while_asserting = None

    shelf.is_renewed, shelf.while_asserting = False, claims
    await member.beat()
    shelf.is_renewed = True
    await member.beat()
    assert shelf.asserted == [[CALL]]


async def test_a_call_that_is_claimed_without_the_store_after_it_was_told_is_asserted_again() -> None:
    member, shelf, _, _ = await joined()

    async def claims() -> None:
        shelf.trouble = StoreError("no answer")
        await member.claim(CALL, NO_LIMITS)
        shelf.trouble = shelf.once_told = None

    shelf.is_renewed, shelf.once_told = False, claims
    await member.beat()
    shelf.is_renewed = True
    await member.beat()
    assert shelf.asserted == [[], [CALL]]


async def test_calls_that_are_answered_while_calls_are_asserted_are_asserted_together() -> None:
    member, shelf, _, _ = await joined()
    calls = [replace(CALL, id=f"rtc_{number}") for number in range(4)]
    shelf.trouble = StoreError("no answer")
    for call in calls:
        await member.claim(call, NO_LIMITS)
    shelf.trouble, shelf.unknown = None, {call.id for call in calls}
    answering: list[asyncio.Task[None]] = []

    async def answers() -> None:
        shelf.once_told = None
        answering.extend(asyncio.create_task(member.answered(call.id)) for call in calls)
        await asyncio.sleep(0)

    shelf.once_told = answers
    await member.beat()
    await asyncio.gather(*answering)
    assert len(shelf.asserted) == 2
    assert [call.state for call in shelf.asserted[1]] == [CallState.ANSWERED] * 4


async def test_a_call_that_another_has_when_it_is_answered_is_lost() -> None:
    member, shelf, desk, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    shelf.unknown = {"rtc_1"}
    await member.answered("rtc_1")
    assert (desk.dropped, member.fence("rtc_1")) == (["rtc_1"], 0)


async def test_a_call_that_is_announced_again_while_it_is_answered_is_not_claimed_twice() -> None:
    member, shelf, _, _ = await joined()
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL)
    assert await member.claim(CALL, NO_LIMITS) == Claim()
    assert shelf.asked == ["join", "claim"]


async def test_the_lease_is_renewed_while_calls_are_taken_up() -> None:
    shelf, desk = Shelf(), Desk()
    member = Member(shelf, RunnerInfo(id="one", version="1", configuration="c1"), heartbeat_s=0.0)
    await member.join(desk)
    renewed = asyncio.Event()

    async def renews() -> None:
        if shelf.asked.count("renew") == 3:
            renewed.set()

    shelf.orphans, shelf.while_renewing = [CALL], renews
    desk.while_taking = lambda call: renewed.wait()
    running = asyncio.create_task(member.run())
    async with asyncio.timeout(PATIENCE_S):
        while not desk.taken:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    running.cancel()
    assert shelf.asked.count("take over") == 1


async def test_a_clock_that_differs_is_told_until_it_agrees() -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans, shelf.trouble = (
        [CALL],
        ClockError("this machine's clock is 3600 s ahead of the database's"),
    )
    await member.take_over()
    assert (member.clock_trouble, member.trouble) == (
        "this machine's clock is 3600 s ahead of the database's",
        None,
    )
    shelf.trouble = None
    await member.take_over()
    assert (member.clock_trouble, desk.taken) == (None, [CALL])


async def test_several_calls_are_taken_up_at_a_time() -> None:
    member, shelf, desk, _ = await joined()
    both = asyncio.Barrier(2)
    shelf.orphans, desk.while_taking = [CALL, replace(CALL, id="rtc_2")], lambda call: both.wait()
    async with asyncio.timeout(PATIENCE_S):
        await member.take_over()
    assert {call.id for call in desk.taken} == {"rtc_1", "rtc_2"}


async def test_a_call_that_is_lost_while_others_are_taken_up_is_not_served() -> None:
    member, shelf, desk, _ = await joined()

    async def loses(call: HeldCall) -> None:
        member.lose("rtc_2")

    shelf.orphans, desk.while_taking = [CALL, replace(CALL, id="rtc_2")], loses
    await member.take_over()
    assert [call.id for call in desk.taken] == ["rtc_1"]


async def test_a_call_that_was_claimed_without_the_store_is_confirmed_once_it_is_answered() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble, shelf.fences = None, {"rtc_1": 2}
    await member.beat()
    confirmed = [(member.is_confirmed("rtc_1"), member.fence("rtc_1"))]
    await member.answered("rtc_1")
    confirmed.append((member.is_confirmed("rtc_1"), member.fence("rtc_1")))
    assert confirmed == [(False, 1), (True, 2)]


async def test_a_call_that_another_gives_up_as_the_api_has_answered_it_for_us_is_asserted() -> None:
    member, shelf, desk, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = None
    await member.beat()
    # The other has deleted its claim by now.
    shelf.unknown = {"rtc_1"}
    await member.answered("rtc_1")
    assert desk.dropped == []
    assert [[call.state for call in calls] for calls in shelf.asserted] == [
        [CallState.RINGING],
        [CallState.ANSWERED],
    ]


async def test_a_call_that_was_answered_without_the_store_is_confirmed_when_it_is_asserted() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    await member.answered("rtc_1")
    confirmed = [(member.is_confirmed("rtc_1"), member.fence("rtc_1"))]
    shelf.trouble, shelf.fences = None, {"rtc_1": 2}
    await member.beat()
    confirmed.append((member.is_confirmed("rtc_1"), member.fence("rtc_1")))
    assert confirmed == [(False, 1), (True, 2)]


async def test_a_call_that_cannot_be_taken_up_is_claimed_by_its_next_announcement() -> None:
    member, shelf, desk, _ = await joined()
    announced: list[asyncio.Task[Claim]] = []

    async def cannot(call: HeldCall) -> None:
        announced.append(asyncio.create_task(member.claim(CALL, NO_LIMITS)))
        await asyncio.sleep(0)
        member.put_back(call.id)

    shelf.orphans, desk.while_taking = [CALL], cannot
    await member.take_over()
    assert await announced[0] == Claim(ours=CALL)
    assert shelf.asked == ["join", "take over", "claim"]


async def test_a_call_that_is_put_back_and_claimed_again_is_not_handed_over() -> None:
    member, shelf, _, _ = await joined()
    member.put_back("rtc_1")
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL)
    await member.take_over()
    assert shelf.handed_over == []
