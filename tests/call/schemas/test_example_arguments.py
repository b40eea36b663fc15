"""Arguments are made up of a tool's parameters: examples first, then defaults, enums and types."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.call.schemas.example_arguments import example_arguments
from runner.model.values import Json

TODAY = date(2026, 11, 22)


def made(schema: dict[str, Any], name: str = "x", **root: Json) -> Json:
    return example_arguments({"type": "object", "properties": {name: schema}, **root}, TODAY)[name]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "examples": ["a"], "default": "b", "enum": ["c", "a", "b"]}, "a"),
        ({"type": "string", "default": "b", "enum": ["c", "b"]}, "b"),
        ({"enum": ["c", "b"]}, "c"),
        ({"const": 7}, 7),
        ({"type": "string", "format": "date"}, "2026-11-23"),
        ({"type": "string", "format": "date-time"}, "2026-11-23T09:30:00Z"),
        ({"type": "string", "format": "email"}, "ada@mail.example"),
        ({"type": "string", "minLength": 14}, "an example xxx"),
        ({"type": "string", "maxLength": 4}, "an e"),
        ({"type": ["null", "string"]}, "an example x"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [True, True]),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"type": "integer", "allOf": [{"minimum": 3}, {"maximum": 9}]}, 3),
        ({}, "an example x"),
    ],
)
def test_a_value_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert made(schema) == value
    assert list(Draft202012Validator(schema).iter_errors(value)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("phone_number", "+14155550123"), ("caller-name", "Ada Lovelace"), ("remark", "an example remark")],
)
def test_a_name_hints_at_a_text(name: str, value: str) -> None:
    assert made({"type": "string"}, name) == value


def test_a_local_reference_is_followed() -> None:
    root: dict[str, Json] = {"$defs": {"kind": {"enum": ["k"]}}}
    assert made({"$ref": "#/$defs/kind"}, **root) == "k"


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    root: dict[str, Json] = {"$defs": {"node": node}}
    assert "next" in made({"$ref": "#/$defs/node"}, **root)


def test_without_parameters_there_are_no_arguments() -> None:
    assert example_arguments({}, TODAY) == {}
    assert example_arguments({"type": "object"}, TODAY) == {}


@given(low=st.integers(-50, 50), size=st.integers(0, 50), step=st.sampled_from([None, 1]))
def test_an_integer_is_within_its_bounds(low: int, size: int, step: int | None) -> None:
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": low + size}
    if step:
        schema["multipleOf"] = step
    assert low <= made(schema) <= low + size
