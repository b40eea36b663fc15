"""Which variables a call brings along when it is handed off, and which declarations it passes by."""

from pathlib import Path

import pytest

from runner.config.load import load

DESK = """\
agent: desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: Hi {{ vars.clinic }}.
vars: {clinic: Maple}
tools:
  - {name: on, description: On., handoff: {agent: night}}
  - name: find
    description: Find.
    http: {method: GET, url: "https://api.example/x"}
    result: {set: {found: id}}
"""
NIGHT = """\
agent: night
model: gpt-realtime-2.1
instructions: Hi {{ vars.clinic }} {{ vars.found }}.
guardrails: [{name: a, on: agent, matches: x, then: {handoff: last}}]
"""
LAST = "agent: last\nmodel: gpt-realtime-2.1\ninstructions: Hi {{ vars.clinic }} {{ vars.found }}.\n"


def told(folder: Path, **files: str) -> list[str]:
    for name, text in {"desk": DESK, "night": NIGHT, "last": LAST, **files}.items():
        (folder / f"{name}.yaml").write_text(text)
    return [str(problem).replace(f"{folder}/", "") for problem in load(folder).problems]


def test_variables_come_along_through_every_hand_off(tmp_path: Path) -> None:
    assert told(tmp_path) == []


@pytest.mark.parametrize(
    "more",
    ['routes: [{to: "+18005551213"}]\n', ""],
    ids=["routes", "otherwise"],
)
def test_an_agent_that_calls_come_to_has_its_own_variables_only(tmp_path: Path, more: str) -> None:
    runner = "routing: {otherwise: {agent: night}}\n" if not more else "server: {port: 8081}\n"
    assert told(tmp_path, night=NIGHT + more, runner=runner) == [
        'night.yaml:3:21: "vars.clinic" is always null; declare "clinic" under "vars" [unknown-name]',
        'night.yaml:3:39: "vars.found" is always null; declare "found" under "vars" [unknown-name]',
    ]


def test_an_agent_that_takes_calls_when_another_is_busy_has_its_own_variables_only(tmp_path: Path) -> None:
    desk = DESK + "limits: {concurrent_calls: 5}\nbusy: {agent: last}\n"
    assert [line.partition(":")[0] for line in told(tmp_path, desk=desk)] == ["last.yaml", "last.yaml"]


def test_a_variable_that_nobody_declares_is_told_all_the_same(tmp_path: Path) -> None:
    assert told(tmp_path, night=NIGHT.replace("vars.found", "vars.fond")) == [
        'night.yaml:3:39: "vars" has no "fond"; did you mean "found"? [unknown-name]'
    ]


def test_a_value_that_is_passed_by_is_told_once(tmp_path: Path) -> None:
    night = (
        NIGHT + "vars: {clinic: Other}\ntools: [{name: back, description: Back., handoff: {agent: desk}}]\n"
    )
    last = LAST + "vars: {clinic: Maple}\n"
    assert told(tmp_path, night=night, last=last) == [
        'last.yaml:4:16: after a hand-off "clinic" keeps the value of "night", at night.yaml:5:16; '
        "declare the same value in both, or give one another name [hand-off]",
        'night.yaml:5:16: after a hand-off "clinic" keeps the value of "desk", at desk.yaml:5:16; '
        "declare the same value in both, or give one another name [hand-off]",
    ]


def test_the_same_value_in_both_is_fine(tmp_path: Path) -> None:
    assert told(tmp_path, night=NIGHT + "vars: {clinic: Maple}\n") == []
