"""The calls of one runner among others: what it claims, takes over, hands on and loses."""

import asyncio
from dataclasses import replace

import pytest

from runner.errors import ClockError, LeaseLostError, StoreError
from runner.model.event import Limit
from runner.model.live_call import CallState, Claim, HeldCall, Owner, RunnerInfo
from runner.serve.fleet.member import BATCH
from runner.store.journal.sealed import SealedEntries
from tests.patience import PATIENCE_S
from tests.serve.fleet.shelf import CALL, NO_LIMITS, joined


async def test_a_claim_that_the_lease_does_not_allow_is_ours_until_the_store_says_otherwise() -> None:
    member, shelf, desk, _ = await joined()
    shelf.trouble = LeaseLostError("the lease is over")
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL, is_written=False)
    shelf.trouble, shelf.lost = None, {"rtc_1"}
    await member.keeper.beat()
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
    await member.keeper.beat()
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
    assert member.keeper.calls.fence("rtc_1") == 0
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
    assert member.keeper.calls.fence("rtc_1") == 0


async def test_a_call_that_another_is_seen_to_act_for_is_dropped() -> None:
    member, _, desk, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    fences = [member.keeper.calls.fence("rtc_1")]
    member.lose("rtc_1")
    assert desk.dropped == ["rtc_1"]
    assert [*fences, member.keeper.calls.fence("rtc_1")] == [1, 0]
    assert [member.keeper.calls.was_lost(each) for each in ("rtc_1", "rtc_2")] == [True, False]


async def test_calls_are_handed_over_to_who_stays_and_not_to_who_leaves_as_well() -> None:
    member, shelf, _, _ = await joined()
    await member.retire()
    assert shelf.asked[-1] == "retire"
    other = RunnerInfo(id="two", version="1", configuration="c1", is_leaving=True)
    shelf.others = [member.keeper.info, other]
    has_others = [await member.has_others()]
    shelf.others = [member.keeper.info, replace(other, is_leaving=False)]
    has_others.append(await member.has_others())
    assert has_others == [False, True]


async def test_what_the_store_does_not_know_is_asserted_before_it_is_handed_over() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = None
    await member.retire()
    assert shelf.asserted == [[CALL]]


async def test_calls_are_taken_up_in_batches_so_that_their_journals_are_read_together() -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans = [replace(CALL, id=f"rtc_{number}") for number in range(2 * BATCH + 1)]
    orphans = list(shelf.orphans)
    await member.take_over()
    assert [len(batch) for batch in desk.read] == [BATCH, BATCH, 1]
    assert {call.id for call in desk.taken} == {call.id for call in orphans}


async def test_who_has_served_a_part_takes_more_at_once_but_tries_nothing_again() -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans = [CALL]
    more = [await member.take_over(), await member.take_over()]
    shelf.orphans, desk.fails = [CALL, replace(CALL, id="rtc_2")], "rtc_2"
    more.append(await member.take_over())
    assert more == [True, False, False]


async def test_calls_whose_journals_cannot_be_read_are_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans = [CALL, replace(CALL, id="rtc_2")]
    desk.trouble = StoreError("no answer")
    await member.take_over()
    assert not desk.taken
    assert [record.message for record in caplog.records] == ["call cannot be taken over"] * 2
    await member.take_over()
    assert [sorted(ids) for ids in shelf.handed_over] == [["rtc_1", "rtc_2"]]


async def test_a_takeover_that_is_cancelled_keeps_nobody_waiting_and_no_call() -> None:
    member, shelf, desk, _ = await joined()
    is_reading = asyncio.Event()

    async def hangs() -> None:
        is_reading.set()
        await asyncio.Event().wait()

    shelf.orphans, desk.while_reading = [CALL], hangs
    taking = asyncio.create_task(member.take_over())
    await is_reading.wait()
    has = asyncio.create_task(member.has("rtc_1"))
    await asyncio.sleep(0)
    assert not has.done()
    taking.cancel()
    async with asyncio.timeout(PATIENCE_S):
        assert not await has
    await member.take_over()
    assert shelf.handed_over == [["rtc_1"]]


async def test_a_takeover_that_is_cancelled_gives_up_no_call_that_is_served() -> None:
    member, shelf, desk, _ = await joined()
    orphans = shelf.orphans = [replace(CALL, id=f"rtc_{number}") for number in range(BATCH + 1)]

    async def hangs_once() -> None:
        if len(desk.read) == 2:
            await asyncio.Event().wait()

    desk.while_reading = hangs_once
    taking = asyncio.create_task(member.take_over())
    while len(desk.taken) < BATCH:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    taking.cancel()
    await asyncio.wait([taking])
    assert [await member.has(call.id) for call in orphans] == [True] * BATCH + [False]


async def test_calls_of_which_the_answer_never_came_are_asserted_not_to_be_held() -> None:
    member, shelf, _, _ = await joined()
    shelf.while_taking_over = asyncio.Event().wait
    taking = asyncio.create_task(member.take_over())
    while "take over" not in shelf.asked:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    taking.cancel()
    await asyncio.wait([taking])
    await member.keeper.beat()
    assert shelf.asserted == [[]]


async def test_nothing_is_taken_over_after_a_pause_before_the_store_was_asked_for_our_own_calls() -> None:
    member, shelf, desk, clock = await joined(takeover_s=0.0)
    shelf.orphans = [CALL]
    clock.now += 11
    running = asyncio.create_task(member.run())
    for _ in range(9):
        await asyncio.sleep(0)
    assert shelf.asked == ["join"]
    await member.keeper.look()
    while not desk.taken:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    running.cancel()
    assert shelf.asked[:3] == ["join", "assert", "take over"]


async def test_a_call_that_cannot_be_taken_up_costs_none_of_the_others() -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans = [CALL, replace(CALL, id="rtc_2")]
    desk.fails = "rtc_1"
    await member.take_over()
    assert [call.id for call in desk.taken] == ["rtc_2"]
    assert (member.keeper.calls.fence("rtc_1"), member.keeper.calls.fence("rtc_2")) == (0, 1)
    await member.take_over()
    assert shelf.handed_over == [["rtc_1"]]


async def test_a_call_that_fails_again_and_again_is_tried_less_and_less() -> None:
    member, shelf, desk, clock = await joined()
    began, handed_on_at = clock.now, list[float]()
    shelf.orphans, desk.fails = [CALL], "rtc_1"
    for _ in range(80):
        await member.take_over()
        if len(shelf.handed_over) > len(handed_on_at):
            handed_on_at.append(clock.now - began)
            shelf.orphans = [CALL]  # and nobody else takes it
        clock.now += 0.5
    assert handed_on_at == [0.5, 2.0, 4.5, 9.0, 17.5, 34.0]


async def test_a_call_that_was_claimed_without_the_store_is_not_lost_when_it_is_answered_first_thing() -> (
    None
):
    member, shelf, desk, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble, shelf.unknown = None, {"rtc_1"}
    await member.answered("rtc_1")
    assert (desk.dropped, member.keeper.calls.fence("rtc_1")) == ([], 1)
    await member.keeper.beat()
    assert [[call.state for call in calls] for calls in shelf.asserted] == [[CallState.ANSWERED]]


async def test_a_call_that_another_has_when_it_is_answered_is_lost() -> None:
    member, shelf, desk, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    shelf.unknown = {"rtc_1"}
    await member.answered("rtc_1")
    assert (desk.dropped, member.keeper.calls.fence("rtc_1")) == (["rtc_1"], 0)


async def test_a_call_that_is_announced_again_while_it_is_answered_is_not_claimed_twice() -> None:
    member, shelf, _, _ = await joined()
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL)
    assert await member.claim(CALL, NO_LIMITS) == Claim()
    assert shelf.asked == ["join", "claim"]


async def test_a_clock_that_differs_is_told_until_it_agrees() -> None:
    member, shelf, desk, _ = await joined()
    shelf.orphans, shelf.trouble = (
        [CALL],
        ClockError("this machine's clock is 3600 s ahead of the database's"),
    )
    await member.take_over()
    assert (member.clock_trouble, member.keeper.trouble) == (
        "this machine's clock is 3600 s ahead of the database's",
        None,
    )
    shelf.trouble = None
    await member.take_over()
    assert (member.clock_trouble, desk.taken) == (None, [CALL])


async def test_a_call_that_is_lost_while_others_are_taken_up_is_not_served() -> None:
    member, shelf, desk, _ = await joined()

    async def loses() -> None:
        member.lose("rtc_2")

    shelf.orphans, desk.while_reading = [CALL, replace(CALL, id="rtc_2")], loses
    await member.take_over()
    assert [call.id for call in desk.taken] == ["rtc_1"]


async def test_a_call_that_was_claimed_without_the_store_is_confirmed_once_it_is_answered() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble, shelf.fences = None, {"rtc_1": 2}
    await member.keeper.beat()
    confirmed = [(member.keeper.calls.is_confirmed("rtc_1"), member.keeper.calls.fence("rtc_1"))]
    await member.answered("rtc_1")
    confirmed.append((member.keeper.calls.is_confirmed("rtc_1"), member.keeper.calls.fence("rtc_1")))
    assert confirmed == [(False, 1), (True, 2)]


async def test_a_call_that_another_gives_up_as_the_api_has_answered_it_for_us_is_asserted() -> None:
    member, shelf, desk, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = None
    await member.keeper.beat()
    # The other has deleted its claim by now.
    shelf.unknown = {"rtc_1"}
    await member.answered("rtc_1")
    assert desk.dropped == []
    assert [[call.state for call in calls] for calls in shelf.asserted] == [
        [CallState.RINGING],
        [CallState.ANSWERED],
    ]


async def test_a_call_that_cannot_be_taken_up_is_claimed_by_its_next_announcement() -> None:
    member, shelf, desk, _ = await joined()
    announced: list[asyncio.Task[Claim]] = []

    async def cannot() -> None:
        announced.append(asyncio.create_task(member.claim(CALL, NO_LIMITS)))
        await asyncio.sleep(0)
        member.put_back("rtc_1")

    shelf.orphans, desk.while_reading = [CALL], cannot
    await member.take_over()
    assert await announced[0] == Claim(ours=CALL)
    assert shelf.asked == ["join", "take over", "claim"]


async def test_a_call_that_is_put_back_and_claimed_again_is_not_handed_over() -> None:
    member, shelf, _, _ = await joined()
    member.put_back("rtc_1")
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL)
    await member.take_over()
    assert shelf.handed_over == []


async def test_what_others_could_not_write_of_our_calls_is_made_up_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    member, shelf, desk, clock = await joined()
    late = SealedEntries("rtc_1", 7, b"sealed")
    shelf.late_pieces = [late]
    desk.trouble = StoreError("no answer")
    for _ in range(2):
        await member.take_up_late()
    assert [(record.message, record.__dict__["error"]) for record in caplog.records] == [
        ("late journal entries cannot be read", "no answer")
    ]
    desk.trouble = None
    await member.take_up_late()
    assert shelf.late_pieces == [late], "the next owner needs it until the journal has what follows from it"
    desk.done = [late]
    await member.take_up_late()
    await member.take_up_late()
    assert desk.late == [late, late]
    assert shelf.late_pieces == []
    asked = len(shelf.asked)
    clock.now += 10.0
    await member.take_up_late()
    member.keeper.lease = None
    await member.take_up_late()
    assert len(shelf.asked) == asked, "without a lease our calls may be another's"
