"""One response of the model, event by event. Pure.

A response is a flow of events and pauses; the conversation takes them one by one and may stop at any pause,
because the caller interrupts or the client cancels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from runner.model.values import JsonObject
from runner.standin.items import Event, Ids, Item, Items, Meter, usage_of
from runner.standin.output_items import Beat, OutputItem, Surroundings, output_item
from runner.standin.pace import Pace
from runner.standin.script import MODEL_FAILED, Ending, ScriptedResponse

_STATUS = {
    Ending.COMPLETED: "completed",
    Ending.TURN_DETECTED: "cancelled",
    Ending.MAX_OUTPUT_TOKENS: "incomplete",
    Ending.CONTENT_FILTER: "incomplete",
    Ending.FAILED: "failed",
}


@dataclass(slots=True)
class Response:
    """An active response. It adds its items to the conversation as they appear."""

    id: str
    scripted: ScriptedResponse | None
    """Its content; None while the model thinks, which it does until there is some."""
    items: Items
    ids: Ids
    session: JsonObject
    request: JsonObject | None
    """The client's `response.create`; None for the API's own responses."""
    meter: Meter
    pace: Pace
    approvals: Mapping[str, bool]
    is_audible: bool = False
    """Whether there is anything for the caller to hear."""
    _output: list[OutputItem] = field(default_factory=list)

    @property
    def server_made(self) -> bool:
        """Whether the API began it by itself."""
        return self.request is None

    @property
    def output(self) -> list[Item]:
        """The items that have begun."""
        return [each.item for each in self._output if each.item is not None]

    @property
    def spoken_words(self) -> int:
        """Words of audio made so far."""
        return sum(each.spoken_words for each in self._output)

    def created(self) -> Event:
        """The event that opens it."""
        return self._event("response.created", response=self._body("in_progress"))

    def beats(self) -> Iterator[Beat]:
        """Everything from the first item to `response.done`."""
        scripted = self.scripted or ScriptedResponse()
        finished = scripted.ending is Ending.COMPLETED
        around = self._surroundings()
        self._output = [
            output_item(item, index, around, needs_approval=self._needs_approval)
            for index, item in enumerate(scripted.output)
        ]
        flows = [self._flow(each, finish=finished or each is not self._output[-1]) for each in self._output]
        yield from _mixed(flows) if scripted.interleaved else chain.from_iterable(flows)
        if scripted.ending is not Ending.NEVER:
            yield self.pace.word_s
            yield from self.finish(scripted.ending)

    def finish(self, ending: Ending, reason: str | None = None) -> list[Event]:
        """Close what is open, as incomplete, and end. `reason` stands for a cancel by the client."""
        events = [event for each in self._output if each.is_open for event in each.close("incomplete")]
        status = "cancelled" if reason else _STATUS[ending]
        done = self._event("response.done", response=self._body(status, self._details(ending, reason)))
        return [*events, done]

    def _flow(self, item: OutputItem, *, finish: bool) -> Iterator[Beat]:
        yield from item.beats()
        if finish and item.is_open:
            yield self.pace.word_s
            yield from item.close("completed")

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            response_id=self.id,
            ids=self.ids,
            items=self.items,
            pace=self.pace,
            instructions=self._asked.get("instructions", ""),
            modality=self._modality,
            in_conversation=self._in_conversation,
            approvals=self.approvals,
        )

    def _needs_approval(self, server: str, name: str) -> bool:
        """Whether the session requires approval of this MCP server's tool by the client (default: always)."""
        tools = [tool for tool in self.session.get("tools", ()) if tool.get("server_label") == server]
        approval = tools[0].get("require_approval", "always") if tools else "never"
        if isinstance(approval, Mapping):
            return name not in (approval.get("never") or {}).get("tool_names", ())
        return bool(approval == "always")

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
        if self.scripted is not None and self.scripted.usage is not None:
            return usage_of(self.scripted.usage)
        written = "".join(str(item.get("arguments") or item.get("content")) for item in self.output)
        return self.meter.usage(written=written, spoken_words=self.spoken_words)

    @property
    def _asked(self) -> JsonObject:
        return self.request or {}

    @property
    def _modality(self) -> str:
        modalities = (
            self._asked.get("output_modalities") or self.session.get("output_modalities") or ["audio"]
        )
        return str(modalities[0])

    @property
    def _in_conversation(self) -> bool:
        return self._asked.get("conversation") != "none"

    def _event(self, kind: str, **fields: object) -> Event:
        return {"type": kind, "event_id": self.ids.new("event"), **fields}


def _mixed(flows: list[Iterator[Beat]]) -> Iterator[Beat]:
    """One beat of each in turn, as long as they last."""
    while flows:
        for flow in list(flows):
            beat = next(flow, None)
            if beat is None:
                flows.remove(flow)
            else:
                yield beat
