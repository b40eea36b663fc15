"""A call before it is answered: who takes it, what is known of the caller, and how it is turned away."""

from collections.abc import Mapping

import pytest

from runner.call.machine.lookup import DEADLINE, RETRY
from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import TABLE, UNANSWERED, CallPhase, Phase, Trigger
from runner.call.machine.world import World
from runner.call.routes.routing import RouteTable
from runner.model.action import (
    Action,
    AnswerCall,
    ClaimCall,
    ClearTimer,
    Finish,
    OpenSideband,
    RejectCall,
    SendRequest,
    SetTimer,
)
from runner.model.agent import Agent, Limits, Lookup
from runner.model.call import Ringing, SipOrigin
from runner.model.event import (
    AnswerReplied,
    ClaimReplied,
    Decided,
    Limit,
    RejectReplied,
    Replied,
    SidebandOpened,
    TimerFired,
)
from runner.model.http import Failure, HttpReply
from runner.model.reception import RingResult
from runner.model.route import (
    Conditions,
    ExactNumber,
    Otherwise,
    Prefix,
    Reject,
    RejectRule,
    Route,
    RoutingSettings,
    ToAgent,
)
from runner.model.tool import HttpBinding, Retries
from runner.model.values import Json, Place
from tests.call.machine.playing import an_agent, words

NOW = 1_795_000_000.0
DESK = Route(
    agent="front-desk",
    conditions=Conditions(called=ExactNumber("+18005551212")),
    place=Place("front-desk.yaml", 4, 5),
)
BLOCKED = RejectRule(
    conditions=Conditions(caller=Prefix("+1900")), status=486, place=Place("runner.yaml", 3, 5)
)
ROUTED = "the route at front-desk.yaml:4:5 matches: to is +18005551212"
DONE = Decided.DONE


def ringing(*, to: str = "+18005551212", caller: str = "+14155550100", age_s: float = 0.5) -> Ringing:
    headers = (
        ("From", f"<sip:{caller}@pstn.example>;tag=a"),
        ("To", "<sip:proj_1@sip.api.openai.com>"),
        ("X-Dialled", to),
    )
    return Ringing(call_id="rtc_1", created_at=NOW - age_s, origin=SipOrigin(headers=headers))


def world(*agents: Agent, otherwise: Otherwise | None = None, default_country: str | None = None) -> World:
    agents = agents or (an_agent("front-desk"),)
    return World(
        agents={agent.id: agent for agent in agents},
        table=RouteTable([DESK], rejects=[BLOCKED], otherwise=otherwise),
        routing=RoutingSettings(default_country=default_country, called_number=("X-Dialled",)),
        secrets={"CRM": "s3cret"},
        max_call_age_s=120.0,
    )


def limited(name: str, busy: Otherwise, limit: Limit = Limit.CONCURRENT_CALLS, most: int = 1) -> Agent:
    limits = Limits(concurrent_calls=most) if limit is Limit.CONCURRENT_CALLS else Limits(calls_per_day=most)
    return an_agent(name, limits=limits, busy=busy)


def looking_up(**fields: Json) -> Agent:
    fields = {
        "timeout_s": 1.5,
        "default": {"name": None},
        "instructions": "{{ lookup.name }} calls.",
        **fields,
    }
    binding = HttpBinding(
        method="GET",
        url=words("https://crm.example/{{ call.from.number }}"),
        retries=fields.pop("retries", Retries()),
    )
    lookup = Lookup(http=binding, timeout_s=fields.pop("timeout_s"), default=fields.pop("default"))
    return an_agent("front-desk", lookup=lookup, instructions=words(fields.pop("instructions")))


def rings(world: World, ring: Ringing | None = None) -> tuple[CallMachine, list[Action]]:
    return CallMachine.ring(ring or ringing(), world, NOW)


def claimed(world: World) -> tuple[CallMachine, list[Action]]:
    """The machine of a call that was claimed, and what it wants then."""
    machine, _ = rings(world)
    return machine, machine.handle(ClaimReplied(agent="front-desk"), NOW)


def reply(attempt: int = 1, status: int = 200, body: bytes = b'{"name": "Ada"}') -> Replied:
    return Replied(call_id="rtc_1", attempt=attempt, reply=HttpReply(status=status, body=body))


# Who takes the call


def test_a_call_that_a_route_matches_is_claimed_and_answered() -> None:
    machine, actions = rings(world())
    assert actions == [ClaimCall(agent="front-desk")]
    assert machine.reception.placement.why == ROUTED
    assert machine.call.created_at == NOW - 0.5
    assert (machine.call.caller.number, machine.call.called.number) == ("+14155550100", "+18005551212")
    assert machine.call.called_found_in == "X-Dialled"
    (answer,) = machine.handle(ClaimReplied(agent="front-desk"), NOW)
    assert isinstance(answer, AnswerCall)
    assert (answer.agent.id, answer.instructions) == ("front-desk", "You are front-desk.")
    assert machine.record() is not None
    actions = machine.handle(AnswerReplied(decided=DONE), NOW + 1)
    assert actions[0] == OpenSideband()
    assert (machine.phase, machine.reception.result) == (Phase.WAITING, RingResult.ACCEPTED)


def test_a_number_is_read_in_the_default_country() -> None:
    machine, _ = rings(world(default_country="US"), ringing(to="(800) 555-1212"))
    assert machine.reception.agent == "front-desk"


def test_a_reject_rule_comes_before_every_route() -> None:
    machine, actions = rings(world(), ringing(caller="+19005550000"))
    assert actions == [RejectCall(status=486)]
    assert (
        machine.reception.placement.why
        == "the reject rule at runner.yaml:3:5 matches: from begins with +1900"
    )
    assert machine.handle(RejectReplied(decided=DONE), NOW) == [Finish()]
    assert (machine.phase, machine.reception.result) == (Phase.OVER, RingResult.REJECTED)
    assert machine.record() is None


@pytest.mark.parametrize("status", [404, 480])
def test_a_call_that_no_route_matches_is_rejected_as_otherwise_says(status: int) -> None:
    machine, actions = rings(world(otherwise=Reject(status=status)), ringing(to="+18005550000"))
    assert actions == [RejectCall(status=status)]
    assert machine.reception.placement.why == f"no route matches, and routing.otherwise rejects with {status}"


def test_a_call_that_no_route_matches_goes_to_the_agent_that_otherwise_names() -> None:
    machine, actions = rings(world(otherwise=ToAgent(agent="front-desk")), ringing(to="+18005550000"))
    assert actions == [ClaimCall(agent="front-desk")]
    assert machine.reception.placement.why == 'no route matches, and routing.otherwise names "front-desk"'


@pytest.mark.parametrize(("age_s", "is_late"), [(-10, False), (119.9, False), (120, False), (120.1, True)])
def test_a_call_older_than_the_limit_is_not_answered(age_s: float, is_late: bool) -> None:
    machine, actions = rings(world(), ringing(age_s=age_s))
    assert (machine.reception.result is RingResult.LATE) is is_late
    assert (actions == [Finish()]) is is_late


@pytest.mark.parametrize(
    ("limit", "most", "said"),
    [
        (Limit.CONCURRENT_CALLS, 2, "2 calls at once"),
        (Limit.CONCURRENT_CALLS, 1, "1 call at once"),
        (Limit.CALLS_PER_DAY, 2, "2 calls a day"),
    ],
)
def test_a_call_over_a_limit_is_rejected_with_the_declared_status(limit: Limit, most: int, said: str) -> None:
    machine, actions = rings(world(limited("front-desk", Reject(status=480), limit, most)))
    assert actions == [ClaimCall(agent="front-desk", **{limit.value: most})]
    actions = machine.handle(ClaimReplied(agent="front-desk", reached=limit), NOW)
    assert actions == [RejectCall(status=480)]
    why = f'{ROUTED}; "front-desk" is busy ({said}); the call is rejected with 480'
    assert machine.reception.placement.why == why
    machine.handle(RejectReplied(decided=DONE), NOW)
    assert machine.reception.result is RingResult.BUSY


def test_a_call_over_a_limit_goes_to_the_agent_that_busy_names() -> None:
    desk = limited("front-desk", ToAgent(agent="overflow"))
    machine, _ = rings(world(desk, limited("overflow", Reject(status=486))))
    actions = machine.handle(ClaimReplied(agent="front-desk", reached=Limit.CONCURRENT_CALLS), NOW)
    assert actions == [ClaimCall(agent="overflow", concurrent_calls=1)]
    # The answer to an earlier claim changes nothing.
    assert machine.handle(ClaimReplied(agent="front-desk"), NOW) == []
    (answer,) = machine.handle(ClaimReplied(agent="overflow"), NOW)
    assert isinstance(answer, AnswerCall)
    assert answer.agent.id == "overflow"
    record = machine.record()
    assert record is not None
    assert record.why == f'{ROUTED}; "front-desk" is busy (1 call at once); the call is given to "overflow"'


def test_a_circle_of_busy_agents_ends_with_busy_here() -> None:
    agents = (limited("front-desk", ToAgent(agent="a")), limited("a", ToAgent(agent="front-desk")))
    machine, _ = rings(world(*agents))
    machine.handle(ClaimReplied(agent="front-desk", reached=Limit.CONCURRENT_CALLS), NOW)
    actions = machine.handle(ClaimReplied(agent="a", reached=Limit.CONCURRENT_CALLS), NOW)
    assert actions == [RejectCall(status=486)]


def test_a_call_that_another_runner_has_is_left_to_it() -> None:
    machine, _ = rings(world())
    assert machine.handle(ClaimReplied(agent="front-desk", taken=True), NOW) == [Finish()]
    assert machine.reception.result is RingResult.TAKEN


# The lookup


def test_the_lookup_is_asked_before_the_call_is_answered() -> None:
    machine, actions = claimed(world(looking_up()))
    deadline, sent = actions
    assert deadline == SetTimer(timer=DEADLINE, at=NOW + 1.5)
    assert isinstance(sent, SendRequest)
    assert (sent.call_id, sent.tool, sent.request.url) == (
        "rtc_1",
        "lookup",
        "https://crm.example/%2B14155550100",
    )
    actions = machine.handle(reply(), NOW + 0.2)
    assert actions[:2] == [ClearTimer(timer=DEADLINE), ClearTimer(timer=RETRY)]
    assert isinstance(actions[2], AnswerCall)
    assert actions[2].instructions == "Ada calls."
    record = machine.record()
    assert record is not None
    assert record.lookup_s == pytest.approx(0.2)
    assert not record.faults


def test_a_lookup_is_tried_again_while_there_is_time() -> None:
    retries = Retries(attempts=3, backoff_s=0.2, on=frozenset({503}))
    machine, _ = claimed(world(looking_up(retries=retries)))
    assert machine.handle(reply(status=503), NOW + 1) == [SetTimer(timer=RETRY, at=NOW + 1.2)]
    (sent,) = machine.handle(TimerFired(timer=RETRY), NOW + 1.2)
    assert isinstance(sent, SendRequest)
    assert sent.attempt == 2
    assert machine.handle(reply(attempt=1), NOW + 1.3) == [], "the first attempt has ended already"
    # The next could only begin after the deadline.
    actions = machine.handle(reply(attempt=2, status=503), NOW + 1.3)
    assert isinstance(actions[-1], AnswerCall)


def test_a_lookup_that_is_late_gives_its_default_and_costs_no_call() -> None:
    machine, _ = claimed(world(looking_up()))
    actions = machine.handle(TimerFired(timer=DEADLINE), NOW + 1.5)
    assert isinstance(actions[-1], AnswerCall)
    record = machine.record()
    assert record is not None
    assert record.lookup_s == 1.5
    assert record.faults == ("the lookup gave its default: the endpoint did not answer in time",)
    # What it says now is too late.
    machine.handle(AnswerReplied(decided=DONE), NOW + 2)
    assert machine.handle(reply(), NOW + 2) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HttpReply(failure=Failure.CONNECTION, detail="refused"), "could not be reached"),
        (HttpReply(status=200, body=b"{"), "reply is not JSON"),
    ],
)
def test_a_lookup_without_a_usable_reply_gives_its_default(answer: HttpReply, said: str) -> None:
    machine, _ = claimed(world(looking_up()))
    actions = machine.handle(Replied(call_id="rtc_1", attempt=1, reply=answer), NOW + 0.1)
    assert isinstance(actions[-1], AnswerCall)
    record = machine.record()
    assert record is not None
    assert said in record.faults[0]


def test_an_answer_that_the_templates_cannot_use_is_replaced_by_the_default() -> None:
    agent = looking_up(instructions="{{ lookup.count + 1 }}", default={"count": 1})
    machine, _ = claimed(world(agent))
    actions = machine.handle(reply(body=b'{"count": "many"}'), NOW)
    assert isinstance(actions[-1], AnswerCall)
    assert actions[-1].instructions == "2"


# The answer


def test_a_call_whose_texts_cannot_be_made_is_turned_away() -> None:
    machine, actions = claimed(world(an_agent("front-desk", instructions=words("{{ 1 // 0 }}"))))
    assert actions == [RejectCall(status=480)]
    machine.handle(RejectReplied(decided=DONE), NOW)
    assert machine.reception.result is RingResult.FAILED
    assert "division" in machine.reception.detail


@pytest.mark.parametrize(
    ("decided", "result"),
    [
        (Decided.GONE, RingResult.GONE),
        (Decided.TAKEN, RingResult.TAKEN),
        (Decided.UNAVAILABLE, RingResult.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("blocked", [False, True])
def test_a_decision_that_the_api_does_not_take_ends_the_ringing(
    decided: Decided, result: RingResult, blocked: bool
) -> None:
    if blocked:
        machine, _ = rings(world(), ringing(caller="+19005550000"))
        actions = machine.handle(RejectReplied(decided=decided, detail="why"), NOW)
    else:
        machine, _ = claimed(world())
        actions = machine.handle(AnswerReplied(decided=decided, detail="why"), NOW)
    assert actions == [Finish()]
    assert (machine.reception.result, machine.reception.detail) == (result, "why")
    assert machine.record() is None


def test_a_call_that_may_not_be_answered_is_not_left_ringing() -> None:
    machine, _ = claimed(world())
    assert machine.handle(AnswerReplied(decided=Decided.REFUSED, detail="bad"), NOW) == [
        RejectCall(status=480)
    ]
    machine.handle(RejectReplied(decided=DONE), NOW)
    assert (machine.reception.result, machine.reception.detail) == (RingResult.FAILED, "bad")


# The table of phases


def test_a_step_that_the_table_does_not_have_is_a_bug() -> None:
    phase = CallPhase()
    with pytest.raises(KeyError):
        phase.move(Trigger.HANG_UP)
    assert phase.now is Phase.RINGING


def test_every_phase_can_be_reached_and_left() -> None:
    reached = {Phase.RINGING, *TABLE.values()}
    left = {phase for phase, _ in TABLE}
    assert reached == set(Phase)
    assert left == set(Phase) - {Phase.OVER}


def ways(table: Mapping[tuple[Phase, Trigger], Phase], phase: Phase) -> set[Phase]:
    return {after for (before, _), after in table.items() if before is phase}


def test_no_phase_leads_back_to_before_the_answer() -> None:
    answered = set(Phase) - set(UNANSWERED)
    assert all(ways(TABLE, phase) <= answered for phase in answered)


def test_what_no_row_has_changes_nothing_before_the_answer() -> None:
    machine, _ = rings(world())
    assert machine.handle(SidebandOpened(), NOW) == []
    assert machine.handle(RejectReplied(decided=DONE), NOW) == []
    assert machine.phase is Phase.CLAIMING
