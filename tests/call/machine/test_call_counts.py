"""Calls over an agent's limits go where `busy` says, and every call that was taken counts."""

import pytest
from runner.call.reception.admission import Admit, TurnAway

from runner.call.machine.call_counts import DAY_S, CallCounts, Limit, LimitReached, Load, day_of, place_call
from runner.call.templates.template import compile_template
from runner.model.agent import Agent, Limits
from runner.model.call import Address, IncomingCall
from runner.model.route import Otherwise, Reject, ToAgent
from runner.model.values import Instant, Place

NOON = 20_000 * DAY_S + DAY_S / 2
ROUTED = "the route at a.yaml:3:5 matches"


def admitted(at: Instant = NOON, agent: str = "desk") -> Admit:
    nobody = Address(uri="")
    call = IncomingCall(id="rtc_1", caller=nobody, called=nobody, called_found_in="To", created_at=at)
    return Admit(call=call, agent=agent, route=None, why=ROUTED)


def agent(
    name: str, busy: Otherwise | None = None, *, at_once: int | None = None, a_day: int | None = None
) -> Agent:
    return Agent(
        id=name,
        model="gpt-realtime-2.1",
        instructions=compile_template("Be kind."),
        limits=Limits(concurrent_calls=at_once, calls_per_day=a_day),
        busy=busy or Reject(status=486),
        place=Place(f"{name}.yaml", 1, 1),
    )


def agents(*some: Agent) -> dict[str, Agent]:
    return {one.id: one for one in some}


def filled(**live: int) -> CallCounts:
    call_counts = CallCounts()
    for name, number in live.items():
        for _ in range(number):
            call_counts.take(name, NOON)
    return call_counts


@pytest.mark.parametrize(("live", "a_day"), [(0, 1), (1, 2), (4, None)])
def test_an_agent_with_room_takes_the_call_as_it_was_admitted(live: int, a_day: int | None) -> None:
    room = place_call(admitted(), agents(agent("desk", at_once=5, a_day=a_day)), filled(desk=live))
    assert (room.decision, room.full) == (admitted(), ())


def test_an_agent_without_limits_takes_any_number_of_calls() -> None:
    assert place_call(admitted(), agents(agent("desk")), filled(desk=1000)).full == ()


@pytest.mark.parametrize(
    ("limits", "full", "said"),
    [
        ({"at_once": 2}, LimitReached(agent="desk", limit=Limit.CONCURRENT_CALLS, most=2), "2 calls at once"),
        ({"at_once": 1}, LimitReached(agent="desk", limit=Limit.CONCURRENT_CALLS, most=1), "1 call at once"),
        ({"a_day": 2}, LimitReached(agent="desk", limit=Limit.CALLS_PER_DAY, most=2), "2 calls a day"),
    ],
)
def test_a_call_over_a_limit_is_rejected_with_the_declared_status(
    limits: dict[str, int], full: LimitReached, said: str
) -> None:
    room = place_call(admitted(), agents(agent("desk", Reject(status=480), **limits)), filled(desk=2))
    why = f'{ROUTED}; "desk" is busy ({said}); the call is rejected with 480'
    assert room.decision == TurnAway(call=admitted().call, status=480, why=why)
    assert room.full == (full,)


def test_a_call_over_a_limit_goes_to_the_agent_that_busy_names() -> None:
    some = agents(agent("desk", ToAgent(agent="overflow"), at_once=1), agent("overflow", at_once=1))
    room = place_call(admitted(), some, filled(desk=1))
    assert isinstance(room.decision, Admit)
    assert room.decision.agent == "overflow"
    assert room.decision.why == (
        f'{ROUTED}; "desk" is busy (1 call at once); the call is given to "overflow"'
    )


def test_the_other_agent_is_held_to_its_own_limits() -> None:
    some = agents(
        agent("desk", ToAgent(agent="overflow"), at_once=1),
        agent("overflow", ToAgent(agent="last"), a_day=1),
        agent("last", Reject(status=600), at_once=1),
    )
    room = place_call(admitted(), some, filled(desk=1, overflow=1, last=1))
    assert isinstance(room.decision, TurnAway)
    assert room.decision.status == 600
    assert [(full.agent, full.limit.value) for full in room.full] == [
        ("desk", "concurrent_calls"),
        ("overflow", "calls_per_day"),
        ("last", "concurrent_calls"),
    ]


def test_a_circle_ends_with_busy_here() -> None:
    some = agents(agent("desk", ToAgent(agent="a"), at_once=1), agent("a", ToAgent(agent="desk"), at_once=1))
    room = place_call(admitted(), some, filled(desk=1, a=1))
    assert isinstance(room.decision, TurnAway)
    assert room.decision.status == 486


def test_a_seat_that_was_kept_is_left_for_others_and_counts_for_the_day() -> None:
    call_counts = CallCounts()
    slot = call_counts.take("desk", NOON)
    assert call_counts.load("desk", NOON) == Load(live=1, today=1)
    slot.keep()
    slot.free()
    slot.free()
    assert call_counts.load("desk", NOON) == Load(live=0, today=1)


def test_a_seat_of_a_call_that_was_never_accepted_counts_for_nothing() -> None:
    call_counts = CallCounts()
    call_counts.take("desk", NOON).free()
    assert call_counts.load("desk", NOON) == Load(live=0, today=0)


def test_each_day_begins_at_midnight_utc_and_live_calls_go_on() -> None:
    call_counts = CallCounts()
    midnight = (day_of(NOON) + 1) * float(DAY_S)
    before = call_counts.take("desk", midnight - 0.001)
    before.keep()
    assert call_counts.load("desk", midnight - 0.001) == Load(live=1, today=1)
    assert call_counts.load("desk", midnight) == Load(live=1, today=0)


def test_a_call_that_rang_before_midnight_counts_for_the_day_that_it_rang_on() -> None:
    some = agents(agent("desk", a_day=1))
    call_counts = CallCounts()
    midnight = (day_of(NOON) + 1) * float(DAY_S)
    call_counts.take("desk", midnight - 2).keep()
    assert place_call(admitted(midnight + 1), some, call_counts).full == ()
    assert len(place_call(admitted(midnight - 1), some, call_counts).full) == 1


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
