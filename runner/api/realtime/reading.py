"""Reads the frames of the sideband: `runner.api.realtime.meanings` says what each event means to a call.

Unknown events are normal, and nothing that the API sends makes this raise.
"""

import json
import re
from typing import Any

import orjson

from runner.api.realtime.meanings import READS, SidebandMemory
from runner.api.realtime.repeats import Repeats
from runner.model.conversation_event import ConversationEvent, Ignored, IgnoredBecause
from runner.model.json_text import has_too_many_values

MAX_VALUES = 250_000
"""In one event. A conversation of an hour or a large list of tools has a tenth of it."""

# The type is at the head of every recorded event, so most events can be told apart, and those that carry
# audio or fragments dropped, without parsing them.
_TYPE_AT_HEAD = re.compile(rb'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([a-z0-9_.]+)"')

_BEGINS_WITH_TYPE = b'{"type":"'
_TYPE_BEGINS = len(_BEGINS_WITH_TYPE)

_UNUSED = frozenset(
    {
        "conversation.created",
        "conversation.item.deleted",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.retrieved",
        "input_audio_buffer.cleared",
        "mcp_list_tools.in_progress",
        "rate_limits.updated",
        "response.audio.delta",
        "response.audio.done",
        "response.content_part.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_item.added",
    }
)
"""Known events that we do not need."""

_DELTAS = frozenset(
    {
        "conversation.item.input_audio_transcription.delta",
        "response.audio_transcript.delta",
        "response.output_audio_transcript.delta",
        "response.output_text.delta",
        "response.text.delta",
    }
)
"""The most frequent events of all, of use only to those who follow words."""

_UNUSED_AT_HEAD = frozenset(name.encode() for name in _UNUSED)
_UNREAD_AT_HEAD = _UNUSED_AT_HEAD | frozenset(name.encode() for name in _DELTAS)
"""While nobody follows words."""

_OF_ITEMS = frozenset(
    {
        b"conversation.item.done",
        b"response.content_part.done",
        b"response.output_audio_transcript.done",
        b"response.output_item.done",
    }
)
"""Of which some repeat others."""

_UNKNOWN = (Ignored(IgnoredBecause.UNKNOWN),)
_MALFORMED = (Ignored(IgnoredBecause.MALFORMED),)


class Reader(SidebandMemory):
    """Reads the frames of one call's sideband, and remembers what the next one may refer to."""

    __slots__ = ("_repeats",)

    def __init__(self) -> None:
        super().__init__()
        self._repeats = Repeats()

    def read(self, frame: str | bytes, *, follow_words: bool = False) -> tuple[ConversationEvent, ...]:
        """The events of one frame. Never raises: an unreadable frame is an `Ignored`.

        `TranscriptGrew` comes only with `follow_words`.
        """
        if isinstance(frame, str):
            frame = frame.encode("utf-8", "surrogatepass")
        if frame.startswith(_BEGINS_WITH_TYPE):
            # As the API writes it; anything that is not a type matches no name.
            kind_at_head = frame[_TYPE_BEGINS : frame.find(b'"', _TYPE_BEGINS)]
        else:
            head = _TYPE_AT_HEAD.match(frame)
            kind_at_head = b"" if head is None else head[1]
        if kind_at_head in (_UNUSED_AT_HEAD if follow_words else _UNREAD_AT_HEAD):
            return ()
        if kind_at_head in _OF_ITEMS and self._repeats.hears(kind_at_head, frame):
            return ()
        try:
            # Nearly always: what is so short has not too many values, and is valid UTF-8.
            received = orjson.loads(frame) if len(frame) <= MAX_VALUES else _parsed(frame)
        except ValueError:
            try:
                received = _parsed(frame)
            except ValueError:
                return _MALFORMED
        if not isinstance(received, dict) or not isinstance(received.get("type"), str):
            return _MALFORMED
        kind = received["type"]
        read = READS.get(kind)
        if read is None:
            return () if kind in _UNUSED else _UNKNOWN
        if kind in _DELTAS and not follow_words:
            return ()  # Others than the API write the type elsewhere than at the head.
        try:
            return read(self, received)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
            # A known event without its essential fields.
            return _MALFORMED


def _parsed(frame: bytes) -> Any:
    """The JSON of a frame. Raises ValueError."""
    if has_too_many_values(frame, MAX_VALUES):
        raise ValueError(f"more than {MAX_VALUES:,} values")
    try:
        return orjson.loads(frame)
    except ValueError:
        # Half of a surrogate pair, which models do write, is not valid UTF-8.
        pass
    try:
        return json.loads(frame)
    except RecursionError:
        raise ValueError("nested too deeply") from None
