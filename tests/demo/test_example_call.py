"""An example call is one that the agent answers, by the real table, as soon as its schedules allow."""

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.call.routes.routing import RouteTable
from runner.call.templates.template import compile_template
from runner.demo.example_call import ExampleCall, agent_of, example_call
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
    Route,
    RoutingSettings,
    Text,
    ToAgent,
)
from runner.model.schedule import OpenHours, Schedule
from runner.model.settings import Configuration, Settings
from runner.model.values import Place

SUNDAY_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
PLACE = Place("a.yaml", 1, 1)
OFFICE_HOURS = Schedule(
    name="office-hours",
    timezone=ZoneInfo("UTC"),
    week=((OpenHours(start=time(9), end=time(17)),),) * 5 + ((), ()),
)


def configuration(*conditions: Conditions, **settings: Any) -> Configuration:
    routes = tuple(Route(agent="a", conditions=one, place=PLACE) for one in conditions)
    agent = Agent(id="a", model="m", instructions=compile_template("Be kind."), routes=routes, place=PLACE)
    return Configuration(directory=".", agents={"a": agent}, settings=Settings(**settings))


def found(made: Configuration, **given: Any) -> ExampleCall | None:
    example = example_call("a", made, RouteTable.of(made), SUNDAY_NOON, **given)
    if example is not None:
        assert agent_of(example, made, RouteTable.of(made)) == "a"
    return example


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
    assert (example.at, example.waits_for) == (SUNDAY_NOON, None)


def test_a_withheld_caller_is_found() -> None:
    example = found(configuration(Conditions(caller=Anonymous())))
    assert example is not None
    assert example.caller == "anonymous"


def test_a_header_is_sent_along() -> None:
    example = found(configuration(Conditions(headers=(("X-Plan", Text("gold*")),))))
    assert example is not None
    assert example.headers == (("X-Plan", "goldexample"),)


def test_a_share_of_callers_is_searched_for() -> None:
    assert found(configuration(Conditions(share=0.1))) is not None


def test_a_closed_schedule_puts_the_call_off_until_it_opens() -> None:
    made = configuration(Conditions(during="office-hours"), schedules={"office-hours": OFFICE_HOURS})
    example = found(made)
    assert example is not None
    assert datetime.fromtimestamp(example.at, UTC) == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert example.waits_for == "office-hours"


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
    [(), (Conditions(called=Regex("sip:secret[0-9]+@pbx")),), (Conditions(transport=Transport.WEBRTC),)],
)
def test_no_call_is_better_than_one_that_somebody_else_gets(conditions: tuple[Conditions, ...]) -> None:
    assert found(configuration(*conditions)) is None


def test_numbers_that_are_given_are_kept() -> None:
    made = configuration(Conditions(called=Prefix("+1800")))
    example = found(made, caller="+421948155064", called="+18001112222")
    assert example is not None
    assert (example.caller, example.called) == ("+421948155064", "+18001112222")
    assert found(made, called="+19005550000") is None
