"""Steps in which a person steers the call: every act through machine, port and stand-in."""

from pathlib import Path

import pytest

from runner.config.load import load
from tests.scenario.conftest import Diff

PASS = {
    "says something at the pause, and something else at once": """
        steps:
          - model_says: We have nine o'clock with Doctor Ray.
          - person: {say: One moment.}
            expect: {says: [One moment.], record: {deeds: [{id: act_1, by: scenario, result: heard}]}}
          - model_says: We have nine o'clock with Doctor Ray.
          - person: {say: Stop., when: now}
            expect: {says: [Stop.]}
    """,
    "tells the agent something, hushes it and leaves a note": """
        steps:
          - person: {tell: Offer Friday., speak: true}
            expect: {tells: [Offer Friday.]}
          - model_says: How about Friday?
          - person: {hush: true}
          - person: {note: 4}
            expect: {record: {deeds: [{result: done}, {what: hush}, {what: note, given: {text: "4"}}]}}
    """,
    "sets variables": """
        steps:
          - person: {vars: {clinic: Oak Dental, seen: 3}}
            expect: {vars: {clinic: Oak Dental, seen: 3}}
    """,
    "changes instructions, which survive a hand-off where they were added": """
        steps:
          - person: {instructions: {replace: You take messages.}}
          - person: {instructions: {add: Be brief.}}
          - person: {handoff: recepcion, speak: true}
            expect: {agent: recepcion, handoffs: [recepcion]}
          - model_says: Hola.
            expect:
              record:
                deeds: [{result: done}, {result: done}, {result: done}]
                handoffs: [{because: 'person "scenario"'}]
    """,
    "transfers, which does not happen, and once more, which does": """
        steps:
          - person: {transfer: nurse, say: One moment., ends: not_completed}
            expect: {says: [One moment.], transfers: ["tel:+15185550172"], tells: ["A colleague has tried*"]}
          - person: {transfer: office}
            expect: {ended: transferred, record: {deeds: [{result: not_completed}, {result: completed}]}}
    """,
    "transfers after a transfer of the model's": """
        steps:
          - model_calls: {put_through: {destination: nurse}}
            replies: {put_through: not_completed}
          - person: {transfer: office}
            expect: {ended: transferred}
    """,
    "hangs up": """
        steps:
          - person: {hangup: true, say: Goodbye.}
            expect: {ended: person, says: [Goodbye.]}
    """,
    "takes over: the API lets nobody answer the caller": """
        steps:
          - person: {take-over: 90s}
          - caller: Is anybody there?
          - silence: 80s
            expect: {says: [], tells: [], record: {turns: [{}, {role: caller}]}}
          - person: {say: I am.}
          - silence: 10s
            expect: {says: [I am.], tells: ["A colleague has led the conversation*"]}
          - caller: And you?
          - model_says: I am here as well.
    """,
    "gives back": """
        steps:
          - person: {take-over: 60s}
          - person: {give-back: true, speak: true}
          - model_says: Here I am again.
            expect: {tells: ["A colleague has led the conversation*"]}
          - silence: 20s
            expect: {says: [Are you still there?]}
    """,
    "takes over while the sideband is lost": """
        steps:
          - person: {take-over: 60s}
          - sideband_lost: 5s
          - caller: Is anybody there?
          - silence: 30s
            expect: {says: []}
    """,
    "wants what does not fit": """
        steps:
          - person: {give-back: true}
            expect:
              record: {deeds: [{result: refused, detail: 'no "give-back" now: no person leads the call'}]}
    """,
}


@pytest.mark.parametrize("text", PASS.values(), ids=PASS)
def test_a_person(diff: Diff, text: str) -> None:
    assert diff(text) == []


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        ("{handoff: desc}", 'there is no agent "desc"; did you mean "desk"? [unknown-agent]'),
        ("{say: Hi., speak: true}", 'unknown key "speak"'),
        ("{take-over: 60}", 'a number needs its unit, "60s"'),
        ("{}", "a person does exactly one of say, tell, hush"),
        ("{hush: true, note: x}", '"note" cannot be combined with "hush"'),
    ],
)
def test_an_act_that_cannot_be_is_told_with_its_place(folder: Path, act: str, problem: str) -> None:
    (folder / "a.test.yaml").write_text(
        f'- name: a\n  call: {{to: "+18005550142"}}\n  expect: {{agent: desk}}\n  steps:\n  - person: {act}\n'
    )
    (told,) = load(folder).scenario_problems
    assert (told.place.line, problem in str(told)) == (5, True), str(told)
