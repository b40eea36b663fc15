"""Checks the shape of each event that a client sends over a sideband. Pure.

The API is lenient here and there; the stand-in is not, so that what passes here passes there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.model.values import Json, JsonObject

MAX_ID_CHARACTERS = 32
"""The API refuses longer item ids of a client."""


@dataclass(frozen=True, slots=True)
class EventError:
    """Why the API refuses an event, in the fields of its `error` event."""

    code: str
    message: str
    param: str | None = None


Predicate = Callable[[Json], bool]


def _is(*kinds: type) -> Predicate:
    return lambda value: isinstance(value, kinds)


_text, _text_or_null = _is(str), _is(str, type(None))
_flag, _object, _list = _is(bool), _is(Mapping), _is(list)


def _count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _one_of(*allowed: str) -> Predicate:
    return lambda value: value in allowed


def _metadata(value: Json) -> bool:
    """At most 16 pairs of text, keys up to 64 characters, values up to 512 (API reference)."""
    return (
        isinstance(value, Mapping)
        and len(value) <= 16
        and all(len(key) <= 64 and isinstance(text, str) and len(text) <= 512 for key, text in value.items())
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    required: Mapping[str, Predicate]
    optional: Mapping[str, Predicate]


EVENTS: Mapping[str, _Shape] = {
    "session.update": _Shape({"session": _object}, {}),
    "conversation.item.create": _Shape({"item": _object}, {"previous_item_id": _text_or_null}),
    "conversation.item.delete": _Shape({"item_id": _text}, {}),
    "conversation.item.retrieve": _Shape({"item_id": _text}, {}),
    "conversation.item.truncate": _Shape(
        {"item_id": _text, "content_index": _count, "audio_end_ms": _count}, {}
    ),
    "output_audio_buffer.clear": _Shape({}, {}),
    "response.create": _Shape({}, {"response": _object}),
    "response.cancel": _Shape({}, {"response_id": _text}),
}
"""Events about the input audio are left out: on a phone call the audio is the carrier's, not the client's."""

RESPONSE = _Shape(
    {},
    {
        "audio": _object,
        "conversation": _one_of("auto", "none"),
        "input": _list,
        "instructions": _text,
        "max_output_tokens": lambda value: value == "inf" or (_count(value) and 1 <= value <= 4096),
        "metadata": _metadata,
        "output_modalities": lambda value: value in (["audio"], ["text"]),
        "parallel_tool_calls": _flag,
        "prompt": _object,
        "reasoning": _object,
        "tool_choice": lambda value: value in ("none", "auto", "required") or isinstance(value, Mapping),
        "tools": _list,
    },
)

ITEM_COMMON: Mapping[str, Predicate] = {
    "type": _text,
    "id": _text,
    "object": _one_of("realtime.item"),
    "status": _one_of("completed", "incomplete", "in_progress"),
}
ITEMS: Mapping[str, _Shape] = {
    "message": _Shape({"role": _one_of("system", "user", "assistant"), "content": _list}, ITEM_COMMON),
    "function_call": _Shape({"name": _text, "arguments": _text}, {**ITEM_COMMON, "call_id": _text}),
    "function_call_output": _Shape({"call_id": _text, "output": _text}, ITEM_COMMON),
    "mcp_approval_response": _Shape(
        {"id": _text, "approval_request_id": _text, "approve": _flag}, {**ITEM_COMMON, "reason": _text}
    ),
}
CONTENT_OF: Mapping[str, tuple[str, ...]] = {
    "system": ("input_text",),
    "user": ("input_text",),
    "assistant": ("output_text",),
}
"""The content that a client may create for each role; audio is the carrier's."""


def check(event: Any) -> EventError | None:
    """Why the API would refuse this event for its shape alone, or None."""
    if not isinstance(event, Mapping):
        return EventError("invalid_type", "Invalid event: expected an object.")
    kind = event.get("type")
    if not isinstance(kind, str):
        return EventError("missing_required_parameter", "Missing required parameter: 'type'.", "type")
    shape = EVENTS.get(kind)
    if shape is None:
        return EventError("invalid_value", _not_one_of(kind, EVENTS), "type")
    with_id = _Shape(shape.required, {**shape.optional, "type": _text, "event_id": _text})
    return _check_shape(event, with_id, "") or _check_inside(event)


def _check_inside(event: JsonObject) -> EventError | None:
    match event:
        case {"type": "response.create", "response": response}:
            return _check_shape(response, RESPONSE, "response.")
        case {"type": "conversation.item.create", "item": item}:
            return _check_item(item)
        case _:
            return None


def _check_item(item: JsonObject) -> EventError | None:
    kind = item.get("type")
    shape = ITEMS.get(kind) if isinstance(kind, str) else None
    if shape is None:
        return EventError("invalid_value", _not_one_of(kind, ITEMS), "item.type")
    error = _check_shape(item, shape, "item.")
    if error is not None:
        return error
    item_id = item.get("id", "")
    if len(item_id) > MAX_ID_CHARACTERS:
        message = (
            f"Invalid 'item.id': string too long. Expected a string with maximum length "
            f"{MAX_ID_CHARACTERS}, but got a string with length {len(item_id)} instead."
        )
        return EventError("string_above_max_length", message, "item.id")
    return _check_content(item) if kind == "message" else None


def _check_content(item: JsonObject) -> EventError | None:
    allowed = CONTENT_OF[item["role"]]
    for index, part in enumerate(item["content"]):
        path = f"item.content[{index}]."
        error = (
            _check_shape(part, _Shape({"type": _one_of(*allowed), "text": _text}, {}), path)
            if isinstance(part, Mapping)
            else EventError("invalid_type", f"Invalid type for '{path[:-1]}'.", path[:-1])
        )
        if error is not None:
            return error
    return None


def _check_shape(value: JsonObject, shape: _Shape, path: str) -> EventError | None:
    for key in shape.required:
        if key not in value:
            message = f"Missing required parameter: '{path}{key}'."
            return EventError("missing_required_parameter", message, f"{path}{key}")
    known = {**shape.optional, **shape.required}
    for key, field in value.items():
        check_field = known.get(key)
        if check_field is None:
            return EventError("unknown_parameter", f"Unknown parameter: '{path}{key}'.", f"{path}{key}")
        if not check_field(field):
            return EventError("invalid_value", f"Invalid value for '{path}{key}'.", f"{path}{key}")
    return None


def _not_one_of(value: Json, names: Mapping[str, Any]) -> str:
    supported = ", ".join(f"'{name}'" for name in names)
    return f"Invalid value: '{value}'. Supported values are: {supported}."
