"""The order in which routes are shown is the order in which they win."""

from itertools import pairwise
from typing import Any

import pytest

from runner.call.routes.precedence import in_order
from runner.call.routes.routing import RouteTable
from runner.model.call import Address, IncomingCall, SipOrigin, Transport
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
    Route,
    Text,
)
from runner.model.values import Place

NUMBER = "+18005551212"
CALL = IncomingCall(
    id="rtc_1",
    caller=Address(uri="sip:+14155550100@pstn.example", user="+14155550100", number="+14155550100"),
    called=Address(
        uri=f"sip:{NUMBER}@pbx.example", user=NUMBER, host="pbx.example", number=NUMBER, country="US"
    ),
    called_found_in="To",
    origin=SipOrigin(headers=(("X-Plan", "gold"), ("X-Line", "1"))),
)


def route(*, line: int, priority: int = 0, **conditions: Any) -> Route:
    return Route(
        agent=f"agent-{line}",
        conditions=Conditions(**conditions),
        priority=priority,
        place=Place("a.yaml", line, 1),
    )


GOLD: tuple[tuple[str, Matcher], ...] = (("X-Plan", Text("gold")),)
# The winner first. Every one of them matches CALL.
ORDER = [
    route(line=20, priority=2),
    route(line=19, priority=1, called=ExactNumber(NUMBER)),
    route(line=18, called=ExactAddress(NUMBER, "pbx.example")),
    route(line=17, called=ExactNumber(NUMBER), caller=Prefix("+1415")),
    route(line=16, called=ExactNumber(NUMBER), caller=Prefix("+1")),
    route(line=15, called=ExactNumber(NUMBER), headers=(*GOLD, ("X-Line", Text("1")))),
    route(line=14, called=ExactNumber(NUMBER), headers=GOLD),
    route(line=13, called=ExactNumber(NUMBER), headers=(("X-Plan", Text("g*")),)),
    route(line=12, called=ExactNumber(NUMBER), share=1.0),
    route(line=3, called=ExactNumber(NUMBER)),
    route(line=11, called=AnyOf((Prefix("+1800"), Country(frozenset({"US"}))))),
    route(line=10, called=Prefix("+18")),
    route(line=9, called=Glob(host="pbx.*")),
    route(line=8, called=Not(Anonymous())),
    route(line=7, called=Country(frozenset({"US"}))),
    route(line=6, caller=Prefix("+1")),
    route(line=5, transport=Transport.SIP),
    route(line=1),
    route(line=2),
]


def test_routes_are_sorted_by_who_wins() -> None:
    assert [found.place.line for found in in_order(reversed(ORDER))] == [found.place.line for found in ORDER]


@pytest.mark.parametrize(("winner", "loser"), list(pairwise(ORDER)), ids=lambda one: one.agent)
def test_the_table_decides_in_the_same_order(winner: Route, loser: Route) -> None:
    table = RouteTable([loser, winner], otherwise=Reject(status=404))
    assert table.match(CALL, 0.0).agent == winner.agent


def test_an_empty_list_says_nothing() -> None:
    empty, country = route(line=1, called=AnyOf(())), route(line=2, called=Country(frozenset({"US"})))
    assert in_order([empty, country]) == [country, empty]
