"""Whatever two tables answer otherwise for some call is found: asked of every call of a small world.

Not at random, for the search is right rather than complete; with more examples it is worth a run by hand.
"""

from itertools import product
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.call.examples.example_call import ExampleCall
from runner.call.routes.routing import RouteTable
from runner.call.templates.template import compile_template
from runner.difference.call_changes import call_changes, verdict
from runner.model.agent import Agent
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
    Reject,
    RejectRule,
    Route,
    RoutingSettings,
    Text,
    ToAgent,
)
from runner.model.settings import Configuration, Settings
from runner.model.values import Place

NOW = 1_795_000_000.0
PARTIES = (
    "+18005551212",
    "+18005551213",
    "+18005550000",
    "+18002550000",
    "+18885551212",
    "+14155550100",
    "+15062345678",
    "+442079460123",
    "anonymous",
    "sip:desk@pbx.example",
    "sip:1001@pbx.example",
    "sip:desk@other.example",
)
HEADERS = ((), (("X-Plan", "gold"),), (("X-Plan", "tin"),))

leaf: st.SearchStrategy[Matcher] = st.sampled_from(
    [
        ExactNumber("+18005551212"),
        ExactNumber("+442079460123"),
        Prefix("+1"),
        Prefix("+1800"),
        Prefix("+18005551"),
        Country(frozenset({"US"})),
        Country(frozenset({"CA", "GB"})),
        Anonymous(),
        ExactAddress("desk", "pbx.example"),
        Glob(host="pbx.example"),
        Glob(user="desk"),
    ]
)
matcher = st.one_of(
    st.none(),
    leaf,
    st.builds(Not, leaf),
    st.lists(leaf, min_size=2, max_size=3, unique=True).map(lambda leaves: AnyOf(tuple(leaves))),
)
headers = st.sampled_from([(), (), (("X-Plan", Text("gold")),), (("X-Plan", Not(Text("gold"))),)])
conditions = st.builds(Conditions, called=matcher, caller=matcher, headers=headers)
routes = st.lists(st.tuples(st.sampled_from("abc"), conditions, st.sampled_from([0, 0, 1])), max_size=4)
rejects = st.lists(st.tuples(conditions, st.sampled_from([480, 603])), max_size=1)
otherwise: st.SearchStrategy[Reject | ToAgent] = st.sampled_from([Reject(status=404), ToAgent(agent="a")])
# Routes of agents with their priorities, reject rules with their statuses, and `otherwise`.
Side: TypeAlias = tuple[list[tuple[str, Conditions, int]], list[tuple[Conditions, int]], Reject | ToAgent]
sides: st.SearchStrategy[Side] = st.tuples(routes, rejects, otherwise)


def configuration(side: Side) -> Configuration:
    routes, rejects, otherwise = side
    found = [
        Route(agent=agent, conditions=asked, priority=priority, place=Place(agent, line, 1))
        for line, (agent, asked, priority) in enumerate(routes)
    ]
    rules = tuple(
        RejectRule(conditions=asked, status=status, place=Place("runner", line, 1))
        for line, (asked, status) in enumerate(rejects)
    )
    agents = {
        name: Agent(
            id=name,
            model="m",
            instructions=compile_template("i"),
            routes=tuple(route for route in found if route.agent == name),
            place=Place(name, 1, 1),
        )
        for name in "abc"
    }
    routing = RoutingSettings(reject=rules, otherwise=otherwise)
    return Configuration(directory="x", settings=Settings(routing=routing), agents=agents)


# How a call is read depends on none of what the sides differ in.
CALLS = [
    ExampleCall(called=called, caller=caller, headers=more, at=NOW).incoming(RoutingSettings())
    for called, caller, more in product(PARTIES, PARTIES, HEADERS)
]


def every_answer(configuration: Configuration) -> list[str | int]:
    table = RouteTable.of(configuration)
    return [verdict(table.match(call, NOW)) for call in CALLS]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(old=sides, new=sides)
def test_two_tables_that_differ_for_some_call_differ_in_what_is_told(old: Side, new: Side) -> None:
    before, after = configuration(old), configuration(new)
    pairs = set(zip(every_answer(before), every_answer(after), strict=True))
    wanted = {(one, other) for one, other in pairs if one != other}
    told = call_changes(before, after, NOW)
    missed = wanted - {(moved.old, moved.new) for moved in told.moved}
    assert not missed


@settings(max_examples=25, deadline=None, derandomize=True)
@given(side=sides, data=st.data())
def test_one_more_route_is_told_where_it_matters(side: Side, data: st.DataObject) -> None:
    routes, rejects, otherwise = side
    more = data.draw(st.tuples(st.sampled_from("abc"), conditions, st.just(0)))
    before, after = configuration(side), configuration(([*routes, more], rejects, otherwise))
    pairs = set(zip(every_answer(before), every_answer(after), strict=True))
    wanted = {(one, other) for one, other in pairs if one != other}
    assert wanted <= {(moved.old, moved.new) for moved in call_changes(before, after, NOW).moved}
