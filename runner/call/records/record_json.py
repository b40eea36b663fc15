"""Writes a call's record as JSON text and reads it back. Loses nothing and reads no clock."""

import json
from dataclasses import fields, is_dataclass

from runner.model.record import Attempt, CallRecord, Deed, Handoff, Span, ToolUse, Turn
from runner.model.usage import TranscriptionUsage, Usage
from runner.model.values import Json, JsonObject


def encode(record: CallRecord) -> str:
    """One line of ASCII: half of a surrogate pair, which models do write, has no other safe form.

    A number that JSON does not have, but Python reads (`NaN`), becomes null.
    """
    try:
        return json.dumps(record, default=_by_field, allow_nan=False)
    except ValueError:
        with_nan = json.dumps(record, default=_by_field)
        return json.dumps(json.loads(with_nan, parse_constant=lambda _: None))


def of_json(data: JsonObject) -> CallRecord:
    """The record from what `encode` wrote, parsed as JSON."""
    return CallRecord(
        **{
            **data,
            "turns": tuple(Turn(**turn) for turn in data["turns"]),
            "tools": tuple(_tool(tool) for tool in data["tools"]),
            "handoffs": tuple(Handoff(**handoff) for handoff in data["handoffs"]),
            "deeds": tuple(Deed(**deed) for deed in data["deeds"]),
            "spans": tuple(_span(span) for span in data["spans"]),
            "faults": tuple(data["faults"]),
            "usage": Usage(**data["usage"]),
            "transcription": TranscriptionUsage(**data["transcription"]),
        }
    )


def _tool(data: JsonObject) -> ToolUse:
    return ToolUse(**{**data, "tries": tuple(Attempt(**attempt) for attempt in data["tries"])})


def _span(data: JsonObject) -> Span:
    return Span(who=data["who"], since=data["from"], until=data["to"], interrupted=data["interrupted"])


def _by_field(value: object) -> Json:
    if isinstance(value, Span):
        # Python does not allow `from` as a name.
        return {"who": value.who, "from": value.since, "to": value.until, "interrupted": value.interrupted}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")
