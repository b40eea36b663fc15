"""The schema's check against tiny schemas of its own, and against the jsonschema package as an oracle."""

from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from runner.config.checking.schema import KEYWORDS, SchemaCheck, check
from runner.config.checking.schema_files import KINDS, schema
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from runner.model.values import Place
from tests.config.broken_documents import broken_agents

ANNOTATIONS = {"$schema", "$id", "$comment", "$defs", "title", "description", "examples", "default"}
OF_EDITORS = {"errorMessage", "doNotSuggest"}
OF_OURS = {"x-bare", "x-key", "x-tag", "x-text", "x-unit", "x-scheme", "x-secret", "x-required-with-defaults"}
SCHEMA_MAPS = ("properties", "$defs", "dependentSchemas")
SCHEMAS = ("items", "additionalProperties", "propertyNames", "oneOf")


def node(text: str) -> Node:
    found = read("f", text.encode(), Problems())
    assert found is not None
    return found


def checked(text: str, wanted: dict[str, Any]) -> tuple[Any, list[str]]:
    """The data as the schema wants it, and the messages."""
    problems = Problems()
    result = SchemaCheck(wanted).check(node(text), problems)
    return result.root.data(), [str(problem) for problem in problems.sorted()]


@pytest.mark.parametrize(
    ("text", "type_", "data"),
    [
        ("+14155550123", "string", "+14155550123"),
        ("0123456", "string", "0123456"),
        ("14155550123", "string", "14155550123"),
        ("1.50", "string", "1.50"),
        ("0x1F", "string", "0x1F"),
        ("true", "string", "true"),
        ("2026-11-27", "string", "2026-11-27"),
        ("5", "integer", 5),
        ("5.0", "integer", 5),
        ("0x1F", "integer", 31),
        ("5", "number", 5),
        ("5", ["string", "number"], 5),
        ("~", ["string", "null"], None),
    ],
)
def test_a_scalar_becomes_what_the_schema_wants(
    text: str, type_: list[str] | str, data: int | str | None
) -> None:
    found, messages = checked(text, {"type": type_})
    assert (found, messages) == (data, [])
    assert type(found) is type(data)


def test_digits_are_text_where_the_schema_says_so_although_it_takes_a_number_too() -> None:
    wanted = {"type": ["string", "integer"], "x-text": True, "pattern": "^[+]"}
    assert checked("+18005550142", wanted) == ("+18005550142", [])
    assert checked("204518", {**wanted, "pattern": "^2"}) == ("204518", [])
    assert checked("800", wanted)[1] == ['f:1:1: this is "800"; write text [value]']
    assert checked("[]", wanted)[1] == ["f:1:1: this is empty; write text [type]"]


def test_what_may_never_be_written_has_no_value_to_choose_from() -> None:
    wanted = {"properties": {"a": {"enum": [], "errorMessage": "leave it out"}}}
    assert checked("a: 1", wanted)[1] == ['f:1:4: "a" does not belong here; leave it out [refused-key]']


def test_a_key_may_want_something_of_the_others() -> None:
    refused = {"properties": {"b": {"enum": [], "errorMessage": "keep one"}}}
    wanted = {"properties": {"a": {"type": "string"}}, "dependentSchemas": {"a": refused}}
    assert checked("{a: 1, b: 2}", wanted)[1] == ['f:1:11: "b" does not belong here; keep one [refused-key]']
    assert checked("{b: 2}", wanted) == ({"b": 2}, [])
    assert checked("{a: 1}", wanted) == ({"a": "1"}, [])


def test_a_whole_number_is_written_plainly_whatever_its_form_was() -> None:
    problems = Problems()
    assert SchemaCheck({"type": "integer"}).check(node("0x1F"), problems).root.text == "31"


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        ("~", {"type": "string"}, "f:1:1: this is empty; write text [type]"),
        ("[]", {"type": "object"}, "f:1:1: this is empty; write a mapping [type]"),
        ("yes", {"type": "boolean"}, 'f:1:1: this is "yes"; write true or false [type]'),
        ("'5'", {"type": "integer"}, 'f:1:1: this is "5"; write 5, without quotes [type]'),
        (
            "'05'",
            {"type": "integer", "minimum": 6},
            'f:1:1: this is "05"; write a whole number, at least 6 [type]',
        ),
        ("1.5", {"type": "integer"}, 'f:1:1: this is "1.5"; write a whole number [type]'),
        ("true", {"type": "integer"}, 'f:1:1: this is "true"; write a whole number [type]'),
        ("x", {"type": ["integer", "null"]}, 'f:1:1: this is "x"; write a whole number or null [type]'),
        (
            "0",
            {"type": "integer", "minimum": 1},
            'f:1:1: this is "0"; write a whole number, at least 1 [value]',
        ),
        (
            "5",
            {"type": "number", "exclusiveMinimum": 5},
            'f:1:1: this is "5"; write a number greater than 5 [value]',
        ),
        ("5", {"type": "number", "maximum": 4}, 'f:1:1: this is "5"; write a number, at most 4 [value]'),
        ("false", {"const": True}, 'f:1:1: this is "false"; write true [value]'),
        ("1", {"const": True}, 'f:1:1: this is "1"; write true [value]'),
        ("bleu", {"enum": ["blue", "red"]}, 'f:1:1: this is "bleu"; did you mean "blue"? [value]'),
        ("5", {"enum": ["blue", None]}, 'f:1:1: this is "5"; write "blue" or null [value]'),
        (
            "a" * 70,
            {"pattern": "^b", "errorMessage": "begin with b"},
            f'f:1:1: this is "{"a" * 60}…"; begin with b [value]',
        ),
        ('"one\\ntwo"', {"pattern": "^b$"}, 'f:1:1: this is "one…"; write text [value]'),
        ('"b\\n"', {"pattern": "^b$"}, 'f:1:1: this is "b…"; write text [value]'),
    ],
)
def test_a_wrong_value_is_quoted_with_what_would_be_right(
    text: str, wanted: dict[str, Any], message: str
) -> None:
    assert checked(text, wanted)[1] == [message]


def test_what_stands_beside_a_reference_comes_on_top_of_it() -> None:
    wanted = {
        "$defs": {"named": {"title": "Thing", "required": ["a"], "properties": {"a": {"type": "string"}}}},
        "$ref": "#/$defs/named",
        "required": ["b"],
        "properties": {"b": {"type": "integer"}},
    }
    assert checked("{a: 1, b: x}", wanted)[1] == ['f:1:11: "b" is "x"; write a whole number [type]']
    assert checked("{c: 1}", wanted)[1] == [
        'f:1:1: this thing needs the key "a" [missing-key]',
        'f:1:1: this thing needs the key "b" [missing-key]',
    ]


def test_only_the_branch_that_was_meant_is_judged() -> None:
    wanted = {
        "oneOf": [
            {"type": "string"},
            {"x-key": "a", "required": ["a"], "properties": {"a": {"type": "integer"}}, "type": "object"},
            {"x-key": "b", "required": ["b"], "properties": {"b": {"type": "boolean"}}, "type": "object"},
        ]
    }
    assert checked("{b: x}", wanted)[1] == ['f:1:5: "b" is "x"; write true or false [type]']
    assert checked("[x, y]", wanted)[1] == ["f:1:1: this is a list; write text or a mapping [type]"]
    assert checked("5", wanted) == ("5", [])


def test_a_branch_that_takes_the_value_as_it_is_goes_before_one_that_takes_its_text() -> None:
    wanted = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    assert checked("5", wanted) == (5, [])
    assert checked("5.5", wanted) == ("5.5", [])


def test_entries_of_any_kind_may_stand_only_once_where_the_schema_says_so() -> None:
    assert checked("[{a: 1}, {a: 2}, 1, '1']", {"uniqueItems": True})[1] == []
    assert checked("[{a: 1}, x, {a: 1}, x]", {"uniqueItems": True})[1] == [
        "f:1:13: a mapping is in this list twice [value]",
        'f:1:21: "x" is in this list twice [value]',
    ]


def test_a_part_is_sound_when_nothing_is_wrong_in_it() -> None:
    problems = Problems()
    wanted = {"properties": {"a": {"items": {"type": "string"}}, "b": {"type": "integer"}}}
    found = SchemaCheck(wanted).check(node("a: [x, [y]]\nb: 1\n"), problems)
    assert not found.sound(found.root)
    assert found.part("a") is None
    assert found.part("a", 0) is not None
    assert found.part("a", 1) is None
    assert found.part("b") is not None
    assert found.part("c") is None


def test_a_broken_value_behind_an_alias_is_broken_only_where_it_does_not_fit() -> None:
    problems = Problems()
    wanted = {"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    found = SchemaCheck(wanted).check(node("x: &x word\na: *x\nb: *x\n"), problems)
    assert found.part("a") is None
    assert found.part("b") is not None


def test_a_secret_is_never_quoted_and_its_line_is_to_be_hidden() -> None:
    problems = Problems()
    SchemaCheck({"properties": {"key": {"type": "object", "x-secret": True}}}).check(
        node("key: sk-12345\n"), problems
    )
    (problem,) = problems.sorted()
    assert str(problem) == 'f:1:6: "key" is a text (not shown); write a mapping [type]'
    assert problem.hide_source


def subschemas(found: Any) -> list[dict[str, Any]]:
    """A schema with everything in it that is a schema."""
    if isinstance(found, list):
        return [inner for entry in found for inner in subschemas(entry)]
    if not isinstance(found, dict):
        return []
    inside = [entry for key in SCHEMA_MAPS for entry in found.get(key, {}).values()]
    inside += [found[key] for key in SCHEMAS if key in found]
    return [found, *subschemas(inside)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_schemas_use_no_keyword_that_is_not_checked(kind: str) -> None:
    used = {keyword for found in subschemas(schema(kind)) for keyword in found}
    assert used <= KEYWORDS | ANNOTATIONS | OF_EDITORS | OF_OURS


def as_node(data: Any) -> Node:
    """Data as it would have been read, all of it quoted where it is text."""
    place = Place("f", 1, 1)
    if isinstance(data, dict):
        values = {key: as_node(value) for key, value in data.items()}
        return Node(value=values, place=place, key_places=dict.fromkeys(values, place))
    if isinstance(data, list):
        return Node(value=tuple(as_node(entry) for entry in data), place=place)
    words = {True: "true", False: "false", None: ""}
    text = words[data] if isinstance(data, bool) or data is None else str(data)
    return Node(value=data, place=place, text=text)


@settings(max_examples=400)
@given(broken_agents())
def test_what_the_check_allows_is_what_json_schema_allows(data: dict[str, Any]) -> None:
    """Texts that were written as numbers apart: there the check gives the text, which JSON Schema allows."""
    oracle = Draft202012Validator({**schema("agent"), "required": ["agent", "model", "instructions"]})
    problems = Problems()
    result = check(as_node(data), "agent", problems)
    if oracle.is_valid(data):
        assert [str(problem) for problem in problems.sorted()] == []
    if not problems.has_errors:
        assert oracle.is_valid(result.root.data())


def test_only_some_unknown_keys_are_searched_for_everywhere() -> None:
    """A file of another kind has thousands of them, and each search takes its time."""
    wanted = {"type": "object", "properties": {"voice": {}, "model": {}}, "additionalProperties": False}
    keys = [f"voic{letter}" for letter in "abcdfghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123"]
    _, messages = checked("".join(f"{key}: 1\n" for key in keys), wanted)
    assert [message.partition("; ")[2] for message in messages] == [
        *['did you mean "voice"? [unknown-key]'] * 50,
        *['known here: "voice" or "model" [unknown-key]'] * (len(keys) - 50),
    ]
