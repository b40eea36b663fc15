"""The lease of one runner: when it may act, and what it tells the store after it has failed."""

import asyncio
import logging
import time
from dataclasses import replace

import pytest

from runner.errors import StoreError
from runner.model.live_call import CallState, Claim, Lease
from runner.serve.fleet import lease_keeper
from runner.serve.fleet.lease_keeper import ANSWER, ASSERTION, LeaseKeeper
from tests.patience import PATIENCE_S
from tests.serve.fleet.shelf import CALL, INFO, NO_LIMITS, Clock, Shelf, joined


async def test_it_may_act_as_long_as_its_own_clock_says_that_the_lease_lasts() -> None:
    member, shelf, _, clock = await joined()
    may_act = [member.keeper.may_act]
    clock.now += 9.9
    may_act.append(member.keeper.may_act)
    clock.now += 0.1
    may_act.append(member.keeper.may_act)
    assert may_act == [True, True, False]
    waiting = asyncio.create_task(member.keeper.acting())
    await asyncio.sleep(0)
    assert not waiting.done()
    await member.keeper.beat()
    await waiting
    assert shelf.asked == ["join", "assert"]


async def test_where_nobody_else_can_join_it_may_act_although_the_store_is_away() -> None:
    member, shelf, _, clock = await joined()
    shelf.is_exclusive, shelf.trouble = True, StoreError("database is locked")
    clock.now += 11
    await member.keeper.beat()
    async with asyncio.timeout(PATIENCE_S):
        await member.keeper.acting()


async def test_a_heartbeat_renews_and_asserts_nothing() -> None:
    member, shelf, _, _ = await joined()
    await member.keeper.beat()
    await member.keeper.beat()
    assert shelf.asked == ["join", "renew", "renew"]


async def test_what_was_claimed_while_the_store_was_away_is_asserted_when_it_is_back() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    assert await member.claim(CALL, NO_LIMITS) == Claim(ours=CALL, is_written=False)
    await member.answered("rtc_1")
    await member.keeper.beat()
    assert member.keeper.trouble == "no answer"
    shelf.trouble = None
    await member.keeper.beat()
    assert [[call.state for call in calls] for calls in shelf.asserted] == [[CallState.ANSWERED]]
    await member.keeper.beat()
    assert shelf.asked[-2:] == ["assert", "renew"]
    assert member.keeper.trouble is None


async def test_a_store_that_can_only_be_read_is_told_as_away_once_and_once_as_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A full disk: SQLite renews the lease, since it writes nothing, and takes no call."""
    caplog.set_level(logging.INFO, "runner.serve.fleet")
    member, shelf, _, _ = await joined()
    shelf.trouble_in_writing = StoreError("its disk is full")
    await member.claim(CALL, NO_LIMITS)
    for _ in range(3):
        await member.keeper.beat()
        await member.claim(replace(CALL, id="rtc_2"), NO_LIMITS)
    troubles = [member.keeper.trouble]
    shelf.trouble_in_writing = None
    for _ in range(3):
        await member.keeper.beat()
    assert [*troubles, member.keeper.trouble] == ["its disk is full", None]
    assert [line.getMessage() for line in caplog.records] == [
        "store is unavailable",
        "calls were claimed again",
        "store is available again",
    ]


async def test_the_log_names_calls_that_were_claimed_again_and_nothing_where_there_are_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    member, _, _, clock = await joined()
    clock.now += 11
    await member.keeper.beat()
    assert not caplog.records
    await member.claim(CALL, NO_LIMITS)
    clock.now += 11
    await member.keeper.beat()
    assert [(line.getMessage(), line.__dict__["calls"]) for line in caplog.records] == [
        ("calls were claimed again", 1)
    ]


async def test_a_call_that_is_lost_is_dropped_before_anybody_who_waits_to_act_wakes() -> None:
    member, shelf, desk, clock = await joined()
    await member.claim(CALL, NO_LIMITS)
    clock.now += 11
    shelf.lost = {"rtc_1"}
    dropped_first: list[bool] = []

    async def acts() -> None:
        await member.keeper.acting()
        dropped_first.append(desk.dropped == ["rtc_1"])

    waiting = asyncio.create_task(acts())
    await asyncio.sleep(0)
    await member.keeper.beat()
    await waiting
    assert dropped_first == [True]
    assert (member.keeper.calls.fence("rtc_1"), member.over("rtc_1")) == (0, None)


async def test_a_lease_that_was_lost_between_two_heartbeats_is_asserted() -> None:
    member, shelf, _, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    shelf.is_renewed = False
    await member.keeper.beat()
    assert shelf.asserted == [[CALL]]
    assert member.keeper.lease == Lease(runner="one", epoch=2)


async def test_a_pause_while_the_store_answers_is_a_pause_until_it_was_asked_again() -> None:
    member, shelf, _, clock = await joined()

    async def stands_still() -> None:
        clock.now += 11

    shelf.while_renewing = stands_still
    await member.keeper.look()
    was_paused = [member.keeper.was_paused]
    shelf.while_renewing = None
    await member.keeper.look()
    was_paused.append(member.keeper.was_paused)
    assert was_paused == [True, False]
    assert shelf.asked == ["join", "renew", "assert"]


async def test_a_store_that_does_not_answer_is_away_and_no_pause() -> None:
    shelf = Shelf()
    keeper = LeaseKeeper(shelf, INFO, lease_s=0.03, clock=Clock())
    await keeper.join()
    shelf.while_renewing = asyncio.Event().wait
    async with asyncio.timeout(PATIENCE_S):
        await keeper.look()
    assert keeper.trouble == "no answer in time"
    assert not keeper.was_paused


async def test_an_answer_that_came_while_this_process_stood_still_counts() -> None:
    shelf = Shelf()
    keeper = LeaseKeeper(shelf, INFO, lease_s=0.03, clock=Clock())
    await keeper.join()

    async def stands_still() -> None:
        time.sleep(0.03)  # noqa: ASYNC251 - that is what it is about
        # An answer takes some turns from the socket to whoever has asked.
        for _ in range(5):
            await asyncio.sleep(0)

    shelf.while_renewing = stands_still
    await keeper.beat()
    assert (keeper.trouble, shelf.asked) == (None, ["join", "renew"])


async def test_what_is_in_doubt_is_waited_for_until_the_store_knows_it() -> None:
    member, shelf, _, _ = await joined()
    keeper = member.keeper
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = None
    told = asyncio.create_task(keeper.told())
    await asyncio.sleep(0)
    assert not told.done()
    await keeper.look()
    async with asyncio.timeout(PATIENCE_S):
        await told
    assert shelf.asserted == [[CALL]]


async def test_calls_in_doubt_are_asserted_without_the_wait_for_the_next_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease_keeper, "SOON", 0.0)
    shelf = Shelf()
    keeper = LeaseKeeper(shelf, INFO, heartbeat_s=1000.0)
    await keeper.join()
    running = asyncio.create_task(keeper.run())
    while "renew" not in shelf.asked:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    keeper.doubt()
    async with asyncio.timeout(PATIENCE_S):
        await keeper.told()
    running.cancel()
    assert shelf.asserted == [[]]


async def test_the_lease_is_renewed_again_and_again() -> None:
    shelf = Shelf()
    keeper = LeaseKeeper(shelf, INFO, heartbeat_s=0.0)
    await keeper.join()
    running = asyncio.create_task(keeper.run())
    while shelf.asked.count("renew") < 3:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    running.cancel()


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
    await member.keeper.beat()
    await answering[0]
    assert (desk.dropped, member.keeper.calls.fence("rtc_1")) == ([], 1)
    assert [[call.state for call in calls] for calls in shelf.asserted] == [[CallState.ANSWERED]]


async def test_a_call_that_is_claimed_without_the_store_before_it_is_told_is_asserted_once() -> None:
    member, shelf, _, _ = await joined()

    async def claims() -> None:
        shelf.trouble = StoreError("no answer")
        await member.claim(CALL, NO_LIMITS)
        shelf.trouble = shelf.while_asserting = None

    shelf.is_renewed, shelf.while_asserting = False, claims
    await member.keeper.beat()
    shelf.is_renewed = True
    await member.keeper.beat()
    assert shelf.asserted == [[CALL]]


async def test_a_call_that_is_claimed_without_the_store_after_it_was_told_is_asserted_again() -> None:
    member, shelf, _, _ = await joined()

    async def claims() -> None:
        shelf.trouble = StoreError("no answer")
        await member.claim(CALL, NO_LIMITS)
        shelf.trouble = shelf.once_told = None

    shelf.is_renewed, shelf.once_told = False, claims
    await member.keeper.beat()
    shelf.is_renewed = True
    await member.keeper.beat()
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
    await member.keeper.beat()
    await asyncio.gather(*answering)
    assert len(shelf.asserted) == 2
    assert [call.state for call in shelf.asserted[1]] == [CallState.ANSWERED] * 4


async def test_a_call_that_was_answered_without_the_store_is_confirmed_when_it_is_asserted() -> None:
    member, shelf, _, _ = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    await member.answered("rtc_1")
    confirmed = [(member.keeper.calls.is_confirmed("rtc_1"), member.keeper.calls.fence("rtc_1"))]
    shelf.trouble, shelf.fences = None, {"rtc_1": 2}
    await member.keeper.beat()
    confirmed.append((member.keeper.calls.is_confirmed("rtc_1"), member.keeper.calls.fence("rtc_1")))
    assert confirmed == [(False, 1), (True, 2)]


async def test_a_heartbeat_without_an_answer_puts_no_call_in_doubt() -> None:
    member, shelf, _, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = StoreError("no answer")
    await member.keeper.beat()
    told = [member.keeper.trouble, member.keeper.is_in_doubt]
    shelf.trouble = None
    await member.keeper.beat()
    assert [*told, member.keeper.trouble] == ["no answer", True, None]
    assert shelf.asked == ["join", "claim", "renew", "renew"]


async def test_what_another_says_of_a_call_while_heartbeats_fail_is_not_believed() -> None:
    member, shelf, desk, _ = await joined()
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = StoreError("no answer")
    await member.keeper.beat()
    # A database that was replaced, and has lost the claim with its last commits.
    shelf.trouble, shelf.unknown = None, {"rtc_1"}
    await member.answered("rtc_1")
    assert desk.dropped == []


async def test_the_lease_is_renewed_before_the_calls_in_doubt_are_asserted_which_takes_longer() -> None:
    member, shelf, _, clock = await joined()
    shelf.trouble = StoreError("no answer")
    await member.claim(CALL, NO_LIMITS)
    shelf.trouble = None
    clock.now += 9
    meanwhile: list[bool] = []

    async def takes_long() -> None:
        clock.now += 5
        meanwhile.extend((member.keeper.may_act, member.keeper.was_paused))

    shelf.while_asserting = takes_long
    await member.keeper.look()
    assert meanwhile == [True, False]
    assert shelf.asked == ["join", "claim", "renew", "assert"]


async def test_the_more_calls_are_asserted_the_longer_it_may_take_but_never_as_long_as_a_lease() -> None:
    shelf = Shelf()
    keeper = LeaseKeeper(shelf, INFO, lease_s=0.1, clock=Clock())
    await keeper.join()
    shelf.is_renewed = False

    async def asserts_within_s() -> float:
        began = asyncio.get_running_loop().time()
        await keeper.beat()
        return asyncio.get_running_loop().time() - began

    shelf.while_asserting = asyncio.Event().wait
    few_s = await asserts_within_s()
    for number in range(9_000):
        keeper.calls.hold(replace(CALL, id=f"rtc_{number}"))
    many_s = await asserts_within_s()
    assert few_s >= 0.1 * ANSWER
    assert many_s >= 0.1 * ASSERTION
    assert shelf.asserted == []
