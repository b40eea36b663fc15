"""Reads the sideband: what each of the API's events means to a call.

Unknown events and unknown fields are normal, and nothing that the API sends makes this raise.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from runner.model.call import Role
from runner.model.event import (
    ApiError,
    ApiErrorKind,
    ApprovalAsked,
    CallerSpeaks,
    CallEvent,
    FailureCause,
    Ignored,
    IgnoredBecause,
    ItemPlaced,
    KeyPressed,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    Outcome,
    OutputTaken,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    SilenceNudge,
    ToolCalled,
    Transcribed,
    TranscriptGrew,
    TranscriptionUsage,
    Usage,
)
from runner.model.values import Json, JsonObject

# The type stands at the head of every event that was recorded, so most events can be told apart, and
# those that carry audio or fragments dropped, without parsing them.
_TYPE_AT_HEAD = re.compile(r'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([a-z0-9_.]+)"')

_MOST = 10**9
"""More tokens or seconds than any call has."""

_PASSED_BY = frozenset(
    {
        "conversation.created",
        "conversation.item.deleted",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "input_audio_buffer.cleared",
        "mcp_list_tools.in_progress",
        "rate_limits.updated",
        "response.content_part.added",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_item.added",
        "session.created",
    }
)
"""Events that we know and need nothing of."""

_WORDS = frozenset(
    {
        "conversation.item.input_audio_transcription.delta",
        "response.output_audio_transcript.delta",
        "response.output_text.delta",
    }
)
"""The most frequent events of all, of use only to those who follow words."""

_FORMER_NAMES = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}
"""Names of the beta, which gateways and Azure Voice Live still send."""

_UNKNOWN = (Ignored(IgnoredBecause.UNKNOWN),)
_MALFORMED = (Ignored(IgnoredBecause.MALFORMED),)


def read(frame: str | bytes, *, follow_words: bool = False) -> tuple[CallEvent, ...]:
    """What one frame of the sideband means. Never raises: what cannot be read is a `Ignored`.

    `TranscriptGrew` is told only with `follow_words`.
    """
    if isinstance(frame, bytes):
        try:
            frame = frame.decode()
        except UnicodeDecodeError:
            return _MALFORMED
    head = _TYPE_AT_HEAD.match(frame)
    if head is not None and _is_passed_by(head[1], follow_words=follow_words):
        return ()
    try:
        received = json.loads(frame)
    except (ValueError, RecursionError):
        return _MALFORMED
    if not isinstance(received, dict) or not isinstance(received.get("type"), str):
        return _MALFORMED
    name = _present_name(received["type"])
    reader = _READERS.get(name)
    if reader is None:
        return () if name in _PASSED_BY else _UNKNOWN
    try:
        return reader(received)
    except (KeyError, TypeError, AttributeError, ValueError):
        # A known event without the fields that make it what it is.
        return _MALFORMED


def _present_name(name: str) -> str:
    return _FORMER_NAMES.get(name, name)


def _is_passed_by(name: str, *, follow_words: bool) -> bool:
    name = _present_name(name)
    return name in _PASSED_BY or (name in _WORDS and not follow_words)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _optional_text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _count(counts: JsonObject, name: str) -> int:
    """A number of tokens; what cannot be one counts as none, or it would spoil the sums of the call."""
    value = counts.get(name)
    return value if type(value) is int and 0 <= value <= _MOST else 0


def _seconds(counts: JsonObject, name: str) -> float:
    value = counts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value <= _MOST else 0.0


def _wish(response: JsonObject) -> str | None:
    metadata = response.get("metadata")
    return _optional_text(metadata.get("wish")) if isinstance(metadata, Mapping) else None


def _response_created(received: JsonObject) -> tuple[CallEvent, ...]:
    response = received["response"]
    return (ResponseStarted(response_id=_text(response["id"]), wish=_wish(response)),)


def _response_done(received: JsonObject) -> tuple[CallEvent, ...]:
    response = received["response"]
    response_id, wish = _text(response["id"]), _wish(response)
    try:
        return (*_said(response), _ended(response_id, wish, response))
    except (KeyError, TypeError, AttributeError, ValueError):
        # Whatever is odd about it, it is over: passing over that would keep the agent silent for a minute.
        ended = ResponseEnded(response_id=response_id, wish=wish, outcome=Outcome.COMPLETED)
        return (ended, *_MALFORMED)


def _ended(response_id: str, wish: str | None, response: JsonObject) -> ResponseEnded:
    output = response.get("output") or []
    calls = tuple(call for item in output if (call := _tool_call(response_id, item)) is not None)
    return ResponseEnded(
        response_id=response_id,
        outcome=Outcome(response.get("status") or "completed"),
        wish=wish,
        cause=_CAUSES.get(_status_code(response.get("status_details")), FailureCause.OTHER),
        code=_status_code(response.get("status_details")),
        detail=_status_detail(response.get("status_details")),
        calls=calls,
        usage=_usage(response.get("usage")),
        audible=any(
            part.get("type") in {"output_audio", "audio"}
            for item in output
            for part in item.get("content") or []
        ),
    )


def _said(response: JsonObject) -> tuple[CallEvent, ...]:
    """The words of a response, once more: a sideband that was lost has missed the events that told them."""
    said: list[CallEvent] = []
    for item in response.get("output") or []:
        parts = item.get("content") or []
        text = " ".join(part.get("transcript") or part.get("text") or "" for part in parts)
        if item.get("type") == "message" and isinstance(item.get("id"), str) and text:
            said.append(Transcribed(item_id=item["id"], role=Role.AGENT, text=text))
    return tuple(said)


_CAUSES = {
    "rate_limit_exceeded": FailureCause.RATE_LIMITED,
    "insufficient_quota": FailureCause.OUT_OF_QUOTA,
}


def _status_code(details: Json) -> str:
    error = details.get("error") if isinstance(details, Mapping) else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) else ""


def _status_detail(details: Json) -> str:
    if not isinstance(details, Mapping):
        return ""
    error = details.get("error")
    if isinstance(error, Mapping):
        return " ".join(str(error[key]) for key in ("code", "message") if error.get(key))
    return str(details.get("reason") or "")


def _tool_call(response_id: str, item: JsonObject) -> ToolCalled | None:
    """A complete tool call. One that a barge-in cut short is `incomplete` and must not run."""
    if item.get("type") != "function_call" or item.get("status") != "completed":
        return None
    return ToolCalled(
        response_id=response_id,
        call_id=_text(item["call_id"]),
        name=_text(item["name"]),
        arguments=_text(item.get("arguments") or ""),
    )


def _usage(usage: Json) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage()
    given = usage.get("input_token_details") or {}
    cached = given.get("cached_tokens_details") or {}
    made = usage.get("output_token_details") or {}
    return Usage(
        text_in=_count(given, "text_tokens"),
        # Where the kinds of cached tokens are not told apart, they are taken for text: the dearer reading.
        text_cached=_count(cached, "text_tokens") if cached else _count(given, "cached_tokens"),
        audio_in=_count(given, "audio_tokens"),
        audio_cached=_count(cached, "audio_tokens"),
        text_out=_count(made, "text_tokens"),
        audio_out=_count(made, "audio_tokens"),
    )


def _output_item_done(received: JsonObject) -> tuple[CallEvent, ...]:
    # Here and not at `function_call_arguments.done`, which comes on an interruption too.
    call = _tool_call(_text(received["response_id"]), received["item"])
    return () if call is None else (call,)


_ROLES = {"user": Role.CALLER, "assistant": Role.AGENT, "system": Role.SYSTEM}


def _item_added(received: JsonObject) -> tuple[CallEvent, ...]:
    item = received["item"]
    item_id = _text(item["id"])
    is_message = item.get("type") == "message"
    texts = [part.get("text") or part.get("transcript") or "" for part in item.get("content") or []]
    placed = ItemPlaced(
        item_id=item_id,
        after=_optional_text(received.get("previous_item_id")),
        role=_ROLES.get(item.get("role", "")) if is_message else None,
        text=" ".join(texts) if is_message else "",
    )
    match item.get("type"):
        case "function_call_output":
            return (placed, OutputTaken(call_id=_text(item["call_id"])))
        case "mcp_call":
            server, tool = _text(item["server_label"]), _text(item["name"])
            return (placed, McpCallStarted(item_id=item_id, server=server, tool=tool))
        case "mcp_approval_request":
            server, tool = _text(item["server_label"]), _text(item["name"])
            return (placed, ApprovalAsked(request_id=item_id, server=server, tool=tool))
        case _:
            return (placed,)


def _audio_committed(received: JsonObject) -> tuple[CallEvent, ...]:
    item_id = _text(received["item_id"])
    return (
        ItemPlaced(item_id=item_id, after=_optional_text(received.get("previous_item_id")), role=Role.CALLER),
    )


def _agent_transcript(received: JsonObject) -> tuple[CallEvent, ...]:
    text = received["transcript"] if "transcript" in received else received["text"]
    return (Transcribed(item_id=_text(received["item_id"]), role=Role.AGENT, text=_text(text)),)


def _caller_transcript(received: JsonObject) -> tuple[CallEvent, ...]:
    usage = received.get("usage") or {}
    transcribed = Transcribed(
        item_id=_text(received["item_id"]),
        role=Role.CALLER,
        text=_text(received["transcript"]),
        usage=TranscriptionUsage(tokens=_count(usage, "total_tokens"), seconds=_seconds(usage, "seconds")),
    )
    return (transcribed,)


def _caller_transcript_failed(received: JsonObject) -> tuple[CallEvent, ...]:
    return (Transcribed(item_id=_text(received["item_id"]), role=Role.CALLER, failed=True),)


def _agent_words(received: JsonObject) -> tuple[CallEvent, ...]:
    item_id, words = _text(received["item_id"]), _text(received["delta"])
    return (TranscriptGrew(item_id=item_id, role=Role.AGENT, text=words),)


def _caller_words(received: JsonObject) -> tuple[CallEvent, ...]:
    item_id, words = _text(received["item_id"]), _text(received.get("delta") or "")
    return (TranscriptGrew(item_id=item_id, role=Role.CALLER, text=words),)


_COMPLAINTS = {
    "conversation_already_has_active_response": ApiErrorKind.BUSY_SPEAKING,
    "response_cancel_not_active": ApiErrorKind.NOTHING_TO_CANCEL,
    "session_expired": ApiErrorKind.SESSION_EXPIRED,
}


def _error(received: JsonObject) -> tuple[CallEvent, ...]:
    error = received["error"]
    code = str(error.get("code") or error.get("type") or "")
    complained = ApiError(
        kind=_COMPLAINTS.get(code, ApiErrorKind.OTHER),
        about=_optional_text(error.get("event_id")),
        code=code,
        detail=str(error.get("message") or ""),
    )
    return (complained,)


_READERS: Mapping[str, Callable[[dict[str, Any]], tuple[CallEvent, ...]]] = {
    "conversation.item.added": _item_added,
    "conversation.item.created": _item_added,
    "conversation.item.input_audio_transcription.completed": _caller_transcript,
    "conversation.item.input_audio_transcription.delta": _caller_words,
    "conversation.item.input_audio_transcription.failed": _caller_transcript_failed,
    "error": _error,
    "input_audio_buffer.committed": _audio_committed,
    "input_audio_buffer.dtmf_event_received": lambda e: (KeyPressed(key=_text(e["event"])),),
    "input_audio_buffer.speech_started": lambda _: (CallerSpeaks(began=True),),
    "input_audio_buffer.speech_stopped": lambda _: (CallerSpeaks(began=False),),
    "input_audio_buffer.timeout_triggered": lambda e: (SilenceNudge(item_id=_text(e["item_id"])),),
    "mcp_list_tools.completed": lambda e: (McpListed(item_id=_text(e["item_id"]), ok=True),),
    "mcp_list_tools.failed": lambda e: (McpListed(item_id=_text(e["item_id"]), ok=False),),
    "output_audio_buffer.cleared": lambda e: (
        PlaybackEnded(response_id=_text(e["response_id"]), interrupted=True),
    ),
    "output_audio_buffer.started": lambda e: (PlaybackStarted(response_id=_text(e["response_id"])),),
    "output_audio_buffer.stopped": lambda e: (PlaybackEnded(response_id=_text(e["response_id"])),),
    "session.updated": lambda e: (SessionUpdated(model=_optional_text(e["session"].get("model"))),),
    "response.created": _response_created,
    "response.done": _response_done,
    "response.output_audio_transcript.done": _agent_transcript,
    "response.mcp_call.completed": lambda e: (McpCallEnded(item_id=_text(e["item_id"]), ok=True),),
    "response.mcp_call.failed": lambda e: (McpCallEnded(item_id=_text(e["item_id"]), ok=False),),
    "response.output_audio_transcript.delta": _agent_words,
    "response.output_item.done": _output_item_done,
    "response.output_text.delta": _agent_words,
    "response.output_text.done": _agent_transcript,
}
