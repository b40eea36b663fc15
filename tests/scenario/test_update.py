"""What was got is put into the file, and nothing else of it changes."""

import pytest

from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from runner.model.values import Json, JsonObject, Place
from runner.scenario.update import FilledMark, flow, updated

NOTHING: dict[str, Json] = {
    "rejected": None,
    "ended": None,
    "output": {},
    **{key: [] for key in ("says", "tells", "requests", "handoffs", "transfers")},
}
GREETED = {**NOTHING, "agent": "desk", "says": ["Hello, Maple."]}
REQUEST = {
    "tool": "save",
    "method": "POST",
    "host": "api.example",
    "path": "/save",
    "query": {},
    "headers": {"x-agent": "desk"},
    "json": {"text": "a", "day": "2026-11-27"},
    "attempts": 1,
}
BUSY = {
    **GREETED,
    "requests": [REQUEST, {**REQUEST, "attempts": 2}],
    "output": {"save": None},
    "ended": "hangup",
}


def change(line: int, column: int, facts: JsonObject) -> FilledMark:
    return FilledMark(place=Place("a.test.yaml", line, column), observed=facts)


def test_an_expectation_on_a_line_of_its_own_becomes_a_mapping() -> None:
    text = "- name: a\n  expect: ...   # to be seen\n  steps:\n    - caller: a\n      expect: ...\n"
    assert updated(text, [change(2, 11, GREETED), change(5, 15, BUSY)]) == (
        "- name: a\n"
        "  expect:   # to be seen\n"
        "    agent: desk\n"
        '    says: ["Hello, Maple."]\n'
        "  steps:\n"
        "    - caller: a\n"
        "      expect:\n"
        "        agent: desk\n"
        '        says: ["Hello, Maple."]\n'
        "        requests: ["
        '{method: POST, host: api.example, path: /save, json: {text: a, day: "2026-11-27"}}, '
        '{method: POST, host: api.example, path: /save, json: {text: a, day: "2026-11-27"}, attempts: 2}]'
        "\n"
        "        output: {save: null}\n"
        "        ended: hangup\n"
    )


def test_within_braces_it_stays_on_the_line() -> None:
    text = "- {name: a, expect: ..., steps: []}\r\n"
    assert updated(text, [change(1, 21, {**NOTHING, "rejected": 603})]) == (
        "- {name: a, expect: {rejected: 603}, steps: []}\r\n"
    )


def test_after_a_dash_the_keys_stand_under_expect() -> None:
    text = "    - expect: ...\n      caller: a\n"
    assert updated(text, [change(1, 15, GREETED)]) == (
        '    - expect:\n        agent: desk\n        says: ["Hello, Maple."]\n      caller: a\n'
    )


def test_two_in_one_line_are_both_written() -> None:
    text = "[{expect: ...}, {expect: ...}]\n"
    rejected = {**NOTHING, "rejected": 603}
    changes = [change(1, 11, rejected), change(1, 26, {**NOTHING, "rejected": 404})]
    assert updated(text, changes) == "[{expect: {rejected: 603}}, {expect: {rejected: 404}}]\n"


def test_a_mark_that_has_moved_is_left_alone() -> None:
    assert updated("- name: a\n", [change(1, 3, GREETED)]) == "- name: a\n"


@pytest.mark.parametrize(
    "value",
    [
        "plain words",
        "12:30",
        "no",
        "On",
        "0123",
        "1e3",
        "",
        " a ",
        "a: b",
        "a #b",
        "a\nb",
        "- a",
        "...",
        "*",
        "{a}",
        "it's",
        'a "b"',
        "null",
        "~",
        "é",
        "a, b",
        12,
        1.5,
        True,
        None,
        [],
        {},
        {"a b": [1, {"c:": "d"}], "yes": "-"},
        {"\xa0b": 1, "c" * 2_000: {"é" * 1_100: [2]}, "d": 3},
    ],
)
def test_every_value_is_read_back_as_it_was(value: object) -> None:
    problems = Problems()
    node = read("a.yaml", f"a: {flow(value)}\nb: [{flow(value)}]\n".encode(), problems)
    assert problems.sorted() == ()
    assert node is not None
    assert node.data() == {"a": value, "b": [value]}
