"""An example call is one that the agent answers, by the real table, as soon as its schedules allow."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.call.examples.call_for_agent import CallFinder, FixedParts, HandoffTo, handoffs_to
from runner.call.examples.example_call import ExampleCall
from runner.call.templates.template import compile_template
from runner.model.agent import Agent
from runner.model.call import Transport
from runner.model.route import (
    Anonymous,
    AnyOf,
    Conditions,
    Country,
    ExactAddress,
    ExactNumber,
    Glob,
    Matcher,
    Not,
    Prefix,
    Regex,
    RejectRule,
    Route,
    RoutingSettings,
    Text,
    ToAgent,
)
from runner.model.schedule import ClosedDays, OpenHours, Schedule
from runner.model.settings import Configuration, Settings
from runner.model.tool import HandoffBinding, Tool
from runner.model.values import Place

SUNDAY_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
MADE_UP = FixedParts()
PLACE = Place("a.yaml", 1, 1)
OFFICE_HOURS = Schedule(
    name="office-hours",
    timezone=ZoneInfo("UTC"),
    week=((OpenHours(start=time(9), end=time(17)),),) * 5 + ((), ()),
)


def agent(name: str, *conditions: Conditions, tools: tuple[Tool, ...] = ()) -> Agent:
    routes = tuple(Route(agent=name, conditions=one, place=PLACE) for one in conditions)
    instructions = compile_template("Be kind.")
    return Agent(id=name, model="m", instructions=instructions, routes=routes, tools=tools, place=PLACE)


def configuration(
    *conditions: Conditions, others: tuple[Conditions, ...] = (), **settings: Any
) -> Configuration:
    agents = {"a": agent("a", *conditions), "b": agent("b", *others)}
    return Configuration(directory=".", agents=agents, settings=Settings(**settings))


def found(made: Configuration, agent: str = "a", given: FixedParts = MADE_UP) -> ExampleCall | None:
    finder = CallFinder(made, SUNDAY_NOON, given)
    call = finder.call_for(made.agents[agent])
    if call is not None:
        assert finder.match(call).agent == agent
    return call


@pytest.mark.parametrize(
    "matcher",
    [
        ExactNumber("+18005551212"),
        ExactAddress("desk", "pbx.example"),
        Prefix("+1800"),
        Prefix("+"),
        Prefix("+1800555121"),
        Country(frozenset({"SK"})),
        Glob(user="reception*"),
        Glob(host="*.example"),
        AnyOf((Regex("never"), ExactNumber("+18005551212"))),
        Not(ExactNumber("+18005551212")),
    ],
)
@pytest.mark.parametrize("party", ["called", "caller"])
def test_a_call_is_found_for_each_kind_of_matcher(matcher: Matcher, party: str) -> None:
    conditions = Conditions(called=matcher) if party == "called" else Conditions(caller=matcher)
    example = found(configuration(conditions))
    assert example is not None
    assert example.at == SUNDAY_NOON


def test_a_withheld_caller_is_found() -> None:
    example = found(configuration(Conditions(caller=Anonymous())))
    assert example is not None
    assert example.incoming(RoutingSettings()).caller.anonymous


def test_a_header_is_sent_along() -> None:
    example = found(configuration(Conditions(headers=(("X-Plan", Text("gold*")),))))
    assert example is not None
    assert example.headers == (("X-Plan", "goldx"),)


def test_a_share_of_callers_is_searched_for() -> None:
    assert found(configuration(Conditions(share=0.1))) is not None


def test_a_closed_schedule_puts_the_call_off_until_it_opens() -> None:
    made = configuration(Conditions(during="office-hours"), schedules={"office-hours": OFFICE_HOURS})
    example = found(made)
    assert example is not None
    assert datetime.fromtimestamp(example.at, UTC) == datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_an_agent_that_answers_while_another_is_closed_is_called_then() -> None:
    number = ExactNumber("+18005551212")
    day = Schedule(
        name="day", timezone=ZoneInfo("UTC"), week=((OpenHours(start=time(9), end=time(17)),),) * 7
    )
    made = configuration(
        Conditions(called=number),
        others=(Conditions(called=number, during="day"),),
        schedules={"day": day},
    )
    example = found(made)
    assert example is not None
    assert datetime.fromtimestamp(example.at, UTC) == datetime(2026, 11, 22, 17, tzinfo=UTC)
    example = found(made, "b")
    assert example is not None
    assert example.at == SUNDAY_NOON


def test_the_route_that_opens_first_is_taken() -> None:
    early = Schedule(
        name="early", timezone=ZoneInfo("UTC"), week=((OpenHours(start=time(7), end=time(8)),),) * 7
    )
    made = configuration(
        Conditions(called=ExactNumber("+18005551212"), during="office-hours"),
        Conditions(called=ExactNumber("+18005551213"), during="early"),
        Conditions(called=ExactNumber("+18005551214"), during="office-hours"),
        schedules={"office-hours": OFFICE_HOURS, "early": early},
    )
    example = found(made)
    assert example is not None
    assert (example.called, datetime.fromtimestamp(example.at, UTC).hour) == ("+18005551213", 7)


def test_a_long_holiday_is_waited_for() -> None:
    days = (ClosedDays(date(2026, 11, 22), date(2027, 1, 20)),)
    made = configuration(
        Conditions(during="office-hours"), schedules={"office-hours": replace(OFFICE_HOURS, closed=days)}
    )
    example = found(made)
    assert example is not None
    assert datetime.fromtimestamp(example.at, UTC) == datetime(2027, 1, 21, 9, tzinfo=UTC)


def test_a_route_that_is_open_now_is_preferred() -> None:
    made = configuration(
        Conditions(called=ExactNumber("+18005551212"), during="office-hours"),
        Conditions(called=ExactNumber("+18005551213")),
        schedules={"office-hours": OFFICE_HOURS},
    )
    example = found(made)
    assert example is not None
    assert (example.called, example.at) == ("+18005551213", SUNDAY_NOON)


def test_an_agent_that_otherwise_names_needs_no_route() -> None:
    assert found(configuration(routing=RoutingSettings(otherwise=ToAgent(agent="a")))) is not None


@pytest.mark.parametrize(
    "conditions",
    [(), (Conditions(called=Regex("sip:(desk|bell)+@pbx")),)],
)
def test_no_call_is_better_than_one_that_somebody_else_gets(conditions: tuple[Conditions, ...]) -> None:
    assert found(configuration(*conditions)) is None


def test_an_agent_that_only_browsers_reach_is_called_by_one() -> None:
    made = configuration(Conditions(transport=Transport.WEBRTC))
    assert found(made) == ExampleCall(caller="web:user-1", called="web:a", at=SUNDAY_NOON)
    assert found(made, given=FixedParts(caller="web:ada")) == ExampleCall(
        caller="web:ada", called="web:a", at=SUNDAY_NOON
    )
    assert found(made, given=FixedParts(called="+18005550100")) is None


def test_a_telephone_call_shows_more_than_one_from_a_browser() -> None:
    made = configuration(
        Conditions(transport=Transport.WEBRTC), Conditions(called=ExactNumber("+18005550142"))
    )
    assert (call := found(made)) is not None
    assert call.called == "+18005550142"


def test_a_browser_is_found_that_is_in_a_share_and_named() -> None:
    made = configuration(Conditions(transport=Transport.WEBRTC, share=0.05, caller=Glob(user="staff-*")))
    assert (call := found(made)) is None
    made = configuration(Conditions(transport=Transport.WEBRTC, share=0.05))
    assert (call := found(made)) is not None
    assert call.transport is Transport.WEBRTC


def test_what_is_given_is_kept() -> None:
    made = configuration(Conditions(called=Prefix("+1800"), headers=(("X-Plan", Text("gold")),)))
    given = FixedParts(caller="+421948155064", called="+18001112222", headers=(("X-Shop", "maple"),))
    assert found(made, given=given) == ExampleCall(
        caller="+421948155064",
        called="+18001112222",
        headers=(("X-Shop", "maple"), ("X-Plan", "gold")),
        at=SUNDAY_NOON,
    )
    assert found(made, given=FixedParts(called="+19005550000")) is None
    assert found(made, given=FixedParts(headers=(("x-plan", "tin"),))) is None


def test_a_call_that_is_rejected_is_not_one_that_the_agent_answers() -> None:
    blocked = RejectRule(status=603, conditions=Conditions(caller=Country(frozenset({"US"}))), place=PLACE)
    example = found(configuration(Conditions(), routing=RoutingSettings(reject=(blocked,))))
    assert example is not None
    assert example.incoming(RoutingSettings()).caller.country != "US"


def test_a_call_that_no_rule_rejects_is_thought_of_where_the_rules_leave_one_caller() -> None:
    number = ExactNumber("+14155557777")
    blocked = RejectRule(status=603, conditions=Conditions(caller=Not(number)), place=PLACE)
    example = found(configuration(Conditions(), routing=RoutingSettings(reject=(blocked,))))
    assert example is not None
    assert example.caller == "+14155557777"


def test_the_tools_that_hand_calls_to_an_agent_are_listed() -> None:
    to_b = Tool(name="to_b", description="B.", parameters={}, binding=HandoffBinding(agent="b"))
    agents = {"a": agent("a", tools=(to_b,)), "b": agent("b")}
    assert list(handoffs_to("b", agents)) == [HandoffTo(agent=agents["a"], tool="to_b")]
    assert list(handoffs_to("a", agents)) == []
