"""Which route answers a call: each rule of the language by a table of its own."""

from datetime import time
from zoneinfo import ZoneInfo

import pytest

from runner.call.addresses.incoming import incoming_call
from runner.call.routes.routing import Match, RouteTable
from runner.call.wildcards import glob_matches
from runner.model.call import IncomingCall, Ringing, SipOrigin, Transport
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
    Reject,
    RejectRule,
    Route,
    RoutingSettings,
    Text,
    ToAgent,
)
from runner.model.schedule import OpenHours, Schedule
from runner.model.values import Json, Place

DESK = "sip:+18005551212@pbx.example"


def call(to: str = DESK, from_: str = "sip:+14155550100@carrier.example", **headers: str) -> IncomingCall:
    extra = [(name.replace("_", "-"), value) for name, value in headers.items()]
    origin = SipOrigin(headers=(("To", to), ("From", from_), *extra))
    ringing = Ringing(call_id="rtc_1", created_at=0.0, origin=origin)
    return incoming_call(ringing, RoutingSettings(default_country="US"))


def route(agent: str, *, line: int = 1, priority: int = 0, file: str = "a.yaml", **conditions: Json) -> Route:
    return Route(
        agent=agent,
        conditions=Conditions(**conditions),
        priority=priority,
        place=Place(file, line, 3),
    )


def answers(routes: list[Route], incoming: IncomingCall, now: float = 0.0, **table: Json) -> str | None:
    return RouteTable(routes, **table).match(incoming, now).agent


NUMBER = ExactNumber("+18005551212")
MATCHERS: list[tuple[Matcher, str, bool]] = [
    (NUMBER, DESK, True),
    (NUMBER, "tel:800-555-1212", True),
    (NUMBER, "sip:18005551212@elsewhere", True),
    (NUMBER, "sip:+18005551213@pbx.example", False),
    (ExactAddress("desk", "pbx.example"), "<sip:desk@PBX.example:5061;transport=tls>", True),
    (ExactAddress("desk", "pbx.example"), "sip:Desk@pbx.example", False),
    (ExactAddress("desk", "pbx.example"), "sip:desk@pbx2.example", False),
    (ExactAddress(None, "pbx.example"), "sip:pbx.example", True),
    (Prefix("+1800"), DESK, True),
    (Prefix("+1801"), DESK, False),
    (Prefix("+1800"), "sip:1800@pbx.example", False),
    (Country(frozenset({"GB", "US"})), DESK, True),
    (Country(frozenset({"US"})), "sip:+16045550123@h", False),
    (Country(frozenset({"CA"})), "sip:+16045550123@h", True),
    (Country(frozenset({"US"})), "sip:desk@h", False),
    (Glob(user="desk"), "sip:desk@anywhere", True),
    (Glob(user="de*k"), "sip:de-s-k@anywhere", True),
    (Glob(user="+1800*", host="*.example"), DESK, True),
    (Glob(host="PBX.*"), DESK, True),
    (Glob(user="*"), "sip:pbx.example", False),
    (Regex(r"sip:\+1800\d+@pbx\.example"), "<" + DESK + ":5061;user=phone>", True),
    (Regex(r"\+1800\d+"), DESK, False),
    (Regex(r".*hello.*"), "hello world", True),
    (Anonymous(), DESK, False),
    (Anonymous(), "sip:anonymous@anonymous.invalid", True),
    (Anonymous(False), DESK, True),
    (Not(Prefix("+1800")), DESK, False),
    (Not(Prefix("+1900")), DESK, True),
    (Not(AnyOf((Prefix("+1900"), NUMBER))), DESK, False),
    (AnyOf((Prefix("+1900"), NUMBER)), DESK, True),
    (AnyOf((Prefix("+1900"), AnyOf((Glob(user="x"), Country(frozenset({"US"})))))), DESK, True),
    (AnyOf(()), DESK, False),
]


@pytest.mark.parametrize(("matcher", "address", "expected"), MATCHERS)
def test_each_matcher_sees_the_called_and_the_caller_alike(
    matcher: Matcher, address: str, expected: bool
) -> None:
    agent = "a" if expected else None
    assert answers([route("a", called=matcher)], call(to=address)) == agent
    assert answers([route("a", caller=matcher)], call(from_=address)) == agent


HEADER_MATCHERS: list[tuple[Matcher, dict[str, str], bool]] = [
    (Text("gold"), {"x_plan": " gold "}, True),
    (Text("gold"), {"X_Plan": "golden"}, False),
    (Text("gold*"), {"X_Plan": "golden"}, True),
    (Text("gold"), {}, False),
    (Not(Text("gold")), {}, True),
    (Not(Text("gold")), {"X_Plan": "gold", "x_plan": "silver"}, False),
    (Text("silver"), {"X_Plan": "gold", "x_plan": "silver"}, True),
    (AnyOf((Text("gold"), Text("s*"))), {"X_Plan": "silver"}, True),
    (Regex("[a-z]+"), {"X_Plan": "gold"}, True),
    (Regex("[a-z]+"), {"X_Plan": "gold1"}, False),
    (Prefix("+1415"), {"X_Plan": "(415) 555-2671"}, True),
    (Country(frozenset({"GB"})), {"X_Plan": "<tel:+442079460958>"}, True),
    (Anonymous(), {"X_Plan": "sip:anonymous@anonymous.invalid"}, True),
    (Anonymous(False), {}, True),
]


@pytest.mark.parametrize(("matcher", "headers", "expected"), HEADER_MATCHERS)
def test_a_header_matches_by_any_of_its_values(
    matcher: Matcher, headers: dict[str, str], expected: bool
) -> None:
    table = RouteTable([route("a", headers=(("X-PLAN", matcher),))], default_country="US")
    assert table.match(call(**headers), 0.0).agent == ("a" if expected else None)


# Each route of this list beats all that stand below it; every one of them matches the same call.
ORDER: list[tuple[str, dict[str, Json]]] = [
    ("priority", {"priority": 1}),
    ("address", {"called": ExactAddress("+18005551212", "pbx.example")}),
    ("number-and-more", {"called": NUMBER, "caller": Prefix("+1")}),
    ("number", {"called": NUMBER}),
    ("entry-of-a-list", {"called": AnyOf((Prefix("+1"), Prefix("+180055512")))}),
    ("longer-prefix", {"called": Prefix("+18005")}),
    ("prefix", {"called": Prefix("+1800")}),
    ("pattern-and-caller", {"called": Glob(user="+1*"), "caller": Country(frozenset({"US"}))}),
    ("pattern", {"called": Regex("sip:.*")}),
    ("not", {"called": Not(Prefix("+1900"))}),
    ("country", {"called": Country(frozenset({"US"}))}),
    ("caller", {"caller": ExactNumber("+14155550100")}),
    ("caller-prefix", {"caller": Prefix("+1415"), "headers": (("X-Plan", Text("gold")),)}),
    ("two-headers", {"headers": (("X-Plan", Text("gold")), ("X-Region", Text("*")))}),
    ("header", {"headers": (("X-Plan", Text("gold")),)}),
    ("header-pattern", {"headers": (("X-Plan", Text("*")), ("X-Region", Text("e*")))}),
    ("during", {"during": "always"}),
    ("transport-and-share", {"transport": Transport.SIP, "share": 1.0}),
    ("transport", {"transport": Transport.SIP}),
    ("smaller-share", {"share": 0.999999}),
    ("share", {"share": 1.0}),
    ("nothing", {}),
]
ALWAYS = Schedule(
    name="always",
    timezone=ZoneInfo("UTC"),
    week=((OpenHours(start=time(0), end=time(0)),),) * 7,
)
NEVER = Schedule(name="never", timezone=ZoneInfo("UTC"), week=((),) * 7)
SCHEDULES = {"always": ALWAYS, "never": NEVER}


@pytest.mark.parametrize("stronger", range(len(ORDER) - 1))
def test_precedence_is_as_the_language_says(stronger: int) -> None:
    incoming = call(X_Plan="gold", X_Region="eu")
    routes = [route(name, line=99 - i, **conditions) for i, (name, conditions) in enumerate(ORDER[stronger:])]
    assert answers(routes, incoming, schedules=SCHEDULES) == ORDER[stronger][0]
    assert answers(routes[:2], incoming, schedules=SCHEDULES) == ORDER[stronger][0]


@pytest.mark.parametrize(
    ("entries", "weaker"),
    [
        ((Country(frozenset({"US"})), Glob(user="+1*")), Country(frozenset({"US"}))),
        ((Not(Prefix("+44")), Glob(user="+1*")), Not(Prefix("+44"))),
        ((Glob(user="+1*"), Prefix("+1")), Regex("sip:.*")),
        ((Prefix("+1"), NUMBER), Prefix("+1800555")),
    ],
)
def test_a_list_is_as_specific_as_its_best_entry_that_matches(
    entries: tuple[Matcher, ...], weaker: Matcher
) -> None:
    other = route("other", called=weaker, caller=ExactNumber("+14155550100"))
    for order in (entries, entries[::-1]):
        assert answers([route("list", line=2, called=AnyOf(order)), other], call()) == "list"


def test_long_lists_on_both_sides_are_matched_entry_by_entry() -> None:
    called = AnyOf(tuple(ExactNumber(f"+1415555{n:04}") for n in range(2000)))
    caller = AnyOf(tuple(ExactNumber(f"+1510555{n:04}") for n in range(3000)))
    table = RouteTable([route("a", called=called, caller=caller)])
    asked = [("0000", "0000"), ("1999", "2999"), ("2000", "0000"), ("0000", "3000")]
    answered = [
        table.match(call(f"tel:+1415555{to}", f"tel:+1510555{from_}"), 0.0).agent for to, from_ in asked
    ]
    assert answered == ["a", "a", None, None]


def test_what_still_ties_is_decided_by_file_and_line() -> None:
    routes = [route("c", file="b.yaml", line=1), route("b", line=10), route("a", line=9)]
    assert answers(routes, call()) == "a"
    assert answers(routes[:2], call()) == "b"


def test_a_route_whose_schedule_is_closed_does_not_match() -> None:
    routes = [route("day", during="never", called=NUMBER), route("night")]
    assert answers(routes, call(), schedules=SCHEDULES) == "night"


def test_a_route_for_another_transport_does_not_match() -> None:
    assert answers([route("web", transport=Transport.WEBRTC)], call()) is None


def test_a_share_is_of_callers_and_grows_without_losing_any() -> None:
    def takers(share: float) -> set[str]:
        table = RouteTable([route("new", share=share), route("old", line=2)])
        callers = [f"+1415555{number:04}" for number in range(2000)]
        return {caller for caller in callers if table.match(call(from_=f"tel:{caller}"), 0.0).agent == "new"}

    tenth, half = takers(0.1), takers(0.5)
    assert 140 < len(tenth) < 260
    assert 900 < len(half) < 1100
    assert tenth < half
    assert takers(0.0) == set()
    assert len(takers(1.0)) == 2000


def test_a_caller_stands_at_the_same_place_in_every_process() -> None:
    """The number is the hash's: were it salted or the rule changed, callers would change agents."""
    table = RouteTable([route("new", share=0.5)])
    matched = [table.match(call(from_=f"tel:+1415555{n:04}"), 0.0).agent == "new" for n in range(8)]
    assert matched == [True, False, False, True, False, True, True, False]


def test_agents_shuffle_their_callers_differently() -> None:
    table = RouteTable([route("a", share=0.5, line=1)]), RouteTable([route("b", share=0.5, line=1)])
    calls = [call(from_=f"tel:+1415555{number:04}") for number in range(200)]
    both = sum(all(one.match(each, 0.0).agent for one in table) for each in calls)
    assert 25 < both < 75


def test_withheld_callers_are_shared_out_by_call() -> None:
    table = RouteTable([route("new", share=0.5)])
    agents = {
        table.match(
            incoming_call(
                Ringing(
                    call_id=f"rtc_{number}",
                    created_at=0.0,
                    origin=SipOrigin(headers=(("From", "sip:anonymous@anonymous.invalid"),)),
                ),
                RoutingSettings(),
            ),
            0.0,
        ).agent
        for number in range(50)
    }
    assert agents == {"new", None}


def test_of_a_repeated_header_the_value_is_kept_for_which_the_route_was_taken() -> None:
    table = RouteTable(
        [
            route("gold", headers=(("x-plan", Text("gold")),)),
            route("silver", line=2, headers=(("X-Plan", Text("silver")), ("X-Else", Not(Text("no"))))),
        ]
    )
    origin = SipOrigin(
        headers=(("To", DESK), *(("X-Plan", plan) for plan in ("bronze", " silver", "iron")), ("x-else", "a"))
    )
    ringing = Ringing(call_id="rtc_1", created_at=0.0, origin=origin)
    repeated = incoming_call(ringing, RoutingSettings())
    match = table.match(repeated, 0.0)
    assert match.agent == "silver"
    assert table.headers_asked_for(repeated, match) == {"X-Plan": " silver", "x-else": "a"}
    assert table.headers_asked_for(repeated, None) == {"X-Plan": "bronze", "x-else": "a"}


BLOCKED = RejectRule(
    conditions=Conditions(
        caller=AnyOf(
            (ExactNumber("+14155550100"), ExactNumber("+14155550101")), listed_in="_lists/blocked.txt"
        )
    ),
    place=Place("runner.yaml", 4, 5),
)


def test_reject_rules_come_before_every_priority() -> None:
    table = RouteTable([route("a", priority=99, called=NUMBER)], rejects=[BLOCKED])
    assert table.match(call(), 0.0) == Match(
        agent=None,
        reject=603,
        route=None,
        rule=BLOCKED,
        why="the reject rule at runner.yaml:4:5 matches: from is one of the lines of _lists/blocked.txt",
    )
    assert table.match(call(from_="tel:+14155550102"), 0.0).agent == "a"


def test_the_most_specific_reject_rule_gives_the_status() -> None:
    busy = RejectRule(
        conditions=Conditions(called=Prefix("+1")), status=486, place=Place("runner.yaml", 1, 1)
    )
    assert RouteTable([], rejects=[busy, BLOCKED]).match(call(), 0.0).reject == 486
    assert RouteTable([], rejects=[BLOCKED]).match(call(), 0.0).reject == 603


@pytest.mark.parametrize(
    ("otherwise", "expected"),
    [
        (None, (None, 404, "no route matches, and routing.otherwise rejects with 404")),
        (Reject(status=480), (None, 480, "no route matches, and routing.otherwise rejects with 480")),
        (ToAgent(agent="desk"), ("desk", None, 'no route matches, and routing.otherwise names "desk"')),
    ],
)
def test_where_no_route_matches_otherwise_decides(
    otherwise: Reject | ToAgent | None, expected: tuple[str | None, int | None, str]
) -> None:
    match = RouteTable([route("a", called=Prefix("+44"))], otherwise=otherwise).match(call(), 0.0)
    assert (match.agent, match.reject, match.why) == expected
    assert (match.route, match.rule) == (None, None)


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ({}, "it has no conditions"),
        ({"called": NUMBER}, "to is +18005551212"),
        (
            {"called": AnyOf((Prefix("+1"), Prefix("+1800"))), "caller": Country(frozenset({"US", "CA"}))},
            "to begins with +1800, from is a number of CA or US",
        ),
        ({"called": ExactAddress("+18005551212", "pbx.example")}, "to is sip:+18005551212@pbx.example"),
        ({"called": Glob(user="+1*", host="pbx.*")}, 'to matches user "+1*" and host "pbx.*"'),
        ({"called": Regex("sip:.*")}, 'to matches the regex "sip:.*"'),
        ({"caller": Anonymous(False)}, "from is not withheld"),
        ({"caller": Not(Prefix("+1900"))}, "from does not begin with +1900"),
        (
            {"headers": (("X-Plan", Text("gold")),), "during": "always"},
            'header X-Plan is "gold", always is open',
        ),
        (
            {"transport": Transport.SIP, "share": 0.9999},
            "the call came over sip, the caller is within the first 99.99%",
        ),
    ],
)
def test_one_sentence_says_why_a_route_won(conditions: dict[str, Json], why: str) -> None:
    match = RouteTable([route("a", line=7, **conditions)], schedules=SCHEDULES).match(
        call(X_Plan="gold"), 0.0
    )
    assert match.why == f"the route at a.yaml:7:3 matches: {why}"


@pytest.mark.parametrize(
    ("conditions", "why_not"),
    [
        ({"called": ExactNumber("+18005551213")}, "to: +18005551212 is not +18005551213"),
        (
            {"called": ExactAddress(None, "pbx.example")},
            "to: sip:+18005551212@pbx.example is not sip:pbx.example",
        ),
        ({"called": Prefix("+1900")}, "to: +18005551212 does not begin with +1900"),
        (
            {"called": NUMBER, "caller": Country(frozenset({"GB"}))},
            "from: +14155550100 is not a number of GB",
        ),
        (
            {"caller": AnyOf((Prefix("+44"), Glob(user="x"), Regex("y"))), "during": "never"},
            "from: sip:+14155550100@carrier.example does not begin with +44"
            ' and does not match user "x" and does not match the regex "y"',
        ),
        ({"caller": AnyOf((NUMBER,) * 4)}, "from: +14155550100 is none of the 4 entries"),
        (
            {"caller": AnyOf((NUMBER,), listed_in="_vip.txt")},
            "from: +14155550100 is none of the lines of _vip.txt",
        ),
        ({"caller": Not(Prefix("+1415"))}, "from: +14155550100 begins with +1415"),
        ({"caller": Anonymous()}, "from: +14155550100 is not withheld"),
        ({"headers": (("X-Plan", Text("iron")),)}, 'header X-Plan: "gold" is not "iron"'),
        ({"headers": (("X-Plan", Text("*")), ("X-No", Text("*")))}, "header X-No: the call has none"),
        ({"during": "never"}, "during: never is closed on Thursday at 00:00 (UTC)"),
        ({"transport": Transport.WEBRTC}, "transport: the call came over sip, not over webrtc"),
        ({"share": 0.0}, "share: the caller is at 34.0%, not within the first 0%"),
        ({"called": NUMBER}, "matches too, but the winning route has the higher priority"),
    ],
)
def test_an_explanation_names_the_condition_that_failed(conditions: dict[str, Json], why_not: str) -> None:
    winner, other = route("a", priority=5), route("b", line=2, **conditions)
    explained = RouteTable([winner, other], schedules=SCHEDULES).explain(call(X_Plan="gold"), 0.0)
    assert explained.match.agent == "a"
    [candidate] = explained.others
    assert candidate.entry is other
    assert candidate.matches is why_not.startswith("matches")
    assert candidate.why_not == why_not


@pytest.mark.parametrize(
    ("stronger", "weaker", "why_not"),
    [
        ({"called": NUMBER}, {"called": Prefix("+1")}, "has the more specific `to`"),
        ({"caller": Prefix("+14")}, {"caller": Prefix("+1")}, "has the more specific `from`"),
        ({"headers": (("To", Text("*")),)}, {}, "has the more specific headers"),
        ({"during": "always"}, {}, "has a schedule"),
        ({"transport": Transport.SIP}, {}, "has a transport"),
        ({"share": 1.0}, {}, "has a smaller share"),
        ({}, {}, "is as specific and comes before it"),
    ],
)
def test_an_explanation_says_what_made_the_winner_stronger(
    stronger: dict[str, Json], weaker: dict[str, Json], why_not: str
) -> None:
    routes = [route("a", **stronger), route("b", line=2, **weaker)]
    explained = RouteTable(routes, schedules=SCHEDULES).explain(call(), 0.0)
    assert [other.why_not for other in explained.others] == [f"matches too, but the winning route {why_not}"]


def test_an_explanation_of_a_rejected_call_says_which_routes_would_have_matched() -> None:
    explained = RouteTable([route("a"), route("b", called=Prefix("+44"))], rejects=[BLOCKED]).explain(
        call(), 0.0
    )
    assert [(other.matches, other.why_not) for other in explained.others] == [
        (True, "matches too, but a reject rule comes first"),
        (False, "to: +18005551212 does not begin with +44"),
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*bc*", "abbc", True),
        ("*ab*bc*", "abc", False),
        ("a**b", "axb", True),
        ("a.c", "abc", False),
    ],
)
def test_a_star_stands_for_any_run_of_characters(pattern: str, text: str, expected: bool) -> None:
    assert glob_matches(pattern, text) is expected
