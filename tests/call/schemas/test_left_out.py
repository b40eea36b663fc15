"""Nulls by which a model leaves something out, and nulls that mean something."""

import pytest

from runner.call.schemas.left_out import without_left_out
from runner.call.schemas.schema import Schema
from runner.model.values import Json, JsonObject

TEXT = {"type": "string"}
NULLABLE = {"type": ["string", "null"]}
GUEST = {"type": "object", "properties": {"name": TEXT, "nick": TEXT, "note": NULLABLE}, "required": ["name"]}


def closed(**properties: Json) -> JsonObject:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "value", "kept"),
    [
        (closed(day=TEXT, doctor=TEXT), {"day": "x", "doctor": None}, {"day": "x"}),
        (closed(a={}), {"a": None}, {}),
        (closed(a={"enum": ["x", "y"]}), {"a": None}, {}),
        # Declared to be null at times, in every way that there is.
        (closed(a=NULLABLE), {"a": None}, {"a": None}),
        (closed(a={"type": "null"}), {"a": None}, {"a": None}),
        (closed(a={"enum": ["x", None]}), {"a": None}, {"a": None}),
        (closed(a={"const": None}), {"a": None}, {"a": None}),
        (closed(a={"anyOf": [TEXT, {"type": "null"}]}), {"a": None}, {"a": None}),
        (closed(a={"oneOf": [{"allOf": [NULLABLE]}]}), {"a": None}, {"a": None}),
        ({**closed(a={"$ref": "#/$defs/x"}), "$defs": {"x": NULLABLE}}, {"a": None}, {"a": None}),
        # Required: the model has to say something.
        ({**closed(a=TEXT), "required": ["a"]}, {"a": None}, {"a": None}),
        ({"allOf": [closed(a=TEXT), {"required": ["a"]}]}, {"a": None}, {"a": None}),
        # At any depth.
        (
            closed(guest=GUEST),
            {"guest": {"name": None, "nick": None, "note": None}},
            {"guest": {"name": None, "note": None}},
        ),
        (closed(guest=GUEST), {"guest": None}, {}),
        (
            closed(guests={"type": "array", "items": GUEST}),
            {"guests": [{"name": "A", "nick": None}, None]},
            {"guests": [{"name": "A"}, None]},
        ),
        (
            closed(pair={"prefixItems": [GUEST], "items": NULLABLE}),
            {"pair": [{"nick": None}, None]},
            {"pair": [{}, None]},
        ),
        (
            closed(of={"additionalProperties": GUEST}),
            {"of": {"x": {"nick": None}, "y": None}},
            {"of": {"x": {}}},
        ),
        ({"$ref": "#/$defs/x", "$defs": {"x": closed(a=TEXT)}}, {"a": None}, {}),
        ({"anyOf": [closed(a=TEXT), closed(b=TEXT)]}, {"a": None, "b": None}, {}),
        ({"if": closed(a=TEXT), "then": closed(b=TEXT)}, {"a": None, "b": None}, {}),
        # What is not described is data.
        (closed(), {"a": None}, {"a": None}),
        ({"type": "object"}, {"a": {"b": None}}, {"a": {"b": None}}),
        # A schema that leads in a circle, or nowhere.
        ({"$ref": "#", "properties": {"a": {"$ref": "#"}}}, {"a": {"a": None}}, {"a": {}}),
        ({"$ref": "#/no", "properties": {"a": TEXT}}, {"a": None}, {}),
    ],
)
def test_a_null_that_stands_for_nothing_is_taken_away(schema: JsonObject, value: Json, kept: Json) -> None:
    assert without_left_out(Schema(schema), value) == kept
