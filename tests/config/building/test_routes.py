"""Routes and routing from YAML, and what is said about those that could never work."""

import pytest

from runner.config.building.routes import RouteBuilder, check_otherwise, default_country
from runner.config.checking.schema import check
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
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
    Reject,
    RejectRule,
    Route,
    RoutingSettings,
    Text,
    ToAgent,
)
from runner.model.values import Place

LISTS = {
    "_lists/vip.txt": "# our best\n\n+1 415 555 0100  # Ada\n  sip:desk@pbx.example\n",
    "_lists/bad.txt": "+14155550100\n  nonsense here\n\n+1800555 # short\n",
    "_lists/plans.txt": "gold\nsilver",
}


def build(
    route: str,
    runner: str = "{routing: {default_country: US}}",
    schedules: frozenset[str] = frozenset({"office-hours"}),
) -> tuple[tuple[Route, ...], RoutingSettings, list[str]]:
    problems = Problems()
    agent_node = read("a.yaml", f"agent: a\nmodel: m\ninstructions: i\nroutes:\n- {route}".encode(), problems)
    runner_node = read("runner.yaml", runner.encode(), problems)
    assert agent_node is not None
    assert runner_node is not None
    agent, settings = check(agent_node, "agent", problems), check(runner_node, "runner", problems)

    def read_list(node: Node) -> tuple[str, str] | None:
        return (f"agents/{node.text}", LISTS[node.text]) if node.text in LISTS else None

    builder = RouteBuilder(
        problems,
        default_country=default_country(settings, problems),
        schedules=schedules,
        read_list=read_list,
        lists={},
    )
    routes = agent.part("routes")
    check_otherwise(settings, {"front-desk", "sales"}, problems)
    built = builder.routes("a", routes.entries() if routes else ())
    return built, builder.settings(settings), [str(problem) for problem in problems.sorted()]


@pytest.mark.parametrize(
    ("route", "conditions"),
    [
        ("{}", Conditions()),
        ('{to: "+18005551212"}', Conditions(called=ExactNumber("+18005551212"))),
        ("{to: 8005551212}", Conditions(called=ExactNumber("+18005551212"))),
        ("{to: (800) 555-1212}", Conditions(called=ExactNumber("+18005551212"))),
        ("{to: tel:8005551212}", Conditions(called=ExactNumber("+18005551212"))),
        ("{to: 0044 20 7946 0958}", Conditions(called=ExactNumber("+442079460958"))),
        ("{to: sip:desk@PBX.example}", Conditions(called=ExactAddress("desk", "pbx.example"))),
        ("{to: desk@pbx.example}", Conditions(called=ExactAddress("desk", "pbx.example"))),
        ("{to: sip:pbx.example}", Conditions(called=ExactAddress(None, "pbx.example"))),
        ("{to: {prefix: +1800}}", Conditions(called=Prefix("+1800"))),
        ("{from: {country: US}}", Conditions(caller=Country(frozenset({"US"})))),
        ("{from: {country: [US, CA]}}", Conditions(caller=Country(frozenset({"US", "CA"})))),
        ("{from: {user: 1001}}", Conditions(caller=Glob(user="1001"))),
        ('{from: {user: "1*", host: pbx}}', Conditions(caller=Glob(user="1*", host="pbx"))),
        ("{from: {host: pbx}}", Conditions(caller=Glob(host="pbx"))),
        (r"{from: {regex: 'sip:1\d+@pbx'}}", Conditions(caller=Regex(r"sip:1\d+@pbx"))),
        ("{from: {anonymous: true}}", Conditions(caller=Anonymous())),
        ("{from: {anonymous: false}}", Conditions(caller=Anonymous(False))),
        (
            "{from: [+14155550100, {not: {prefix: +1}}]}",
            Conditions(caller=AnyOf((ExactNumber("+14155550100"), Not(Prefix("+1"))))),
        ),
        (
            "{from: {in: _lists/vip.txt}}",
            Conditions(
                caller=AnyOf(
                    (ExactNumber("+14155550100"), ExactAddress("desk", "pbx.example")),
                    listed_in="_lists/vip.txt",
                )
            ),
        ),
        (
            "{headers: {X-Plan: gold, X-Tier: [{in: _lists/plans.txt}, {regex: '[0-9]'}], X-N: 0123}}",
            Conditions(
                headers=(
                    ("X-Plan", Text("gold")),
                    (
                        "X-Tier",
                        AnyOf(
                            (
                                AnyOf((Text("gold"), Text("silver")), listed_in="_lists/plans.txt"),
                                Regex("[0-9]"),
                            )
                        ),
                    ),
                    ("X-N", Text("0123")),
                )
            ),
        ),
        (
            "{during: office-hours, transport: sip, share: 12.5%}",
            Conditions(during="office-hours", transport=Transport.SIP, share=0.125),
        ),
    ],
)
def test_conditions_are_what_the_yaml_says(route: str, conditions: Conditions) -> None:
    routes, _, problems = build(route)
    assert problems == []
    assert routes == (Route(agent="a", conditions=conditions, place=Place("a.yaml", 5, 3)),)


def test_a_route_has_a_priority() -> None:
    [route], _, _ = build("{priority: -3}")
    assert route.priority == -3


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        (
            "{to: +1800555}",
            'a.yaml:5:8: "+1800555" is not a valid number in any country; '
            'for numbers with this prefix, write {prefix: "+1800555"} [number]',
        ),
        (
            "{to: 5551212}",
            'a.yaml:5:8: "5551212" is not a valid number in US; '
            'write it with + and country code, or write {user: "5551212"} for an extension [number]',
        ),
        (
            "{from: [desk]}",
            'a.yaml:5:11: "desk" is neither a number nor an address; '
            "write +18005551212 or sip:desk@pbx.example [number]",
        ),
        (
            "{from: {not: [{prefix: +999}]}}",
            'a.yaml:5:26: no number begins with "+999"; '
            "a number has a country code and at most 15 digits in all [number]",
        ),
        (
            "{from: {prefix: +1800555121212121}}",
            'a.yaml:5:19: no number begins with "+1800555121212121"; '
            "a number has a country code and at most 15 digits in all [number]",
        ),
        (
            "{from: {country: [US, UK]}}",
            'a.yaml:5:25: no number belongs to a country "UK"; did you mean "GB"? [unknown-country]',
        ),
        (
            "{from: {country: XX}}",
            'a.yaml:5:20: no number belongs to a country "XX"; '
            "write an ISO 3166-1 code such as US or CA [unknown-country]",
        ),
        (
            "{to: {regex: 'sip:(.*'}}",
            'a.yaml:5:16: "sip:(.*" is not a pattern in RE2 syntax: missing ) [regex]',
        ),
        (
            r"{to: {regex: '\+1800\d+'}}",
            r'a.yaml:5:16: "\+1800\d+" matches no address, since the whole address has to match; '
            "begin it with sip: or .* [regex]",
        ),
        (
            "{during: office-hour}",
            'a.yaml:5:12: unknown schedule "office-hour"; did you mean "office-hours"? [unknown-schedule]',
        ),
        (
            "{during: christmas}",
            'a.yaml:5:12: unknown schedule "christmas"; '
            'runner.yaml declares "office-hours" [unknown-schedule]',
        ),
    ],
)
def test_what_could_never_work_is_said_at_its_place(route: str, problem: str) -> None:
    _, _, problems = build(route)
    assert problems == [problem]


def test_without_any_schedule_the_message_says_so() -> None:
    _, _, problems = build("{during: lunch}", schedules=frozenset())
    assert problems == [
        'a.yaml:5:12: unknown schedule "lunch"; runner.yaml declares none; write "schedules: {lunch:'
        ' {timezone: America/New_York, open: {mon-fri: 09:00-17:00}}}" there [unknown-schedule]'
    ]


def test_a_national_number_needs_a_default_country() -> None:
    _, _, problems = build("{to: 4155552671}", runner="{}")
    assert problems == [
        'a.yaml:5:8: "4155552671" is not a valid number without routing.default_country; '
        'write it with + and country code, or write {user: "4155552671"} for an extension [default-country]'
    ]


def test_bad_lines_of_a_list_are_named_in_their_own_file() -> None:
    _, _, problems = build("{from: {in: _lists/bad.txt}}")
    assert problems == [
        'agents/_lists/bad.txt:2:3: "nonsense here" is neither a number nor an address; '
        "write +18005551212 or sip:desk@pbx.example [number]",
        'agents/_lists/bad.txt:4:1: "+1800555" is not a valid number in any country; '
        'a list has whole numbers; for a prefix, write in the route {prefix: "+1800555"} [number]',
    ]


@pytest.mark.parametrize(
    "pattern", ["sips:.*", "tel:.*", "s?ip:.*|x", ".*@pbx", "[s-t].*", "^sip:1$", "(?i)SIP:.*"]
)
def test_a_pattern_that_can_match_an_address_draws_no_warning(pattern: str) -> None:
    _, _, problems = build(f"{{to: {{regex: '{pattern}'}}}}")
    assert problems == []


def test_a_header_is_no_address_so_its_pattern_draws_no_warning() -> None:
    _, _, problems = build("{headers: {X-Number: {regex: '[0-9]+'}}}")
    assert problems == []


def test_the_routing_of_runner_yaml() -> None:
    runner = """
routing:
  default_country: DE
  called_number: [X-Dialled, X-Other]
  reject:
  - {from: {in: _lists/vip.txt}, status: 486}
  - {to: "030 12345678"}
  otherwise: {agent: sales}
"""
    _, settings, problems = build("{}", runner)
    assert problems == []
    assert settings == RoutingSettings(
        default_country="DE",
        called_number=("X-Dialled", "X-Other"),
        reject=(
            RejectRule(
                conditions=Conditions(
                    caller=AnyOf(
                        (ExactNumber("+14155550100"), ExactAddress("desk", "pbx.example")),
                        listed_in="_lists/vip.txt",
                    )
                ),
                status=486,
                place=Place("runner.yaml", 6, 5),
            ),
            RejectRule(
                conditions=Conditions(called=ExactNumber("+493012345678")), place=Place("runner.yaml", 7, 5)
            ),
        ),
        otherwise=ToAgent(agent="sales"),
        project_prefix="proj_",
    )


def test_without_routing_everything_has_its_default() -> None:
    assert build("{}", "{}")[1] == RoutingSettings(project_prefix="proj_")
    assert build("{}", "{routing: {otherwise: {reject: 480}}}")[1] == RoutingSettings(
        otherwise=Reject(status=480), project_prefix="proj_"
    )


@pytest.mark.parametrize(
    ("runner", "problem"),
    [
        (
            "{routing: {otherwise: {agent: frontdesk}}}",
            'runner.yaml:1:31: there is no agent "frontdesk"; did you mean "front-desk"? [unknown-agent]',
        ),
        (
            "{routing: {default_country: ZZ}}",
            'runner.yaml:1:29: no number belongs to a country "ZZ"; '
            "write an ISO 3166-1 code such as US or CA [unknown-country]",
        ),
    ],
)
def test_what_is_wrong_with_routing_is_said_at_its_place(runner: str, problem: str) -> None:
    assert build("{}", runner)[2] == [problem]
