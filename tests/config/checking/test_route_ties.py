"""Two agents that tie for some call, with the call that the message shows."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from runner.call.examples.matching_values import common_text
from runner.call.routes.routing import RouteTable
from runner.call.routes.ties import find_ties
from runner.call.wildcards import glob_matches
from runner.config.checking.route_ties import check_ties
from runner.config.problem import Problems
from runner.model.call import Transport
from runner.model.route import (
    Anonymous,
    AnyOf,
    Conditions,
    Country,
    ExactAddress,
    ExactNumber,
    Glob,
    Not,
    Prefix,
    Regex,
    RejectRule,
    Route,
    Text,
)
from runner.model.schedule import ClosedDays, OpenHours, Schedule
from runner.model.values import Json, Place

NUMBER = ExactNumber("+18005551212")
US, GB, FR = "US", "GB", "FR"


def countries(*codes: str) -> Country:
    return Country(frozenset(codes))


def opened(
    name: str, start: int, end: int, zone: str = "UTC", closed: tuple[ClosedDays, ...] = ()
) -> Schedule:
    week = ((OpenHours(start=time(start), end=time(end)),),) * 5 + ((),) * 2
    return Schedule(name=name, timezone=ZoneInfo(zone), week=week, closed=closed)


SCHEDULES = {
    "morning": opened("morning", 8, 12),
    "evening": opened("evening", 18, 22),
    "new-york": opened("new-york", 3, 5, "America/New_York"),
    "never": Schedule(name="never", timezone=ZoneInfo("UTC"), week=((),) * 7),
    "shut": opened("shut", 8, 8, closed=(ClosedDays(date(2026, 1, 1), date(2026, 1, 31)),)),
}


def routes(*conditions: dict[str, Json]) -> list[Route]:
    return [
        Route(
            agent=str(entry.pop("agent", f"agent-{line}")),
            priority=int(str(entry.pop("priority", 0))),
            conditions=Conditions(**entry),
            place=Place("a.yaml", line, 3),
        )
        for line, entry in enumerate(map(dict, conditions), start=1)
    ]


def shown(*conditions: dict[str, object], rejects: tuple[RejectRule, ...] = ()) -> list[str]:
    problems = Problems()
    check_ties(RouteTable(routes(*conditions), schedules=SCHEDULES, rejects=rejects), problems)
    head = 'a.yaml:2:3: this route of "agent-2" ties with the one of "agent-1" at a.yaml:1:3 for a call to '
    tail = "; give one of them a higher priority [route-tie]"
    return [str(problem).removeprefix(head).removesuffix(tail) for problem in problems.sorted()]


TIES: list[tuple[dict[str, object], dict[str, object], str]] = [
    ({}, {}, "+12015550123 from +441212345678"),
    ({"called": NUMBER}, {"called": NUMBER}, "+18005551212 from +12015550123"),
    (
        {"called": AnyOf((ExactNumber("+14155550100"), NUMBER), listed_in="x")},
        {"called": AnyOf((AnyOf((NUMBER,)), Prefix("+44")))},
        "+18005551212 from +12015550123",
    ),
    (
        {"called": ExactAddress("desk", "pbx.example")},
        {"called": ExactAddress("desk", "pbx.example")},
        "sip:desk@pbx.example from +12015550123",
    ),
    ({"caller": Prefix("+1800")}, {"caller": Prefix("+1800")}, "+12015550123 from +18005500100"),
    ({"caller": countries(US, GB)}, {"caller": countries(FR, GB)}, "+12015550123 from +441212345678"),
    ({"called": Glob(user="a*")}, {"called": Glob(user="*b")}, "sip:ab@carrier.example from +12015550123"),
    ({"called": Glob(user="10")}, {"called": Glob(host="*.x")}, "sip:10@1.x from +12015550123"),
    (
        {"called": Regex(r"sip:1[0-9]{3}@pbx\.\w+")},
        {"called": Glob(user="1*")},
        "sip:1000@pbx.a from +12015550123",
    ),
    (
        {"caller": Anonymous()},
        {"caller": Regex("sip:.*")},
        "+12015550123 from sip:anonymous@anonymous.invalid",
    ),
    ({"during": "shut"}, {"during": "shut"}, "+12015550123 from +441212345678 at 2026-02-02T08:00:00+00:00"),
    ({"caller": Not(countries(US))}, {"caller": Anonymous(False)}, "+12015550123 from +441212345678"),
    (
        {"headers": (("X-Plan", Text("gold")),)},
        {"headers": (("X-Region", Text("eu")),)},
        '+12015550123 from +441212345678 with X-Plan "gold" with X-Region "eu"',
    ),
    (
        {"headers": (("X-Plan", Text("g*")),)},
        {"headers": (("x-plan", Text("*d")),)},
        '+12015550123 from +441212345678 with X-Plan "gd"',
    ),
    (
        {"headers": (("X-Plan", Text("go*")),)},
        {"headers": (("x-plan", Text("*old")),)},
        '+12015550123 from +441212345678 with X-Plan "gold"',
    ),
    (
        {"during": "morning"},
        {"during": "new-york"},
        "+12015550123 from +441212345678 at 2026-01-05T08:00:00+00:00",
    ),
    ({"share": 0.5}, {"share": 0.5}, "+12015550123 from SOMEBODY"),
    ({"share": 0.05}, {"share": 0.05}, "+12015550123 from SOMEBODY"),
]


@pytest.mark.parametrize(("first", "second", "call"), TIES)
def test_a_tie_is_told_with_a_call(first: dict[str, object], second: dict[str, object], call: str) -> None:
    [message] = shown(first, second)
    if call.endswith("SOMEBODY"):
        message = message.rpartition(" ")[0] + " SOMEBODY"
    assert message == call


NO_TIES: list[tuple[dict[str, object], dict[str, object]]] = [
    ({"agent": "same"}, {"agent": "same"}),
    ({"priority": 1}, {}),
    ({"called": NUMBER}, {"called": ExactNumber("+18005551213")}),
    ({"called": NUMBER}, {"called": ExactAddress("+18005551212", "pbx.example")}),
    ({"called": Prefix("+1800")}, {"called": Prefix("+1801")}),
    ({"called": Prefix("+1800")}, {"called": Prefix("+180")}),
    ({"called": NUMBER}, {"caller": NUMBER}),
    ({"caller": countries(US)}, {"caller": countries(GB)}),
    ({"called": Glob(user="1001")}, {"called": Glob(user="1002")}),
    ({"called": Glob(user="a*b")}, {"called": Glob(user="a*c")}),
    ({"called": Regex("sip:a@h")}, {"called": Regex("sip:b@h")}),
    ({"caller": Anonymous()}, {"caller": Anonymous(False)}),
    ({"caller": Anonymous()}, {"caller": Glob(user="desk")}),
    ({"headers": (("X-Plan", Text("gold")),)}, {"headers": (("x-plan", Text("silver")),)}),
    ({"headers": (("X-Plan", Text("gold")),)}, {"headers": (("x-plan", Text("*")),)}),
    ({"headers": (("X-Plan", Text("g*")),)}, {"headers": (("x-plan", Not(Text("g*"))),)}),
    ({"during": "morning"}, {"during": "evening"}),
    ({"during": "morning"}, {}),
    ({"during": "never"}, {"during": "never"}),
    ({"transport": Transport.SIP}, {"transport": Transport.WEBRTC}),
    # A browser asks for one agent by its name.
    ({"transport": Transport.WEBRTC}, {"transport": Transport.WEBRTC}),
    ({"share": 0.5}, {"share": 0.4}),
    ({"share": 0.0}, {"share": 0.0}),
    ({"called": AnyOf(())}, {"called": AnyOf(())}),
]


@pytest.mark.parametrize(("first", "second"), NO_TIES)
def test_routes_of_which_one_wins_do_not_tie(first: dict[str, object], second: dict[str, object]) -> None:
    assert shown(first, second) == []


def test_the_message_names_both_agents_and_both_places() -> None:
    problems = Problems()
    check_ties(RouteTable(routes({"called": NUMBER}, {"called": NUMBER})), problems)
    assert [str(problem) for problem in problems.sorted()] == [
        'a.yaml:2:3: this route of "agent-2" ties with the one of "agent-1" at a.yaml:1:3'
        " for a call to +18005551212 from +12015550123; give one of them a higher priority [route-tie]"
    ]


def test_a_third_route_that_always_wins_leaves_no_tie() -> None:
    assert shown({"called": NUMBER}, {"called": NUMBER}, {"called": NUMBER, "priority": 1}) == []


def test_a_call_that_is_rejected_is_no_tie() -> None:
    reject = RejectRule(conditions=Conditions(called=NUMBER), place=Place("runner.yaml", 1, 1))
    assert shown({"called": NUMBER}, {"called": NUMBER}, rejects=(reject,)) == []


def test_each_route_is_told_once_and_of_very_many_only_a_few() -> None:
    three = list(find_ties(RouteTable(routes({}, {}, {}))))
    assert [(tie.first.place.line, tie.second.place.line) for tie in three] == [(1, 2), (1, 3)]
    assert len(list(find_ties(RouteTable(routes(*[{}] * 100))))) == 20


def test_the_table_ranks_both_highest_for_the_call_that_is_shown() -> None:
    for first, second, _ in TIES:
        table = RouteTable(routes(first, second), schedules=SCHEDULES)
        [tie] = find_ties(table)
        assert table.best(tie.call, tie.now) == (tie.first, tie.second)


def test_a_pattern_is_found_behind_many_whole_values() -> None:
    users = [{"called": Glob(user=f"u{i}")} for i in range(100)]
    [tie] = find_ties(RouteTable(routes(*users, {"called": Glob(user="x1")}, {"called": Glob(user="x*")})))
    assert (tie.first.place.line, tie.second.place.line) == (101, 102)


def test_the_work_is_in_proportion_to_the_table() -> None:
    """Comparing each of these with each other would take hours."""
    numbers = [{"called": ExactNumber(f"+1415{i:07}")} for i in range(20_000)]
    headers = [{"called": NUMBER, "headers": (("X-Customer", Text(str(i))),)} for i in range(3_000)]
    users = [{"called": Glob(user=str(i))} for i in range(3_000)]
    [tie] = find_ties(RouteTable(routes(*numbers, *headers, *users, numbers[7])))
    assert (tie.first.place.line, tie.second.place.line) == (8, 26_001)


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ("a*", "*b", "ab"),
        ("a*c", "ab*", "abc"),
        ("a", "b", None),
        ("*", "*", ""),
        ("a*b*", "*ba", "aba"),
        ("x*", "y*", None),
        ("*a*b*", "b*a", "baba"),
    ],
)
def test_two_patterns_have_a_text_in_common_or_none(first: str, second: str, common: str | None) -> None:
    text = common_text(first, second)
    assert (text is None) is (common is None)
    if text is not None and common is not None:
        assert len(text) <= len(common)
        assert glob_matches(first, text)
        assert glob_matches(second, text)


def test_routes_that_tie_on_the_days_which_a_third_one_leaves_to_them() -> None:
    monday = Schedule(
        name="monday", timezone=ZoneInfo("UTC"), week=((OpenHours(start=time(0), end=time(0)),), *((),) * 6)
    )
    table = RouteTable(
        routes(
            {"called": NUMBER, "during": "morning"},
            {"called": NUMBER, "during": "morning"},
            {"called": NUMBER, "during": "monday", "priority": 1},
        ),
        schedules={**SCHEDULES, "monday": monday},
    )
    (tie,) = find_ties(table)
    assert datetime.fromtimestamp(tie.now, UTC) == datetime(2026, 1, 6, 8, tzinfo=UTC)
