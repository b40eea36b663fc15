"""Builds a call's timeline from the messages between a runner and the stand-in. Pure."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from runner.model.values import Json, JsonObject


class EntryKind(Enum):
    """What an entry is about."""

    RINGS = "rings"
    ANSWERED = "answered"
    REJECTED = "rejected"
    AGENT = "agent"
    CALLER = "caller"
    TOOL = "tool"
    REQUEST = "request"
    OUTPUT = "output"
    TRANSFER = "transfer"
    HANDOFF = "handoff"
    PERSON = "person"
    """An act of a person."""
    HANGUP = "hangup"
    ERROR = "error"
    ENDED = "ended"
    OUTCOME = "outcome"
    """The text model's answer about the call when it is over."""
    DELIVERY = "delivery"
    """The record is delivered to an endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened. `at_s` is the time of the call, in seconds since it was answered."""

    at_s: float
    what: EntryKind
    text: str
    tool_call_id: str | None = None
    ok: bool = True
    took_s: float | None = None
    """Real seconds that the runner needed: to answer the call, or for the output of a tool call."""


class Timeline:
    """Watches one call."""

    def __init__(self, caller_lines: Iterable[str]) -> None:
        """`caller_lines`: what the caller will say, turn by turn; only the script knows it in time."""
        self._caller_lines = deque(caller_lines)

    def sent(self, event: JsonObject, at_s: float) -> Iterator[TimelineEntry]:
        """Entries for an event of the API, or an answer of its text model."""
        match event:
            case {"type": "input_audio_buffer.speech_started"} if self._caller_lines:
                yield TimelineEntry(at_s=at_s, what=EntryKind.CALLER, text=self._caller_lines.popleft())
            case {"type": "input_audio_buffer.dtmf_event_received", "event": key}:
                yield TimelineEntry(at_s=at_s, what=EntryKind.CALLER, text=f"presses {key}")
            case {"type": "response.output_item.done", "item": item}:
                yield from _item(item, at_s)
            case {"object": "response", "output": [*_, {"content": [{"text": text}]}]}:
                yield TimelineEntry(at_s=at_s, what=EntryKind.OUTCOME, text=text)
            case {"type": "error", "error": error}:
                yield TimelineEntry(at_s=at_s, what=EntryKind.ERROR, text=str(error["message"]), ok=False)
            case _:
                pass

    def received(self, kind: str, value: JsonObject, at_s: float) -> Iterator[TimelineEntry]:
        """Entries for a request or an event of the runner."""
        match kind, value:
            case "reject", {"status_code": status}:
                yield TimelineEntry(at_s=at_s, what=EntryKind.REJECTED, text=str(status), ok=False)
            case "refer", {"target_uri": target}:
                yield TimelineEntry(at_s=at_s, what=EntryKind.TRANSFER, text=str(target))
            case "hangup", _:
                yield TimelineEntry(at_s=at_s, what=EntryKind.HANGUP, text="")
            case "event", {"item": {"type": "function_call_output", "call_id": call_id, "output": output}}:
                yield TimelineEntry(
                    at_s=at_s,
                    what=EntryKind.OUTPUT,
                    text=output,
                    tool_call_id=call_id,
                    ok=not _is_error(output),
                )
            case _:
                pass


def _item(item: JsonObject, at_s: float) -> Iterator[TimelineEntry]:
    if item["type"] == "function_call":
        text = f"{item['name']} {item['arguments']}"
        yield TimelineEntry(at_s=at_s, what=EntryKind.TOOL, text=text, tool_call_id=item["call_id"])
        return
    spoken = "".join(part.get("transcript") or part.get("text") or "" for part in item["content"])
    if spoken:
        cut_short = item["status"] != "completed"
        yield TimelineEntry(at_s=at_s, what=EntryKind.AGENT, text=f"{spoken} —" if cut_short else spoken)


def _is_error(output: str) -> bool:
    """Whether an output is the error that the model gets when a tool has failed."""
    try:
        value: Json = json.loads(output)
    except ValueError:
        return False
    return isinstance(value, Mapping) and "error" in value
