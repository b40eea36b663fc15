"""A value of the wrong shape is shown in the right one, as far as the schema takes it there."""

from typing import Any

import pytest

from runner.config.checking.schema import SchemaCheck
from runner.config.checking.schema_shapes import flow_data
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read

DURATION = {"type": "string", "pattern": "^[0-9]+s$"}
RETRIES = {
    "type": "object",
    "required": ["attempts"],
    "properties": {"attempts": {"type": "integer", "minimum": 1, "maximum": 10}, "backoff": DURATION},
    "examples": [{"attempts": 2, "backoff": "1s"}],
}
SILENCE = {
    "type": "object",
    "required": ["after", "say"],
    "properties": {"after": DURATION, "say": {"type": "string"}},
}
ROUTE = {
    "type": "object",
    "x-bare": "to",
    "properties": {"to": {"type": "string"}, "from": {"type": "string"}},
}
BUSY = {
    "errorMessage": "write {reject: STATUS} or {agent: ID}",
    "oneOf": [
        {
            "type": "object",
            "x-key": "reject",
            "required": ["reject"],
            "properties": {"reject": {"type": "integer", "minimum": 400}},
        },
        {
            "type": "object",
            "x-key": "agent",
            "required": ["agent"],
            "properties": {"agent": {"type": "string", "pattern": "^[a-z]"}},
        },
    ],
}
HOURS = {
    "type": "object",
    "propertyNames": {"pattern": "^(mon|tue)$"},
    "additionalProperties": {"type": "string"},
    "examples": [{"mon": "9-17"}],
}
SECRET = {"type": "object", "required": ["key"], "properties": {"key": {"type": "string", "x-secret": True}}}


@pytest.mark.parametrize(
    ("text", "wanted", "right"),
    [
        ("3", RETRIES, "write {attempts: 3}"),
        ("30", RETRIES, "write a mapping, such as {attempts: 2, backoff: 1s}"),
        ("true", RETRIES, "write a mapping, such as {attempts: 2, backoff: 1s}"),
        ("5s", SILENCE, "write {after: 5s, say: …}"),
        ("to: '+1800'", {"type": "array", "items": ROUTE}, 'write [{to: "+1800"}]'),
        ("to: [x]", {"type": "array", "items": ROUTE}, "write a list"),
        ("'true'", {"type": "boolean"}, "write true, without quotes"),
        ("9-5", HOURS, "write {mon: 9-5}"),
        ("'+1800'", {"type": "array", "items": ROUTE}, 'write [{to: "+1800"}]'),
        ("[x, y]", ROUTE, "write a mapping"),
        ("[x]", {"type": "string"}, "write x"),
        ("[x, y]", {"type": "string"}, "write text"),
        ("{a: b}", {"type": "string"}, "write text"),
        ("x", {"type": "array", "items": {"type": "string"}}, "write [x]"),
        ("486", BUSY, "write {reject: 486}"),
        ("night", BUSY, "write {agent: night}"),
        ("12", BUSY, "write {reject: STATUS} or {agent: ID}"),
        (
            "true",
            {"type": "object", "x-bare": "a", "properties": {"a": {"type": "boolean"}}},
            "write {a: true}",
        ),
        (
            "true",
            {"type": "object", "x-bare": "a", "properties": {"a": {"type": "string"}}},
            "write a mapping",
        ),
        (
            "true",
            {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "boolean"]}}]},
            'write "true", in quotes',
        ),
        ("on", ROUTE, "write a mapping"),
        ("hunter2", SECRET, "write a mapping"),
        ("[[x]]", {"type": "string"}, "write text"),
        ("x" * 60, ROUTE, "write a mapping"),
        ("5", {"type": "object", "additionalProperties": {"type": "integer"}}, "write {NAME: 5}"),
        ("~", ROUTE, "write a mapping"),
    ],
)
def test_what_is_said_of_a_value_of_the_wrong_shape(text: str, wanted: dict[str, Any], right: str) -> None:
    problems = Problems()
    node = read("f", text.encode(), problems)
    assert node is not None
    SchemaCheck(wanted).check(node, problems)
    (problem,) = problems.sorted()
    assert problem.message.partition("; ")[2] == right


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"to": "+1800", "during": "office-hours"}, '{to: "+1800", during: office-hours}'),
        (["a b", "a, b", "a: b", "a #b", "#", "5", "5s", "", "true", "- x"], None),
        ([1, 1.5, True, None], "[1, 1.5, true, null]"),
    ],
)
def test_a_value_is_written_as_yaml_reads_it(value: Any, text: str | None) -> None:
    written = flow_data(value)
    assert text is None or written == text
    found = read("f", written.encode(), Problems())
    assert found is not None
    assert found.data() == value
