"""Brings a JSON Schema into the form that Structured Outputs enforce, and answers back into the declared one.

The strict form knows a part of JSON Schema only: every object is closed and requires all of its keys. An
optional key becomes one that may be null, and a null there is taken away again. What has no strict form is
asked for loosely, and checked by us in either case.
Source: https://developers.openai.com/api/docs/guides/structured-outputs (supported schemas).
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
"""Keywords that are passed on as they are."""
_STRUCTURE = frozenset({"properties", "required", "additionalProperties", "items", "anyOf", "$defs"})
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


class _NoStrictFormError(Exception):
    """The schema says something that the strict form cannot."""


def strict_form(schema: JsonObject) -> JsonObject | None:
    """The schema in the strict form, or None when it has none."""
    if "anyOf" in schema:
        return None  # the root must be an object and no choice
    try:
        return _strict(schema, may_omit=True)
    except _NoStrictFormError:
        return None


def without_nulls(answer: Json, schema: Json) -> Json:
    """An answer to the strict form with the nulls taken away that stand for keys which were left out."""
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
    # What may hold any key cannot be closed: {type: object} alone means a mapping of unknown keys.
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
