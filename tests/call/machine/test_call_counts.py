"""Every call that was taken counts: while it lasts, and for the day on which it began to ring."""

import pytest

from runner.call.machine.call_counts import CallCounts, Load, Slot, day_of
from runner.model.action import ClaimCall
from runner.model.event import Limit
from runner.model.values import DAY_S

NOON = 20_000 * DAY_S + DAY_S / 2


def filled(live: int) -> CallCounts:
    call_counts = CallCounts()
    for _ in range(live):
        call_counts.take("desk", NOON)
    return call_counts


@pytest.mark.parametrize(
    ("at_once", "a_day", "live", "reached"),
    [
        (5, 5, 4, None),
        (None, None, 1000, None),
        (2, None, 2, Limit.CONCURRENT_CALLS),
        (None, 2, 2, Limit.CALLS_PER_DAY),
        (2, 2, 2, Limit.CONCURRENT_CALLS),
        (3, 2, 2, Limit.CALLS_PER_DAY),
    ],
)
def test_a_claim_finds_a_slot_or_the_limit_that_was_reached(
    at_once: int | None, a_day: int | None, live: int, reached: Limit | None
) -> None:
    call_counts = filled(live)
    claim = ClaimCall(agent="desk", concurrent_calls=at_once, calls_per_day=a_day)
    claimed = call_counts.claim(claim, NOON)
    assert claimed is reached if reached else isinstance(claimed, Slot)
    assert call_counts.load("desk", NOON).live == live + (reached is None)


def test_a_slot_that_was_kept_is_left_for_others_and_counts_for_the_day() -> None:
    call_counts = CallCounts()
    slot = call_counts.take("desk", NOON)
    assert call_counts.load("desk", NOON) == Load(live=1, today=1)
    slot.keep()
    slot.free()
    slot.free()
    assert call_counts.load("desk", NOON) == Load(live=0, today=1)


def test_a_slot_of_a_call_that_was_never_accepted_counts_for_nothing() -> None:
    call_counts = CallCounts()
    call_counts.take("desk", NOON).free()
    assert call_counts.load("desk", NOON) == Load(live=0, today=0)


def test_each_day_begins_at_midnight_utc_and_live_calls_go_on() -> None:
    call_counts = CallCounts()
    midnight = (day_of(NOON) + 1) * DAY_S
    before = call_counts.take("desk", midnight - 0.001)
    before.keep()
    assert call_counts.load("desk", midnight - 0.001) == Load(live=1, today=1)
    assert call_counts.load("desk", midnight) == Load(live=1, today=0)


def test_a_call_that_rang_before_midnight_counts_for_the_day_that_it_rang_on() -> None:
    call_counts = CallCounts()
    midnight = (day_of(NOON) + 1) * DAY_S
    call_counts.take("desk", midnight - 2).keep()
    claim = ClaimCall(agent="desk", calls_per_day=1)
    assert isinstance(call_counts.claim(claim, midnight + 1), Slot)
    assert call_counts.claim(claim, midnight - 1) is Limit.CALLS_PER_DAY


def test_days_long_gone_are_forgotten() -> None:
    call_counts = CallCounts()
    call_counts.take("desk", NOON)
    call_counts.take("desk", NOON + DAY_S)
    assert call_counts.load("desk", NOON).today == 1
    call_counts.take("desk", NOON + 2 * DAY_S)
    assert call_counts.load("desk", NOON).today == 0


def test_the_calls_before_a_restart_count_for_the_day() -> None:
    call_counts = CallCounts()
    call_counts.remember({"desk": 3}, NOON)
    call_counts.take("desk", NOON)
    assert call_counts.load("desk", NOON) == Load(live=1, today=4)
    assert call_counts.load("desk", NOON + DAY_S) == Load(live=1, today=0)
