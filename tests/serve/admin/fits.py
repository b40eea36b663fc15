"""Holds what the admin API tells against `schemas/admin.openapi.json`: bodies of answers, and each event."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FILE = Path(__file__).parents[3] / "schemas" / "admin.openapi.json"
WHOLE = json.loads(FILE.read_text())

JSON = ("application/json", "application/problem+json")

JsonObject = dict[str, Any]


def fits(schema: str, value: object) -> None:
    """The value is what the document says of this schema."""
    _validator(schema).validate(value)


def answer_fits(operation: str, status: int, body: object) -> None:
    """The body of an answer is what the document says of this operation and status."""
    answers = _answers()[operation]
    assert str(status) in answers, f"{operation} does not answer {status}: {body}"
    answer = answers[str(status)]
    if "$ref" in answer:
        answer = WHOLE["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    [content] = (answer["content"][kind] for kind in JSON if kind in answer["content"])
    Draft202012Validator({**WHOLE, **content["schema"]}).validate(body)


def event_fits(name: str, data: JsonObject) -> None:
    """An event is what the document says of events of this name."""
    kind = "snapshot of one" if name == "snapshot" and "call" in data else name
    _event(kind).validate(data)


def _ref(schema: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{schema}"}


def _list(of: JsonObject) -> JsonObject:
    return {"type": "array", "items": of}


def _just(**fields: JsonObject) -> JsonObject:
    """An object with these fields and no others."""
    return {"type": "object", "required": [*fields], "additionalProperties": False, "properties": fields}


_NUMBER: JsonObject = {"type": "number"}
_TEXT: JsonObject = {"type": "string"}
_INSTANT_OR_NULL: JsonObject = {"type": ["number", "null"]}
_TEXT_OR_NULL: JsonObject = {"type": ["string", "null"]}
_RUNNERS: JsonObject = {"runners": _list(_TEXT), "missing": _list(_TEXT)}
_WHO: JsonObject = {"now": _NUMBER, "by": _TEXT, "may": _ref("May")}
_END: JsonObject = {"id": _TEXT, "ended": _TEXT_OR_NULL, "ended_at": _INSTANT_OR_NULL}

EVENTS: Mapping[str, JsonObject] = {
    "snapshot": _just(**_WHO, **_RUNNERS, agents=_list(_TEXT), calls=_list(_ref("CallRow"))),
    "calls": _just(now=_NUMBER, calls=_list(_ref("CallRow"))),
    "gone": _just(now=_NUMBER, **_END),
    "runners": _just(now=_NUMBER, **_RUNNERS),
    "snapshot of one": _just(**_WHO, call=_ref("LiveCall")),
    "turn": _ref("Turn"),
    "words": _just(id=_TEXT, role={"enum": ["caller", "agent"]}, text=_TEXT, at=_NUMBER),
    "tool": _ref("Tool"),
    "floor": {**_ref("Floor"), "required": ["spans"], "properties": {"spans": _list(_ref("Span"))}},
    "limits": _ref("Limits"),
    "agent": _just(
        agent=_TEXT, because=_TEXT, at=_INSTANT_OR_NULL, vars={"type": "object"}, choices=_ref("Choices")
    ),
    "deed": _ref("Deed"),
    "ended": _just(**_END, detail=_TEXT),
}
"""The table of events in the description of `followEvents`, as schemas."""


@cache
def _event(kind: str) -> Draft202012Validator:
    return Draft202012Validator({**WHOLE, **EVENTS[kind]})


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**WHOLE, **_ref(schema)})


@cache
def _answers() -> Mapping[str, JsonObject]:
    operations = (each for item in WHOLE["paths"].values() for each in item.values() if "operationId" in each)
    return {each["operationId"]: each["responses"] for each in operations}
