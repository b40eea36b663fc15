"""The output items of a response, each with its events in the order of recordings of the API. Pure."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from runner.standin.items import Event, Ids, Item, Items
from runner.standin.pace import Pace
from runner.standin.script import CallsMcpTool, CallsTool, Echoes, Says, ScriptedItem

MADE_UP = "All right."
"""What the model says when neither script nor client supplies words."""

Beat: TypeAlias = float | Callable[[], bool] | Event
"""A pause in seconds, a condition to wait for, or an event, which is true when it is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the items of one response have in common."""

    response_id: str
    ids: Ids
    items: Items
    pace: Pace
    instructions: str
    """Of this response alone."""
    modality: str
    in_conversation: bool
    approvals: Mapping[str, bool]
    """The client's answers to requests for approval, by id."""


class OutputItem(ABC):
    """One item while it is made. `index` is its place in the response's output."""

    def __init__(self, index: int, around: Surroundings) -> None:
        self.index = index
        self.item: Item | None = None
        """The item in the API's fields, once it has begun."""
        self.spoken_words = 0
        """Words of audio made so far."""
        self.is_open = False
        self._around = around
        self._text = ""

    @abstractmethod
    def beats(self) -> Iterator[Beat]:
        """Everything from its beginning until it is complete except for `close`."""

    @abstractmethod
    def _closing(self, item: Item, text: str) -> list[Event]:
        """Complete the item with its text, and report that."""

    def close(self, status: str) -> list[Event]:
        """End it as `completed` or `incomplete`."""
        item, self.is_open = self.item, False
        if item is None:
            return []
        if "status" in item:
            item["status"] = status
        events = self._closing(item, self._text)
        if self._around.in_conversation:
            before = self._around.items.before(item["id"])
            events.append(self._event("conversation.item.done", previous_item_id=before, item=dict(item)))
        events.append(self._output_event("response.output_item.done", item))
        return events

    def _add(self, item: Item) -> Iterator[Beat]:
        yield self._around.pace.word_s
        item = {"id": self._around.ids.new("item"), **item}
        self.item, self.is_open = item, True
        yield self._output_event("response.output_item.added", item)
        if self._around.in_conversation:
            before = self._around.items.add(item)
            yield self._event("conversation.item.added", previous_item_id=before, item=dict(item))

    def _output_event(self, kind: str, item: Item) -> Event:
        return self._event(
            kind, response_id=self._around.response_id, output_index=self.index, item=dict(item)
        )

    def _item_event(self, kind: str, **fields: object) -> Event:
        """An event about the item."""
        item_id = self.item["id"] if self.item is not None else ""
        return self._event(kind, item_id=item_id, output_index=self.index, **fields)

    def _part_event(self, kind: str, **fields: object) -> Event:
        """An event about the item as a part of the response."""
        return self._item_event(kind, response_id=self._around.response_id, **fields)

    def _event(self, kind: str, **fields: object) -> Event:
        return {"type": kind, "event_id": self._around.ids.new("event"), **fields}


class MessageItem(OutputItem):
    """The model says something, aloud or as text."""

    def __init__(self, index: int, around: Surroundings, text: str) -> None:
        super().__init__(index, around)
        self._wanted = text
        self._is_audio = around.modality == "audio"

    def beats(self) -> Iterator[Beat]:
        """Word by word."""
        yield from self._add({"type": "message", "status": "in_progress", "role": "assistant", "content": []})
        part = self._content("", created=True)
        yield self._part_event("response.content_part.added", content_index=0, part=part)
        kind = "output_audio_transcript" if self._is_audio else "output_text"
        for word in words(self._wanted):
            yield self._around.pace.word_s
            self._text += word
            self.spoken_words += self._is_audio
            yield self._part_event(f"response.{kind}.delta", content_index=0, delta=word)

    def _closing(self, item: Item, text: str) -> list[Event]:
        item["content"] = [self._content(text)]
        part = self._content(text, created=True)
        done = self._part_event("response.content_part.done", content_index=0, part=part)
        if not self._is_audio:
            return [self._part_event("response.output_text.done", content_index=0, text=text), done]
        return [
            self._part_event("response.output_audio.done", content_index=0),
            self._part_event("response.output_audio_transcript.done", content_index=0, transcript=text),
            done,
        ]

    def _content(self, text: str, *, created: bool = False) -> Event:
        """The content of a message. A `content_part` event calls it `audio`, an item `output_audio`."""
        if self._is_audio:
            return {"type": "audio" if created else "output_audio", "transcript": text}
        return {"type": "text" if created else "output_text", "text": text}


class FunctionCallItem(OutputItem):
    """The model asks the client for a tool."""

    def __init__(self, index: int, around: Surroundings, call: CallsTool) -> None:
        super().__init__(index, around)
        self._call = call

    def beats(self) -> Iterator[Beat]:
        """The arguments, piece by piece."""
        call_id = self._call.call_id or self._around.ids.new("call")
        yield from self._add(
            {
                "type": "function_call",
                "status": "in_progress",
                "name": self._call.name,
                "call_id": call_id,
                "arguments": "",
            }
        )
        for piece in _pieces(_written(self._call.arguments)):
            yield self._around.pace.word_s
            self._text += piece
            kind = "response.function_call_arguments.delta"
            yield self._part_event(kind, call_id=call_id, delta=piece)

    def _closing(self, item: Item, text: str) -> list[Event]:
        item["arguments"] = text
        fields = {"call_id": item["call_id"], "name": item["name"], "arguments": text}
        return [self._part_event("response.function_call_arguments.done", **fields)]


class McpCallItem(OutputItem):
    """The API calls a tool of an MCP server, after the client's approval where the session requires it."""

    def __init__(self, index: int, around: Surroundings, call: CallsMcpTool, *, needs_approval: bool) -> None:
        super().__init__(index, around)
        self._call = call
        self._needs_approval = needs_approval

    def beats(self) -> Iterator[Beat]:
        """The approval, the arguments, and the server's answer; nothing more when it is not approved."""
        call = self._call
        fields = {"server_label": call.server, "name": call.name}
        arguments = _written(call.arguments)
        if self._needs_approval:
            approvals, request_id = self._around.approvals, self._around.ids.new("mcpr")
            request = {"id": request_id, "type": "mcp_approval_request", **fields, "arguments": arguments}
            before = self._around.items.add(request)
            yield self._event("conversation.item.added", previous_item_id=before, item=request)
            yield lambda: request_id in approvals
            if not approvals[request_id]:
                return
        yield from self._add({"type": "mcp_call", **fields, "arguments": ""})
        for piece in _pieces(arguments):
            yield self._around.pace.word_s
            self._text += piece
            yield self._part_event("response.mcp_call_arguments.delta", delta=piece)
        yield self._part_event("response.mcp_call_arguments.done", arguments=arguments)
        yield self._item_event("response.mcp_call.in_progress")
        yield call.takes_s
        yield self._item_event(f"response.mcp_call.{'completed' if call.output is not None else 'failed'}")

    def _closing(self, item: Item, text: str) -> list[Event]:
        item["arguments"] = text
        if self._call.output is not None:
            item["output"] = self._call.output
        else:
            item["error"] = {"type": "http_error", "code": 502, "message": "The MCP server failed."}
        return []


def output_item(
    scripted: ScriptedItem, index: int, around: Surroundings, *, needs_approval: Callable[[str, str], bool]
) -> OutputItem:
    """The item for a script's step. `needs_approval`: of a tool (server, name) of an MCP server."""
    match scripted:
        case Says(text=text):
            return MessageItem(index, around, text)
        case Echoes():
            return MessageItem(index, around, sentence_to_say(around.instructions) or MADE_UP)
        case CallsTool():
            return FunctionCallItem(index, around, scripted)
        case CallsMcpTool(server=server, name=name):
            asks = needs_approval(server, name)
            return McpCallItem(index, around, scripted, needs_approval=asks)
        case _:
            assert_never(scripted)


def sentence_to_say(instructions: str) -> str:
    """The sentence between quotation marks, else the last paragraph; empty for no instructions.

    JSON escapes between the marks are decoded.
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


def _written(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _pieces(text: str) -> list[str]:
    """Arguments come in pieces of a few characters each; none at all for empty arguments."""
    return [text[start : start + 8] for start in range(0, len(text), 8)]
