"""Reads a response that has ended: its outcome, its tool calls, its usage.

Raises KeyError or TypeError only for a response without an id.
"""

import re
import sys
from collections.abc import Mapping

from runner.api.realtime.facts import AUDIO_TOKENS_PER_S, INSUFFICIENT_QUOTA
from runner.api.realtime.usage import response_usage
from runner.model.conversation_event import ApiErrorKind, Outcome, ResponseEnded, ToolCalled
from runner.model.values import Json, JsonObject

_FENCE = re.compile(r"[0-9]{1,9}")

ERROR_KINDS = {
    "conversation_already_has_active_response": ApiErrorKind.BUSY_SPEAKING,
    "response_cancel_not_active": ApiErrorKind.NOTHING_TO_CANCEL,
    "session_expired": ApiErrorKind.SESSION_EXPIRED,
    "rate_limit_exceeded": ApiErrorKind.RATE_LIMITED,
    INSUFFICIENT_QUOTA: ApiErrorKind.OUT_OF_QUOTA,
}
"""What codes and types of errors mean to us, in an event of their own and in a response that failed."""

_AUDIO = frozenset({"audio", "output_audio"})
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


def response_ended(response: JsonObject, output: list[JsonObject]) -> ResponseEnded:
    """The event for the response with these items. However odd, it is over."""
    response_id = id_of(response["id"])
    calls = [tool_call(response_id, item) for item in output]
    code, detail = _status(response.get("status_details"))
    usage = response_usage(response.get("usage"))
    return ResponseEnded(
        response_id=response_id,
        outcome=_OUTCOMES.get(str(response.get("status")), Outcome.COMPLETED),
        wish=wish_of(response),
        cause=_cause(response.get("status_details")),
        code=code,
        detail=detail,
        calls=tuple([call for call in calls if call is not None]),
        usage=usage,
        audible=any(part.get("type") in _AUDIO for item in output for part in content_of(item)),
        audio_s=usage.audio_out / AUDIO_TOKENS_PER_S,
        is_empty=isinstance(response.get("output"), list) and not any(map(_holds_anything, output)),
    )


def error_kind(error: Mapping[str, Json]) -> ApiErrorKind:
    """What an error means to us. Its code says more than its type, but not every code is one that we know."""
    names = (error.get("code"), error.get("type"))
    known = (ERROR_KINDS[name] for name in names if isinstance(name, str) and name in ERROR_KINDS)
    return next(known, ApiErrorKind.OTHER)


def wish_of(response: JsonObject) -> str | None:
    """The id of the `Speak` that requested the response; None for one of the API's own."""
    wish = _metadata(response).get("wish")
    return wish if isinstance(wish, str) else None


def fence_of(response: JsonObject) -> int:
    """The fence of the runner that requested the response; 0 where there is none."""
    fence = _metadata(response).get("fence")
    return int(fence) if isinstance(fence, str) and _FENCE.fullmatch(fence) else 0


def output_of(response: JsonObject) -> list[JsonObject]:
    """The items of the response."""
    return _mappings(response.get("output"))


def content_of(item: JsonObject) -> list[JsonObject]:
    """The parts of an item."""
    return _mappings(item.get("content"))


def tool_call(response_id: str, item: JsonObject) -> ToolCalled | None:
    """A complete tool call. One that a barge-in cut short is `incomplete` and must not run."""
    if item.get("type") != "function_call" or item.get("status") != "completed":
        return None
    call_id, name, arguments = (item.get(key) for key in ("call_id", "name", "arguments"))
    if not isinstance(call_id, str) or not isinstance(name, str):
        return None
    return ToolCalled(
        response_id=response_id,
        call_id=call_id,
        name=name,
        arguments=arguments if isinstance(arguments, str) else "",
    )


def text_of(value: Json) -> str:
    """The text of a mandatory field. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def id_of(value: Json) -> str:
    """The id in a mandatory field. Many keep it, and each event has its own copy: all get the same one.
    Raises TypeError.
    """
    if not isinstance(value, str):
        raise TypeError("not text")
    return sys.intern(value)


def _holds_anything(item: JsonObject) -> bool:
    """Whether an item of a response is more than a thought or a message without content."""
    match item.get("type", "message"):
        case "reasoning":
            return False
        case "message":
            return any(part.get("type") in _AUDIO or words_of(part) for part in content_of(item))
        case _:
            return True


def words_of(part: JsonObject) -> str | None:
    """The words of a content part: its transcript, or its text. None when there are none."""
    words = part.get("transcript")
    if not isinstance(words, str):
        words = part.get("text")
    return words if isinstance(words, str) else None


def _status(details: Json) -> tuple[str, str]:
    """Why it did not complete: the API's code, and its details, in one line."""
    if not isinstance(details, dict):
        return "", ""
    error = details.get("error")
    if not isinstance(error, dict):
        return "", str(details.get("reason") or "")
    code = error.get("code") or error.get("type")
    said = " ".join(str(part) for part in (code, error.get("message")) if part)
    return code if isinstance(code, str) else "", said


def _cause(details: Json) -> ApiErrorKind:
    error = details.get("error") if isinstance(details, dict) else None
    return error_kind(error) if isinstance(error, dict) else ApiErrorKind.OTHER


def _metadata(response: JsonObject) -> JsonObject:
    metadata = response.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _mappings(value: Json) -> list[JsonObject]:
    if not isinstance(value, list):
        return []
    if len(value) == 1 and isinstance(value[0], dict):
        return value  # Nearly always.
    return [entry for entry in value if isinstance(entry, dict)]
