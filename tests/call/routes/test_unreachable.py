"""Routes that can never win: those that are named never do, and what is plain to see is named."""

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.addresses.address import read_address
from runner.call.routes.routing import RouteTable
from runner.call.routes.unreachable import find_unreachable
from runner.model.call import IncomingCall, SipOrigin
from runner.model.route import (
    AnyOf,
    Conditions,
    Country,
    ExactNumber,
    Matcher,
    Not,
    Prefix,
    Regex,
    RejectRule,
    Route,
    Text,
)
from runner.model.values import Place

NUMBERS = ("+18005550142", "+18005550199", "+12125550142", "+4930123456", "+390612345678")
PARTIES: tuple[Matcher, ...] = (
    *map(ExactNumber, NUMBERS),
    *(Prefix(number[:length]) for number in NUMBERS[:3] for length in (2, 5, 8)),
    *(Country(frozenset(codes)) for codes in ({"US"}, {"DE"}, {"US", "DE"}, {"IT"})),
    Not(ExactNumber(NUMBERS[0])),
    AnyOf((ExactNumber(NUMBERS[0]), Prefix("+4930"))),
    AnyOf(tuple(map(ExactNumber, NUMBERS)), listed_in="_all.txt"),
    AnyOf(tuple(map(ExactNumber, NUMBERS[:3])), listed_in="_some.txt"),
)
PLANS = ("gold", "green", "silver")

LISTED_PLANS = AnyOf(tuple(map(Text, PLANS)), listed_in="_plans.txt")

parties = st.none() | st.sampled_from(PARTIES)
conditions = st.builds(
    Conditions,
    called=parties,
    caller=parties,
    headers=st.sampled_from(
        [(), *((("X-Plan", plan),) for plan in (*map(Text, ("gold", "g*", "*")), LISTED_PLANS))]
    ),
    share=st.sampled_from([None, None, None, 0.0, 0.5]),
)

# An agent, a priority and what the route asks for.
Declared: TypeAlias = tuple[str, int, Conditions]


def table(*routes: Declared, rejects: tuple[Conditions, ...] = ()) -> RouteTable:
    """Routes of agents with priorities, in the order of their lines."""
    return RouteTable(
        [
            Route(agent=agent, priority=priority, conditions=asked, place=Place("a.yaml", line, 1))
            for line, (agent, priority, asked) in enumerate(routes, start=1)
        ],
        rejects=[
            RejectRule(conditions=asked, place=Place("runner.yaml", line, 1))
            for line, asked in enumerate(rejects, start=1)
        ],
    )


CALLS = [
    IncomingCall(
        id="rtc_1",
        caller=read_address(f"sip:{caller}@carrier.example"),
        called=read_address(f"sip:{called}@carrier.example"),
        called_found_in="To",
        origin=SipOrigin(headers=(("x-plan", plan),) if plan else ()),
    )
    for called in NUMBERS
    for caller in NUMBERS
    for plan in ("", *PLANS)
]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), conditions), min_size=1, max_size=6),
    st.lists(conditions, max_size=2),
)
def test_what_is_named_never_wins(routes: list[Declared], rejects: list[Conditions]) -> None:
    asked = table(*routes, rejects=tuple(rejects))
    covered = {id(found.route) for found in find_unreachable(asked)}
    for call in CALLS:
        assert id(asked.match(call, 0.0).route) not in covered


def _plan(value: Matcher) -> Conditions:
    return Conditions(headers=(("X-Plan", value),))


TOLL_FREE = Conditions(called=Prefix("+1800"))
ONE = Conditions(called=ExactNumber(NUMBERS[0]))


@pytest.mark.parametrize(
    ("stronger", "weaker", "is_covered"),
    [
        (("a", 1, TOLL_FREE), ("b", 0, ONE), True),
        (("a", 0, TOLL_FREE), ("b", 0, ONE), False),
        (("a", 1, ONE), ("b", 0, TOLL_FREE), False),
        (("a", 0, ONE), ("a", 0, ONE), True),
        (("a", 1, Conditions()), ("b", 0, ONE), True),
        (("a", 1, Conditions(called=Country(frozenset({"IT"})))), ("b", 0, ONE), False),
        (("a", 1, Conditions(called=Not(ExactNumber("+390612345678")))), ("b", 0, ONE), False),
        (("a", 1, Conditions(during="open")), ("b", 0, Conditions(during="open", called=Prefix("+1"))), True),
        (("a", 1, Conditions(during="open")), ("b", 0, Conditions(during="shut")), False),
        (("a", 1, Conditions(share=0.5)), ("b", 0, Conditions(share=0.1)), False),
        (("a", 1, Conditions(share=0.5)), ("a", 0, Conditions(share=0.1)), True),
        (("a", 1, Conditions(share=0.1)), ("a", 0, Conditions(share=0.5)), False),
        (("a", 1, _plan(Text("g*"))), ("b", 0, _plan(Text("gold"))), True),
        (("a", 1, _plan(Text("g*"))), ("b", 0, _plan(Text("silver"))), False),
        (("a", 1, _plan(Text("g*"))), ("b", 0, _plan(Text("go*"))), False),
        (("a", 1, _plan(Text("gold"))), ("b", 0, _plan(Regex("gold|silver"))), False),
        (("a", 1, _plan(Regex("gold|silver"))), ("b", 0, _plan(Text("gold"))), False),
    ],
)
def test_what_is_plain_to_see_is_named(stronger: Declared, weaker: Declared, is_covered: bool) -> None:
    found = list(find_unreachable(table(stronger, weaker)))
    assert [covered.route.place.line for covered in found] == ([2] if is_covered else [])
    assert [rule.place.line for covered in found for rule in covered.by] == ([1] if is_covered else [])


def test_a_list_is_covered_when_each_of_its_entries_is() -> None:
    both = Conditions(called=AnyOf((ExactNumber(NUMBERS[0]), ExactNumber(NUMBERS[3]))))
    other = Conditions(called=Country(frozenset({"DE"})))
    assert list(find_unreachable(table(("a", 1, TOLL_FREE), ("b", 0, both)))) == []
    (found,) = find_unreachable(table(("a", 1, TOLL_FREE), ("c", 1, other), ("b", 0, both)))
    assert [rule.place.line for rule in found.by] == [1, 2]


def test_reject_rules_cover_whatever_the_priority() -> None:
    (found,) = find_unreachable(table(("a", 99, ONE), rejects=(TOLL_FREE,)))
    assert found.by[0].place == Place("runner.yaml", 1, 1)


def test_many_routes_with_one_number_each_take_time_in_proportion() -> None:
    routes = [("a", i % 3, Conditions(called=ExactNumber(f"+1800{5_000_000 + i}"))) for i in range(2000)]
    assert list(find_unreachable(table(*routes))) == []
