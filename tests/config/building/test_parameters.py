"""A tool's parameters as JSON Schema: what is found at all. The messages are in golden/in-parameters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.call.templates.names import NOTHING, Shape
from runner.config.building.parameters import check_parameters
from runner.config.building.schema_walk import argument_shapes
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from runner.model.values import Json

META = Draft202012Validator(Draft202012Validator.META_SCHEMA)


def node(schema: Json) -> Node:
    problems = Problems()
    found = read("a.yaml", json.dumps(schema).encode(), problems)
    assert found is not None
    assert not problems.sorted()
    return found


def has_errors(schema: Json) -> bool:
    problems = Problems()
    check_parameters(node(schema), problems)
    return problems.has_errors


VALUES: st.SearchStrategy[Json] = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2.5, "", "string", "strng", "a", "(", "^a$"),
        *([], ["a"], ["a", "a"], ["string", "null"], [1], [{}], [True, {"minimum": "x"}]),
        *({}, {"a": {}}, {"a": {"type": "null"}}, {"a": 1}, {"a": ["b"]}, {"type": "integer"}, {"type": 1}),
    ]
)
KEYWORDS = st.sampled_from(
    [
        *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems"),
        *(
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
            "then",
            "else",
            "minLength",
            "maxItems",
            "minimum",
            "multipleOf",
        ),
        *(
            "pattern",
            "format",
            "title",
            "description",
            "uniqueItems",
            "dependentRequired",
            "dependentSchemas",
        ),
        *(
            "patternProperties",
            "propertyNames",
            "contains",
            "default",
            "examples",
            "deprecated",
            "$defs",
            "$comment",
        ),
    ]
)


@given(st.dictionaries(KEYWORDS, VALUES, max_size=3))
def test_exactly_what_the_standards_own_schema_refuses_is_an_error(schema: dict[str, Json]) -> None:
    parameters = {"type": "object", "properties": {"x": schema}}
    # Patterns are a `format` there, which its validator does not check.
    patterns = [schema.get("pattern"), *(["("] if "(" in str(schema.get("patternProperties")) else [])]
    refused = not META.is_valid(parameters) or "(" in patterns
    assert has_errors(parameters) == refused


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": True, "b": {"$ref": "#"}, "c": {"$ref": "#/properties/a"}}},
        {
            "type": "object",
            "$defs": {"a/b": {}, "l": {"anyOf": [{}]}},
            "properties": {"x": {"$ref": "#/$defs/a~1b"}, "y": {"$ref": "#/$defs/l/anyOf/0"}},
        },
        {"type": "object", "x-mine": 1, "properties": {"a": {"format": "made-up"}}},
    ],
)
def test_sound_parameters_pass(schema: Json) -> None:
    problems = Problems()
    check_parameters(node(schema), problems)
    assert problems.sorted() == ()


@pytest.mark.parametrize(
    ("schema", "shapes", "is_open"),
    [
        ({"type": "object"}, {}, False),
        (
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {}, "c": {"type": "array"}}},
            {"a": NOTHING, "b": None, "c": None},
            False,
        ),
        ({"type": "object", "additionalProperties": False}, {}, False),
        ({"type": "object", "additionalProperties": True}, {}, True),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {}, True),
        ({"type": "object", "patternProperties": {"^x-": {}}}, {}, True),
        (
            {
                "type": "object",
                "properties": {"g": {"type": "object", "properties": {"name": {"type": "string"}}}},
            },
            {"g": {"name": NOTHING}},
            False,
        ),
        (
            {"type": "object", "properties": {"g": {"type": "object", "properties": {}, "allOf": [{}]}}},
            {"g": None},
            False,
        ),
        (
            {
                "type": "object",
                "allOf": [
                    {"properties": {"a": {}}},
                    {"oneOf": [{"properties": {"b": {}}}, {"$ref": "#/$defs/c"}]},
                ],
                "if": {"properties": {"d": {}}},
                "then": {"properties": {"e": {}}},
                "dependentSchemas": {"a": {"properties": {"f": {}}}},
                "$defs": {"c": {"properties": {"c": {}}}},
            },
            dict.fromkeys("abcdef"),
            False,
        ),
        ({"type": "object", "$ref": "#"}, {}, False),
    ],
)
def test_the_declared_arguments_are_those_of_every_branch(schema: Json, shapes: Shape, is_open: bool) -> None:
    assert argument_shapes(node(schema)) == (shapes, is_open)
