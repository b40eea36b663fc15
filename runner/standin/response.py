"""One response of the model, event by event, in the order that recordings of the API show. Pure.

A response is a flow of events and pauses; the conversation takes them one by one and may stop at any pause,
because the caller interrupts or the client cancels.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from runner.model.values import JsonObject
from runner.standin.items import Event, Ids, Item, Items, Meter, usage_of
from runner.standin.pace import Pace
from runner.standin.script import MODEL_FAILED, CallsTool, Echoes, Ending, OutputItem, Says, ScriptedResponse

MADE_UP = "All right."
"""What the model says when neither the script nor the client has told it what to say."""

Beat = float | Event
"""A pause in seconds, or an event. What an event tells becomes true when it is taken, not before."""

_STATUS = {
    Ending.COMPLETED: "completed",
    Ending.TURN_DETECTED: "cancelled",
    Ending.MAX_OUTPUT_TOKENS: "incomplete",
    Ending.CONTENT_FILTER: "incomplete",
    Ending.FAILED: "failed",
}


@dataclass(slots=True)
class Response:
    """A response that is under way. It adds its items to the conversation as they appear."""

    id: str
    scripted: ScriptedResponse | None
    """What it holds; None while the model thinks, which it does until somebody says what it is to say."""
    items: Items
    ids: Ids
    session: JsonObject
    request: JsonObject | None
    """What the client's `response.create` asked for; None for the API's own responses."""
    meter: Meter
    pace: Pace
    output: list[Item] = field(default_factory=list)
    spoken_words: int = 0
    """Words of audio made so far."""
    is_audible: bool = False
    """Whether there is anything for the caller to hear."""
    _open: dict[int, str] = field(default_factory=dict)
    """Unfinished items: output index -> the text so far."""

    @property
    def server_made(self) -> bool:
        """Whether the API began it by itself."""
        return self.request is None

    def created(self) -> Event:
        """The event that opens it."""
        return self._event("response.created", response=self._body("in_progress"))

    def beats(self) -> Iterator[Beat]:
        """Everything from the first item to `response.done`."""
        scripted = self.scripted or ScriptedResponse()
        planned, ending = scripted.output, scripted.ending
        finished = ending is Ending.COMPLETED
        flows = [
            self._flow(index, item, finish=finished or index < len(planned) - 1)
            for index, item in enumerate(planned)
        ]
        yield from _mixed(flows) if scripted.interleaved else _one_after_the_other(flows)
        if ending is not Ending.NEVER:
            yield self.pace.word_s
            yield from self.finish(ending)

    def finish(self, ending: Ending, reason: str | None = None) -> list[Event]:
        """Close what is open, as incomplete, and end. `reason` stands for a cancel of the client's."""
        events = []
        for index in sorted(self._open):
            events += self._close(index, "incomplete")
        status = "cancelled" if reason else _STATUS[ending]
        done = self._event("response.done", response=self._body(status, self._details(ending, reason)))
        return [*events, done]

    def _flow(self, index: int, item: OutputItem, *, finish: bool) -> Iterator[Beat]:
        match item:
            case CallsTool():
                yield from self._call_flow(index, item)
            case Says(text=text):
                yield from self._message_flow(index, text)
            case Echoes():
                text = sentence_to_say(self._asked.get("instructions", ""))
                yield from self._message_flow(index, text or MADE_UP)
            case _:
                assert_never(item)
        if finish:
            yield self.pace.word_s
            yield from self._close(index, "completed")

    def _message_flow(self, index: int, text: str) -> Iterator[Beat]:
        item: Item = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
        yield from self._add(index, item)
        yield self._item_event(
            "response.content_part.added", index, content_index=0, part=self._content("", created=True)
        )
        kind = "output_audio_transcript" if self._modality == "audio" else "output_text"
        for word in words(text):
            yield self.pace.word_s
            self._open[index] += word
            self.spoken_words += self._modality == "audio"
            yield self._item_event(f"response.{kind}.delta", index, content_index=0, delta=word)

    def _call_flow(self, index: int, call: CallsTool) -> Iterator[Beat]:
        call_id = call.call_id or self.ids.new("call")
        text = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
        item: Item = {
            "type": "function_call",
            "status": "in_progress",
            "name": call.name,
            "call_id": call_id,
            "arguments": "",
        }
        yield from self._add(index, item)
        for piece in _pieces(text):
            yield self.pace.word_s
            self._open[index] += piece
            yield self._item_event(
                "response.function_call_arguments.delta", index, call_id=call_id, delta=piece
            )

    def _add(self, index: int, item: Item) -> Iterator[Beat]:
        yield self.pace.word_s
        item = {"id": self.ids.new("item"), **item}
        self.output.append(item)
        self._open[index] = ""
        yield self._event(
            "response.output_item.added", response_id=self.id, output_index=index, item=dict(item)
        )
        if self._in_conversation:
            before = self.items.add(item)
            yield self._event("conversation.item.added", previous_item_id=before, item=dict(item))

    def _close(self, index: int, status: str) -> list[Event]:
        text = self._open.pop(index)
        item = self.output[index]
        item["status"] = status
        if item["type"] == "function_call":
            item["arguments"] = text
            events = [
                self._item_event(
                    "response.function_call_arguments.done",
                    index,
                    call_id=item["call_id"],
                    name=item["name"],
                    arguments=text,
                )
            ]
        else:
            events = self._close_message(index, item, text)
        if self._in_conversation:
            before = self.items.before(item["id"])
            events.append(self._event("conversation.item.done", previous_item_id=before, item=dict(item)))
        events.append(
            self._event("response.output_item.done", response_id=self.id, output_index=index, item=dict(item))
        )
        return events

    def _close_message(self, index: int, item: Item, text: str) -> list[Event]:
        item["content"] = [self._content(text)]
        part = self._content(text, created=True)
        if self._modality == "audio":
            spoken = [
                self._item_event("response.output_audio.done", index, content_index=0),
                self._item_event(
                    "response.output_audio_transcript.done", index, content_index=0, transcript=text
                ),
            ]
        else:
            spoken = [self._item_event("response.output_text.done", index, content_index=0, text=text)]
        return [*spoken, self._item_event("response.content_part.done", index, content_index=0, part=part)]

    def _content(self, text: str, *, created: bool = False) -> Event:
        """The content of a message. A `content_part` event calls it `audio`, an item `output_audio`."""
        if self._modality == "audio":
            return {"type": "audio" if created else "output_audio", "transcript": text}
        return {"type": "text" if created else "output_text", "text": text}

    def _details(self, ending: Ending, reason: str | None) -> Event | None:
        if reason is not None:
            return {"type": "cancelled", "reason": reason}
        if ending is Ending.COMPLETED:
            return None
        if ending is Ending.FAILED:
            code, message = self.scripted.error if self.scripted is not None else MODEL_FAILED
            return {"type": "failed", "error": {"type": "server_error", "code": code, "message": message}}
        return {"type": _STATUS[ending], "reason": ending.value}

    def _body(self, status: str, details: Event | None = None) -> Event:
        ended = status != "in_progress"
        audio = self.session.get("audio", {}).get("output", {})
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [dict(item) for item in self.output] if ended else [],
            "conversation_id": f"conv_{self.ids.call}" if self._in_conversation else None,
            "output_modalities": [self._modality],
            "max_output_tokens": self._asked.get("max_output_tokens", "inf"),
            "audio": {"output": {"voice": audio.get("voice", "alloy")}},
            "usage": self._usage() if ended else None,
            "metadata": self._asked.get("metadata"),
        }

    def _usage(self) -> Event:
        if self.scripted is not None and self.scripted.tokens is not None:
            return usage_of(self.scripted.tokens)
        written = "".join(str(item.get("arguments") or item.get("content")) for item in self.output)
        return self.meter.usage(written=written, spoken_words=self.spoken_words)

    @property
    def _asked(self) -> JsonObject:
        return self.request or {}

    @property
    def _modality(self) -> str:
        asked = self._asked.get("output_modalities") or self.session.get("output_modalities") or ["audio"]
        return str(asked[0])

    @property
    def _in_conversation(self) -> bool:
        return self._asked.get("conversation") != "none"

    def _item_event(self, kind: str, index: int, **fields: object) -> Event:
        return self._event(
            kind, response_id=self.id, item_id=self.output[index]["id"], output_index=index, **fields
        )

    def _event(self, kind: str, **fields: object) -> Event:
        return {"type": kind, "event_id": self.ids.new("event"), **fields}


def sentence_to_say(instructions: str) -> str:
    """The sentence between quotation marks, else the last paragraph; empty for no instructions.

    Between the marks may stand JSON text, whose escapes are undone.
    """
    start, end = instructions.find('"'), instructions.rfind('"')
    if 0 <= start < end:
        quoted = instructions[start : end + 1]
        try:
            return str(json.loads(quoted, strict=False)).strip()
        except ValueError:
            return quoted[1:-1].strip()
    paragraphs = [part.strip() for part in instructions.split("\n\n") if part.strip()]
    return paragraphs[-1] if paragraphs else ""


def words(text: str) -> list[str]:
    """The words of a text, each with the space before it: joined, they are the text again."""
    return re.findall(r"\s*\S+", text)


def _pieces(text: str) -> list[str]:
    """Arguments come in pieces of a few characters each; none at all for empty arguments."""
    return [text[start : start + 8] for start in range(0, len(text), 8)]


def _one_after_the_other(flows: list[Iterator[Beat]]) -> Iterator[Beat]:
    for flow in flows:
        yield from flow


def _mixed(flows: list[Iterator[Beat]]) -> Iterator[Beat]:
    """One beat of each in turn, as long as they last."""
    while flows:
        for flow in list(flows):
            beat = next(flow, None)
            if beat is None:
                flows.remove(flow)
            else:
                yield beat
