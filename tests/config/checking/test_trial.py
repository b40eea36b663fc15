"""Templates are rendered for made-up callers, and what fails is told where it stands."""

from pathlib import Path

import pytest

from runner.config.load import load

AGENT = """\
agent: desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
vars: {clinic: Maple, n: 0, half: "{{ 1 / 2 }}", m: "{{ 1 / vars.n }}", list: [a]}
"""
LOOKUP = 'lookup: {http: {method: GET, url: "https://crm.example/x"}, default: {count: null, name: Ada}}\n'
TOOL = """\
tools:
  - name: book
    description: Book.
    parameters:
      type: object
      properties: {guests: {type: integer}, note: {type: string}, day: {type: string, format: date}}
      required: [guests]
    http:
      url: https://api.example/book
      json: %s
"""


def found(folder: Path, text: str, others: str = "") -> list[str]:
    (folder / "desk.yaml").write_text(text)
    if others:
        (folder / "other.yaml").write_text(others)
    problems = load(folder).problems
    return [
        f"{Path(problem.place.file).name}:{problem.place.line}:{problem.place.column}: "
        f"{problem.severity.value}: {problem.message}"
        for problem in problems
        if problem.rule == "template-fails"
    ]


@pytest.mark.parametrize(
    ("instructions", "told"),
    [
        ("Hi {{ vars.clinic | upper }}, {{ vars.half + 1 }}.", []),
        ("{{ call.from.number ~ call.to.number }} {{ now | date_format('%A', 'Asia/Tokyo') }}", []),
        ("{% for x in vars.list %}{{ loop.index + 1 }}{% endfor %}", []),
        ("{{ vars.clinic + 1 }}", ['"+" cannot add text and a number; "~" joins texts']),
        ("{{ lookup.name ~ '' }}{{ lookup.unknown.deeper }}", []),
    ],
)
def test_a_template_that_works_is_not_told_and_one_that_does_not_is(
    tmp_path: Path, instructions: str, told: list[str]
) -> None:
    text = AGENT.replace(', m: "{{ 1 / vars.n }}"', "") + LOOKUP + f"instructions: >-\n  {instructions}\n"
    assert found(tmp_path, text) == [f"desk.yaml:7:3: error: this template fails: {one}" for one in told]


def test_a_variable_that_fails_is_told_by_itself(tmp_path: Path) -> None:
    text = AGENT + "instructions: Hi {{ vars.m ~ '' }}.\n"
    assert found(tmp_path, text) == ["desk.yaml:4:54: error: this template fails: division by zero"]


def test_the_line_of_a_long_text_is_found(tmp_path: Path) -> None:
    text = (
        AGENT.replace("1 / vars.n", "1") + "instructions: |\n  One.\n\n    Two {{ 5 / vars.n }}.\n  Three.\n"
    )
    assert found(tmp_path, text) == ["desk.yaml:8:9: error: this template fails: division by zero"]


@pytest.mark.parametrize(
    ("json", "told"),
    [
        ('{x: "{{ args.guests + 1 }}", y: "{{ args.note }}"}', []),
        ('{x: "{{ args.day | date_format(\'%A\') }}", y: "{{ args.guests }}", z: "{{ args.note }}"}', []),
        (
            '{x: "{{ args.note + args.note }}", y: "{{ args.guests }}", z: "{{ args.day }}"}',
            [
                "desk.yaml:15:18: warning: this template fails when the model leaves optional arguments out: "
                '"note" is null; give it a default, "{{ args.note | default(0) }}"'
            ],
        ),
        (
            '{x: "{{ args.note - 1 }}", y: "{{ args.guests }}", z: "{{ args.day }}"}',
            ['desk.yaml:15:18: warning: this template fails: "-" does not work on text and a number'],
        ),
    ],
)
def test_arguments_are_made_up_with_and_without_the_optional_ones(
    tmp_path: Path, json: str, told: list[str]
) -> None:
    text = AGENT.replace("1 / vars.n", "1") + "instructions: Hi.\n" + TOOL % json
    assert found(tmp_path, text) == told


def test_a_variable_that_a_reply_sets_later_has_any_value(tmp_path: Path) -> None:
    text = (
        AGENT.replace("1 / vars.n", "1")
        + "instructions: Hi.\n"
        + TOOL % '{x: "{{ vars.price * 2 }}", y: "{{ args }}"}'
        + "    result: {set: {price: price}}\n"
    )
    assert found(tmp_path, text) == []


def test_an_agent_that_is_only_handed_to_uses_the_variables_of_those_that_lead_to_it(tmp_path: Path) -> None:
    first = AGENT.replace("1 / vars.n", "1") + (
        "instructions: Hi.\ntools: [{name: to, description: To., handoff: {agent: other}}]\n"
    )
    other = "agent: other\nmodel: gpt-realtime-2.1\ninstructions: Hi {{ vars.clinic }}{{ 1 / vars.n }}.\n"
    assert found(tmp_path, first, other) == ["other.yaml:3:35: error: this template fails: division by zero"]
    assert load(tmp_path).problems == tuple(
        problem for problem in load(tmp_path).problems if problem.rule == "template-fails"
    )
