"""A schema has a strict form where the API's Structured Outputs can say the same, and none otherwise."""

from typing import Any

import pytest

from runner.api.realtime.strict_schema import strict_form, without_nulls

BOOKED = {
    "type": "object",
    "properties": {"booked": {"type": "boolean"}, "why": {"type": "string", "description": "Why not."}},
    "required": ["booked"],
}


def an_object(inner: bool | dict[str, Any], **more: bool | dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": inner}, "required": ["a"], **more}


def test_optional_keys_become_required_and_may_be_null() -> None:
    assert strict_form(BOOKED) == {
        "type": "object",
        "properties": {
            "booked": {"type": "boolean"},
            "why": {"anyOf": [{"type": "string", "description": "Why not."}, {"type": "null"}]},
        },
        "required": ["booked", "why"],
        "additionalProperties": False,
    }


def test_objects_below_are_closed_too() -> None:
    listed = {"type": "array", "items": BOOKED, "minItems": 1}
    strict = strict_form(an_object(listed))
    assert strict is not None
    assert strict["properties"]["a"] == {"type": "array", "items": strict_form(BOOKED), "minItems": 1}


def test_a_schema_that_is_strict_already_stays_as_it_is() -> None:
    schema = an_object(
        {"anyOf": [an_object({"$ref": "#/$defs/x"}, additionalProperties=False), {"type": "null"}]},
        additionalProperties=False,
        **{"$defs": {"x": {"type": "string", "enum": ["b"]}}},
    )
    assert strict_form(schema) == schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {}},
        {**BOOKED, "additionalProperties": True},
        {**BOOKED, "additionalProperties": {"type": "string"}},
        {**BOOKED, "required": ["booked", "other"]},
        {**BOOKED, "allOf": [{}]},
        {"anyOf": [BOOKED]},
        an_object(True),
        an_object({"type": "object"}),
        an_object({"type": ["object", "null"]}),
        an_object({"type": "string", "minLength": 1}),
        an_object({"type": "string", "format": "uri"}),
        an_object({"anyOf": [BOOKED, {"type": "null"}]}),
        an_object({"$ref": "#/$defs/x"}, **{"$defs": {"x": BOOKED}}),
        an_object({"type": "array", "items": {"not": {}}}),
    ],
)
def test_what_the_strict_form_cannot_say_has_none(schema: dict[str, Any]) -> None:
    assert strict_form(schema) is None


@pytest.mark.parametrize(
    ("answer", "schema", "meant"),
    [
        ({"booked": True, "why": None}, BOOKED, {"booked": True}),
        ({"booked": None, "why": "x"}, BOOKED, {"booked": None, "why": "x"}),
        ({"booked": True, "other": None}, BOOKED, {"booked": True, "other": None}),
        (
            {"a": [{"booked": True, "why": None}]},
            an_object({"type": "array", "items": BOOKED}),
            {"a": [{"booked": True}]},
        ),
        ({"a": {"booked": False, "why": None}}, an_object(BOOKED), {"a": {"booked": False}}),
        ([None], {}, [None]),
        ("text", BOOKED, "text"),
        ({"a": {"b": None}}, an_object(True), {"a": {"b": None}}),
    ],
)
def test_nulls_that_stand_for_keys_left_out_are_taken_away(
    answer: dict[str, Any] | list[None] | str,
    schema: dict[str, Any],
    meant: dict[str, Any] | list[None] | str,
) -> None:
    assert without_nulls(answer, schema) == meant
