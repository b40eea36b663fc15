"""What of a configuration a scenario touches, and what is reported as untouched."""

import pytest

from runner.model.declaration import Declaration, DeclarationKind
from runner.model.values import Place
from runner.scenario.coverage import Use, coverage
from tests.scenario.conftest import Play

TOUCHED = [
    ("expect: {agent: desk}", []),
    (
        "steps: [{model_calls: {note: {}}}, {caller: a, expect: {agent: desk}}]",
        [(DeclarationKind.TOOL, "note")],
    ),
    (
        "steps: [{model_calls: {to_spanish: {}}, expect: {agent: recepcion}}]",
        [(DeclarationKind.HANDOFF, "to_spanish")],
    ),
    (
        "steps: [{model_calls: {put_through: {destination: nurse}}, expect: {ended: transferred}}]",
        [(DeclarationKind.TRANSFER, "put_through: nurse")],
    ),
    (
        "replies: {put_through: not_completed}\n"
        "steps: [{model_calls: {put_through: {destination: nurse}}, expect: {agent: desk}}]",
        [(DeclarationKind.TRANSFER, "put_through: nurse"), (DeclarationKind.TRANSFER, "put_through: office")],
    ),
    ("steps: [{model_calls: {put_through: {}}, expect: {transfers: []}}]", []),
    (
        "steps: [{model_says: 'It is 4111.', expect: {agent: desk}}]",
        [(DeclarationKind.GUARDRAIL, "no-cards")],
    ),
    ("steps: [{caller: 'It is 4111.', expect: {agent: desk}}]", []),
    ("steps: [{caller: idiot, expect: {ended: guardrail}}]", [(DeclarationKind.GUARDRAIL, "rude")]),
    ("steps: [{silence: 19s, expect: {agent: desk}}]", []),
    ("steps: [{silence: 20s, expect: {agent: desk}}]", [(DeclarationKind.LIMIT, "silence")]),
    (
        "steps: [{model_says: a, usage: {audio_out: 20000}, expect: {ended: max_cost}}]",
        [(DeclarationKind.LIMIT, "max_cost")],
    ),
]


@pytest.mark.parametrize(("text", "touched"), TOUCHED)
def test_a_scenario_touches_what_it_uses(
    text: str, touched: list[tuple[DeclarationKind, str]], play: Play
) -> None:
    found = {(use.kind, use.name) for use in play(text).uses if use.kind is not DeclarationKind.ROUTE}
    assert found == set(touched)


def test_too_many_tool_calls_touch_the_limit(play: Play) -> None:
    calls = "{model_calls: {note: {}, form: {}}}, " * 2 + "{model_calls: {note: {}, form: {}}, "
    played = play(f"steps: [{calls}expect: {{ended: max_tool_calls}}}}]")
    assert Use(DeclarationKind.LIMIT, "desk", "max_tool_calls") in played.uses


def test_a_busy_agent_touches_its_limit_and_the_route_that_led_to_it(play: Play) -> None:
    played = play("live_calls: {desk: 2}\nreplies: {lookup: timeout}\nexpect: {agent: recepcion}")
    assert {(use.kind, use.agent) for use in played.uses} == {
        (DeclarationKind.LIMIT, "desk"),
        (DeclarationKind.ROUTE, "desk"),
    }


def test_a_rejected_call_touches_the_rule(play: Play) -> None:
    played = play('call: {from: "+442079460123", to: "+18005550142"}\nexpect: {rejected: 603}')
    assert [(use.kind, use.name.split("/")[-1]) for use in played.uses] == [
        (DeclarationKind.REJECT_RULE, "runner.yaml:3:12")
    ]


def one(kind: DeclarationKind, name: str, line: int, agent: str = "desk") -> Declaration:
    return Declaration(kind=kind, agent=agent, name=name, place=Place("a.yaml", line, 3))


def test_what_agents_share_counts_once_and_is_touched_by_any() -> None:
    shared = [one(DeclarationKind.LIMIT, "max_duration", 1, agent) for agent in ("a", "b")]
    assert coverage(shared, []).declared == 1
    assert coverage(shared, []).untouched == (shared[0],)
    assert coverage(shared, [Use(DeclarationKind.LIMIT, "b", "max_duration")]).percent == 100
    assert coverage(shared, [Use(DeclarationKind.LIMIT, "c", "max_duration")]).percent == 0


def test_what_is_untouched_stands_in_the_order_of_the_file() -> None:
    declared = [
        one(DeclarationKind.TOOL, "b", 9),
        one(DeclarationKind.TOOL, "a", 4),
        one(DeclarationKind.ROUTE, "", 2),
    ]
    found = coverage(declared, [Use(DeclarationKind.ROUTE, "desk", "a.yaml:2:3")])
    assert found.untouched == (declared[1], declared[0])
    assert round(found.percent) == 33


def test_nothing_declared_is_covered() -> None:
    assert coverage([], []).percent == 100
