"""Files of entries: routing is as if they were written out, and a file is looked at once for everybody."""

from collections.abc import Sequence
from itertools import count

import pytest

from runner.call.addresses.address import read_address
from runner.call.routes.alternatives import Alternatives
from runner.call.routes.matcher import CompiledMatcher, Subject
from runner.call.routes.routing import RouteTable
from runner.call.routes.ties import find_ties
from runner.call.routes.unreachable import find_unreachable
from runner.model.call import IncomingCall, SipOrigin
from runner.model.route import (
    AnyOf,
    Conditions,
    Country,
    ExactAddress,
    ExactNumber,
    Matcher,
    Not,
    Prefix,
    Route,
    Text,
)
from runner.model.values import Place

LONG = tuple(ExactNumber(f"+1{code}{n:07}") for code in (212, 415) for n in range(2_000_000, 2_001_000))
CANADIAN, FOREIGN = ExactNumber("+16045550123"), ExactNumber("+442079460958")
MIXED: tuple[Matcher, ...] = (
    *LONG[:500],
    CANADIAN,
    *LONG[500:1500],
    ExactAddress("desk", "pbx.example"),
    FOREIGN,
    *LONG[1500:],
)


def listed(entries: Sequence[Matcher], name: str = "_lists/vip.txt") -> AnyOf:
    return AnyOf(tuple(entries), listed_in=name)


def table(*conditions: Conditions) -> RouteTable:
    lines = count(1)
    return RouteTable(
        [
            Route(agent=f"agent-{line}", conditions=asked, place=Place("a.yaml", line, 1))
            for line, asked in zip(lines, conditions, strict=False)
        ]
    )


def call(caller: str, **headers: str) -> IncomingCall:
    return IncomingCall(
        id="rtc_1",
        caller=read_address(caller),
        called=read_address("tel:+18005551212"),
        called_found_in="To",
        origin=SipOrigin(headers=tuple((name.replace("_", "-"), value) for name, value in headers.items())),
    )


@pytest.mark.parametrize(
    ("caller", "agent"),
    [
        (f"tel:{LONG[0].number}", "agent-1"),
        (f"tel:{LONG[-1].number}", "agent-1"),
        ("sip:desk@pbx.example", "agent-1"),
        ("sip:+442079460958@a.example", "agent-1"),
        ("tel:+12129999999", "agent-2"),
        ("tel:+4930123456", "agent-3"),
    ],
)
def test_a_call_finds_the_route_of_its_list(caller: str, agent: str) -> None:
    asked = table(
        Conditions(caller=AnyOf((listed(MIXED), Prefix("+99")))),
        Conditions(caller=Prefix("+1212")),
        Conditions(caller=Not(listed(MIXED))),
    )
    assert asked.match(call(caller), 0.0).agent == agent


def test_a_header_may_be_one_of_a_list() -> None:
    plans = listed([Text("gold"), Text("silver")], "_plans.txt")
    patterns = listed([Text("b*"), Text("iron")], "_patterns.txt")
    asked = table(Conditions(headers=(("X-Plan", plans),)), Conditions(headers=(("x-plan", patterns),)))
    found = [
        asked.match(call("tel:+14155550100", X_Plan=plan), 0.0).agent for plan in ("silver", "bronze", "tin")
    ]
    assert found == ["agent-1", "agent-2", None]


def ties(*conditions: Conditions) -> list[tuple[int, str | None]]:
    """The line of the second route of each tie, with the caller that shows it."""
    return [(tie.second.place.line, tie.call.caller.number) for tie in find_ties(table(*conditions))]


def test_a_number_that_a_list_and_another_route_name_is_a_tie() -> None:
    same = Conditions(caller=LONG[1234])
    assert ties(Conditions(caller=listed(LONG)), same) == [(2, LONG[1234].number)]
    assert ties(Conditions(caller=listed(LONG)), Conditions(caller=ExactNumber("+14159999999"))) == []


def test_two_lists_that_have_one_number_in_common_are_a_tie() -> None:
    first, second = listed(LONG[:1000]), listed((*LONG[1001:], LONG[999]), "_lists/other.txt")
    assert ties(Conditions(caller=first), Conditions(caller=second)) == [(2, LONG[999].number)]
    assert ties(Conditions(caller=first), Conditions(caller=listed(LONG[1001:], "_lists/other.txt"))) == []


def unreachable(*conditions: Conditions) -> list[int]:
    return [found.route.place.line for found in find_unreachable(table(*conditions))]


def test_a_list_is_unreachable_when_all_of_its_entries_are_taken_and_not_before() -> None:
    vip, us = listed(LONG), Country(frozenset({"US"}))
    taken = [Conditions(called=ExactNumber("+18005551212"), caller=vip), Conditions(caller=vip)]
    assert unreachable(*taken) == []
    assert unreachable(Conditions(caller=vip), Conditions(caller=vip)) == [2]
    assert unreachable(Conditions(caller=us), Conditions(caller=vip)) == []
    stronger = RouteTable(
        [
            Route(agent="a", priority=1, conditions=Conditions(caller=us), place=Place("a.yaml", 1, 1)),
            Route(agent="b", conditions=Conditions(caller=vip), place=Place("a.yaml", 2, 1)),
            Route(agent="c", conditions=Conditions(caller=listed(MIXED)), place=Place("a.yaml", 3, 1)),
        ]
    )
    assert [found.route.agent for found in find_unreachable(stronger)] == ["b"]


@pytest.mark.parametrize(
    ("others", "told_apart"),
    [
        ([], ()),
        ([Conditions(caller=LONG[700])], (LONG[700],)),
        ([Conditions(caller=Prefix("+44"))], (FOREIGN,)),
        ([Conditions(called=Country(frozenset({"FR"})))], (CANADIAN, FOREIGN)),
        ([Conditions(caller=listed([LONG[800], ExactNumber("+14159999999")], "other"))], (LONG[800],)),
    ],
)
def test_a_few_entries_of_a_list_stand_for_all_that_no_rule_tells_apart(
    others: list[Conditions], told_apart: tuple[Matcher, ...]
) -> None:
    conditions = Conditions(caller=listed(MIXED))
    found = [way.caller for way in Alternatives([conditions, *others]).of(conditions)]
    alike = [*LONG[:3], ExactAddress("desk", "pbx.example")]
    assert [entry for entry in found if entry not in alike] == list(told_apart)
    assert len(found) == len(alike) + len(told_apart)


def test_header_values_that_a_pattern_tells_apart_are_looked_at() -> None:
    plans = listed([*(Text(f"a{n}") for n in range(100)), Text("gold")], "_plans.txt")
    conditions = Conditions(headers=(("X-Plan", plans),))
    rules = [conditions, Conditions(headers=(("X-Plan", Text("g*")),))]
    found = [value for way in Alternatives(rules).of(conditions) for _, value in way.headers]
    assert found == [Text("a0"), Text("a1"), Text("a2"), Text("gold")]


def test_rules_that_name_one_file_share_what_is_compiled_of_it() -> None:
    vip = listed(LONG)
    lists: dict[int, CompiledMatcher] = {}
    matchers = [CompiledMatcher(matcher, lists) for matcher in (vip, AnyOf((vip, Prefix("+44"))), Not(vip))]
    assert len(lists) == 1
    subject = (Subject.party(call(f"tel:{LONG[5].number}").caller),)
    hits = [matcher.find(subject) for matcher in matchers]
    assert [hit and hit.matcher for hit in hits] == [LONG[5], LONG[5], None]
