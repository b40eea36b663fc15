"""Converts a JSON Schema into the form that Structured Outputs enforce, and answers back into the declared
one.

The strict form knows only a part of JSON Schema: every object is closed and requires all of its keys. An
optional key becomes one that may be null, and a null there is removed again. A schema without a strict form
is sent as it is, and checked by us in either case. Source:
https://developers.openai.com/api/docs/guides/structured-outputs (supported schemas).
"""

from collections.abc import Mapping

from runner.model.values import Json, JsonObject

_PLAIN = frozenset(
    {
        *("type", "description", "title", "enum", "const", "pattern", "format"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minItems", "maxItems", "$ref"),
    }
)
"""Keywords that are kept unchanged."""
_STRUCTURE = frozenset({"properties", "required", "additionalProperties", "items", "anyOf", "$defs"})
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


class _NoStrictFormError(Exception):
    """The schema contains something that the strict form cannot express."""


def strict_form(schema: JsonObject) -> JsonObject | None:
    """The schema in the strict form, or None when it has none."""
    if "anyOf" in schema:
        return None  # the root must be an object, not a choice
    try:
        return _strict(schema, may_omit=True)
    except _NoStrictFormError:
        return None


def without_nulls(answer: Json, schema: Json) -> Json:
    """An answer in the strict form without the nulls that stand for keys which were left out."""
    if not isinstance(schema, Mapping):
        return answer
    if isinstance(answer, list):
        return [without_nulls(entry, schema.get("items")) for entry in answer]
    if not isinstance(answer, dict):
        return answer
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    return {
        key: without_nulls(value, properties.get(key))
        for key, value in answer.items()
        if value is not None or key in required or key not in properties
    }


def _strict(schema: Json, *, may_omit: bool) -> dict[str, Json]:
    """`may_omit`: whether keys may be optional here, where `without_nulls` finds them again."""
    if not isinstance(schema, Mapping) or set(schema) - _PLAIN - _STRUCTURE:
        raise _NoStrictFormError
    if "format" in schema and schema["format"] not in _FORMATS:
        raise _NoStrictFormError
    strict = {key: value for key, value in schema.items() if key in _PLAIN}
    if "items" in schema:
        strict["items"] = _strict(schema["items"], may_omit=may_omit)
    if "anyOf" in schema:
        strict["anyOf"] = [_strict(branch, may_omit=False) for branch in schema["anyOf"]]
    if "$defs" in schema:
        strict["$defs"] = {name: _strict(inner, may_omit=False) for name, inner in schema["$defs"].items()}
    kinds = schema.get("type")
    if kinds == "object" or "properties" in schema or (isinstance(kinds, list) and "object" in kinds):
        strict |= _closed(schema, may_omit=may_omit)
    return strict


def _closed(schema: JsonObject, *, may_omit: bool) -> dict[str, Json]:
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    # A mapping with any keys cannot be closed: {type: object} alone means one with unknown keys.
    if not properties or schema.get("additionalProperties", False) is not False:
        raise _NoStrictFormError
    if not (may_omit or set(properties) <= set(required)) or set(required) - set(properties):
        raise _NoStrictFormError
    return {
        "properties": {
            name: _strict(inner, may_omit=may_omit)
            if name in required
            else _nullable(_strict(inner, may_omit=may_omit))
            for name, inner in properties.items()
        },
        "required": [*properties],
        "additionalProperties": False,
    }


def _nullable(schema: JsonObject) -> dict[str, Json]:
    return {"anyOf": [dict(schema), {"type": "null"}]}
