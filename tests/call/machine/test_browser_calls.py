"""A call from a browser: who takes it, when it is greeted, and what only a telephone can do is not there."""

from dataclasses import replace

import pytest

from runner.call.machine.connection import HEARS, HEARS_S
from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import Phase
from runner.call.machine.world import World
from runner.call.routes.routing import RouteTable
from runner.model.action import (
    Action,
    AnswerCall,
    ClaimCall,
    Finish,
    OpenSideband,
    Refer,
    SetTimer,
    Speak,
    SwitchAgent,
)
from runner.model.agent import Agent, IfBroken, Keys, Limits, Say, Wait
from runner.model.call import Ringing, Transport, WebRtcOrigin
from runner.model.conversation_event import KeyPressed, McpListed, Outcome, ResponseEnded
from runner.model.event import (
    AnswerReplied,
    CallerConnected,
    CallEvent,
    ClaimReplied,
    Decided,
    Limit,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
)
from runner.model.reception import RingResult
from runner.model.route import Conditions, ExactNumber, RejectRule, Route, ToAgent
from runner.model.steering import TransferCall
from runner.model.tool import McpServer
from runner.model.values import Json, Place
from tests.call.machine.playing import END_CALL, TO_NURSE, an_agent, words

NOW = 1000.0
OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
WEB = Route(agent="desk", conditions=Conditions(transport=Transport.WEBRTC), place=Place("desk.yaml", 4, 5))
GREETED = an_agent(greeting=Say(text=words("Hello {{ call.from.user }}.")))


def ringing(**fields: Json) -> Ringing:
    origin = WebRtcOrigin(**{"subject": "user-1", "agent": "desk", "offer": OFFER, **fields})
    return Ringing(call_id="web_1", created_at=NOW, origin=origin)


def world(*agents: Agent, routes: tuple[Route, ...] = (WEB,), rejects: tuple[RejectRule, ...] = ()) -> World:
    otherwise = ToAgent(agent=agents[0].id)
    table = RouteTable(routes, rejects=rejects, otherwise=otherwise)
    return World(agents={agent.id: agent for agent in agents}, table=table)


def rings(
    *agents: Agent, ring: Ringing | None = None, **tables: tuple[Route, ...] | tuple[RejectRule, ...]
) -> tuple[CallMachine, list[Action]]:
    return CallMachine.ring(ring or ringing(), world(*agents, **tables), NOW)  # type: ignore[arg-type] # tables of several types


def happen(machine: CallMachine, *events: CallEvent, now: float = NOW) -> list[Action]:
    return [action for event in events for action in machine.handle(event, now)]


DONE = AnswerReplied(decided=Decided.DONE, api_call_id="rtc_9", sdp="v=0")


def answered(*agents: Agent, ring: Ringing | None = None) -> CallMachine:
    machine, _ = rings(*agents, ring=ring)
    happen(machine, ClaimReplied(agent=agents[0].id), DONE)
    assert machine.session is not None
    return machine


def spoken(actions: list[Action]) -> list[str | None]:
    return [action.say for action in actions if isinstance(action, Speak)]


def test_the_agent_that_is_asked_for_answers_with_the_offer() -> None:
    machine, actions = rings(GREETED)
    assert actions == [ClaimCall(agent="desk")]
    [answer] = happen(machine, ClaimReplied(agent="desk"))
    assert isinstance(answer, AnswerCall)
    assert (answer.agent.id, answer.offer) == ("desk", OFFER)
    assert machine.reception.api_call_id == "web_1"
    assert OpenSideband() in happen(machine, DONE)
    assert machine.reception.api_call_id == "rtc_9"


def test_the_record_names_the_caller_as_the_token_does() -> None:
    machine = answered(GREETED)
    record = machine.record()
    assert record is not None
    assert (record.id, record.caller, record.called, record.transport) == (
        "web_1",
        "web:user-1",
        "web:desk",
        "webrtc",
    )


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        (replace(WEB, conditions=Conditions()), "desk"),
        (replace(WEB, conditions=Conditions(called=ExactNumber("+18005551212"))), "desk"),
        (replace(WEB, conditions=Conditions(transport=Transport.SIP)), "desk"),
        (WEB, "sales"),
    ],
)
def test_nobody_is_reached_who_has_not_said_so_not_even_otherwise(route: Route, asked: str) -> None:
    machine, actions = rings(GREETED, an_agent("sales"), ring=ringing(agent=asked), routes=(route,))
    assert actions == [Finish()]
    assert machine.reception.result is RingResult.REJECTED
    assert machine.reception.placement.why == "no route with transport: webrtc matches"


def test_reject_rules_hold_for_browsers_too() -> None:
    rule = RejectRule(conditions=Conditions(), status=603, place=Place("runner.yaml", 2, 3))
    machine, actions = rings(GREETED, rejects=(rule,))
    assert actions == [Finish()]
    assert machine.reception.rejected_with == 603


def test_nothing_rings_at_the_api_so_that_nothing_is_turned_away_there() -> None:
    machine, _ = rings(replace(GREETED, limits=Limits(concurrent_calls=1)))
    assert happen(machine, ClaimReplied(agent="desk", reached=Limit.CONCURRENT_CALLS)) == [Finish()]
    assert machine.reception.result is RingResult.BUSY


@pytest.mark.parametrize(
    ("decided", "result"),
    [(Decided.REFUSED, RingResult.FAILED), (Decided.UNAVAILABLE, RingResult.UNAVAILABLE)],
)
def test_an_offer_that_the_api_does_not_take_ends_the_call(decided: Decided, result: RingResult) -> None:
    machine, _ = rings(GREETED)
    assert happen(machine, ClaimReplied(agent="desk"), AnswerReplied(decided=decided))[-1:] == [Finish()]
    assert (machine.reception.result, machine.phase) == (result, Phase.OVER)


def test_the_greeting_waits_until_the_browser_hears_us() -> None:
    machine = answered(GREETED)
    assert SetTimer(timer=HEARS, at=NOW + HEARS_S) in happen(machine, SidebandOpened())
    assert spoken(happen(machine, CallerConnected())) == ["Hello user-1."]
    assert HEARS not in machine.timers


def test_a_browser_that_says_nothing_is_greeted_all_the_same() -> None:
    machine = answered(GREETED)
    assert spoken(happen(machine, SidebandOpened())) == []
    assert spoken(happen(machine, TimerFired(timer=HEARS))) == ["Hello user-1."]
    assert spoken(happen(machine, CallerConnected())) == []


def test_a_browser_that_hears_us_first_is_greeted_when_the_sideband_opens_and_only_once() -> None:
    machine = answered(GREETED)
    assert spoken(happen(machine, CallerConnected())) == []
    assert spoken(happen(machine, SidebandOpened())) == ["Hello user-1."]
    assert spoken(happen(machine, CallerConnected(), TimerFired(timer=HEARS))) == []


@pytest.mark.parametrize("listed_first", [True, False])
def test_with_an_mcp_server_the_greeting_waits_for_both(listed_first: bool) -> None:
    machine = answered(replace(GREETED, mcp=(McpServer(label="calendar", settings={}),)))
    first, second = McpListed(item_id="mcp_1", ok=True), CallerConnected()
    if not listed_first:
        first, second = second, first  # type: ignore[assignment] # they change places
    assert spoken(happen(machine, SidebandOpened(), first)) == []
    assert spoken(happen(machine, second)) == ["Hello user-1."]


def test_what_only_a_telephone_can_do_is_not_there() -> None:
    agent = replace(GREETED, tools=(TO_NURSE, END_CALL), keys=Keys(until="#"))
    machine, _ = rings(agent)
    [answer] = happen(machine, ClaimReplied(agent="desk"))
    assert isinstance(answer, AnswerCall)
    assert [tool.name for tool in answer.agent.tools] == ["end_call"]
    happen(machine, DONE, SidebandOpened(), CallerConnected())
    assert happen(machine, KeyPressed(key="1"), KeyPressed(key="#")) == []


def test_an_agent_after_a_hand_off_has_no_telephone_either() -> None:
    machine = answered(GREETED, an_agent("other", tools=(TO_NURSE,)))
    assert machine.session is not None
    happen(machine, SidebandOpened(), CallerConnected())
    [switch, *_] = machine.session.serving.hand_off("other", "a test", NOW)
    assert isinstance(switch, SwitchAgent)
    assert switch.agent.tools == ()


@pytest.mark.parametrize("say", [None, words("Sorry, call again.")])
def test_a_broken_call_that_would_be_transferred_ends_with_a_goodbye(say: Json) -> None:
    way_out = IfBroken(transfer=words("tel:+14155550123"), say=say)
    machine = answered(replace(GREETED, if_broken=way_out))
    happen(machine, SidebandOpened(), CallerConnected())
    failed = [
        ResponseEnded(response_id=f"resp_{number}", wish=None, outcome=Outcome.FAILED) for number in range(2)
    ]
    happen(machine, *failed)
    assert machine.phase is Phase.SAYING_GOODBYE


def test_values_of_the_token_stand_before_those_that_the_agent_declares() -> None:
    agent = an_agent(
        instructions=words("{{ vars.plan }} {{ vars.clinic }}"),
        vars={"plan": words("free"), "clinic": words("Maple")},
    )
    machine = answered(agent, ring=ringing(vars={"plan": "gold", "unknown": 1}))
    assert machine.session is not None
    assert machine.session.texts.instructions == "gold Maple"
    assert machine.session.texts.variables == {"plan": "gold", "clinic": "Maple"}


@pytest.mark.parametrize(
    "events", [(SidebandOpened(), CallerConnected()), (CallerConnected(), SidebandOpened())]
)
def test_a_call_that_a_page_has_made_itself_is_answered_already_and_told_its_session(
    events: tuple[CallEvent, ...],
) -> None:
    machine, _ = rings(GREETED, ring=ringing(offer=None))
    assert OpenSideband() in happen(machine, ClaimReplied(agent="desk"))
    actions = happen(machine, *events)
    [update] = [action for action in actions if isinstance(action, SwitchAgent)]
    assert (update.agent.id, update.instructions) == ("desk", "You are desk.")
    assert spoken(actions) == ["Hello user-1."]


def test_a_browser_whose_process_was_lost_before_its_answer_is_gone_with_it() -> None:
    machine, _ = rings(GREETED)
    happen(machine, ClaimReplied(agent="desk"))
    assert happen(machine, TakenOver()) == [Finish()]
    assert machine.reception.result is RingResult.UNAVAILABLE


def test_a_live_call_is_taken_over_as_any_other() -> None:
    machine = answered(GREETED)
    happen(machine, SidebandOpened(), CallerConnected())
    assert OpenSideband(again=True) in happen(machine, TakenOver())
    assert machine.reception.api_call_id == "rtc_9"


def test_nobody_transfers_a_call_from_a_browser() -> None:
    everywhere = replace(
        world(an_agent(tools=(TO_NURSE,), greeting=Wait())), transfer_to=("tel:+14155550199",)
    )
    machine, _ = CallMachine.ring(ringing(), everywhere, NOW)
    happen(machine, ClaimReplied(agent="desk"), DONE, SidebandOpened())
    for target in ("nurse", "tel:+14155550199"):
        act = Steered(id=target, by="shift-lead", act=TransferCall(to=target))
        assert not [action for action in happen(machine, act) if isinstance(action, Refer)]
        deed = machine.deed(target)
        assert deed is not None
        assert deed.detail == f'no "transfer" now: "{target}" is not among the destinations'
