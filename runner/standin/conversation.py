"""The API's side of one accepted call: the client's events and the script in, the API's events out.

Pure: no sockets, and time is virtual. Things that happen at the same time (the model's answer, its playback,
the caller, a late transcription) are flows; see `runner.standin.flows`.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, assert_never

from runner.model.values import JsonObject
from runner.standin.client_events import EventError
from runner.standin.flows import Flow, Flows
from runner.standin.items import Event, Ids, Item, Items, Meter
from runner.standin.outgoing import Outgoing
from runner.standin.pace import AS_PEOPLE_SPEAK, Pace
from runner.standin.response import Response
from runner.standin.script import Echoes, Ending, Occasion, Script, ScriptedResponse, ScriptStep, When


class PlayedConversation:
    """What the API knows of one call. `client_requests.receive` feeds it; send the results of that and of
    `flows`.
    """

    def __init__(
        self,
        *,
        call: str,
        session: JsonObject,
        pace: Pace = AS_PEOPLE_SPEAK,
        improvises: bool = True,
        flows: Flows[Outgoing] | None = None,
    ) -> None:
        """`improvises`: where the script has no response, the model makes one up; otherwise it thinks until
        there is one.
        """
        self.pace = pace
        self.ids = Ids(call)
        self.items = Items()
        self.session: dict[str, Any] = dict(session)
        self.meter = Meter.of_session(session)
        self.steps: deque[ScriptStep] = deque()
        """The steps of the script that are still to come."""
        self.violations: list[str] = []
        """What the client did that a real API would have refused, or that breaks a call."""
        self.answered: set[str] = set()
        """Tool calls with an output."""
        self.caller_patience_s: float | None = None
        """How long the caller waits for a tool before speaking again; None: for ever."""
        self._not_awaited: set[str] = set()
        self.open_calls: dict[str, str] = {}
        """Tool calls without an output: id -> name."""
        self.active: Response | None = None
        self.playing: Response | None = None
        """The response that plays now."""
        self.playing_since_s = 0.0
        self.approvals: dict[str, bool] = {}
        """The client's answers to requests for approval, by id."""
        self.refused_updates = 0
        """The number of further session updates that are refused though nothing is wrong with them."""
        self.caller_speaks = False
        self.answer_is_due = False
        """Whether the client has everything that the model needs to continue, and has not asked for it
        yet."""
        self.attached = False
        self.flows: Flows[Outgoing] = flows if flows is not None else Flows()
        self._improvises = improvises
        self._waiting_to_play: set[str] = set()
        self.has_spoken = False
        """Whether there was audio of the model, with which the API fixes the voice."""
        self._received: deque[str] = deque(maxlen=1000)

    def play(self, script: Script) -> None:
        """Add steps to the script."""
        self.steps.extend(script)

    @property
    def is_thinking(self) -> bool:
        """Whether a response is active without any content to say."""
        return self.active is not None and self.active.scripted is None

    def list_servers(self) -> list[Event]:
        """Every MCP server of the session lists its tools."""
        events: list[Event] = []
        for tool in self.session.get("tools", ()):
            if tool["type"] == "mcp":
                item_id = self.ids.new("mcpl")
                events.append(self.event("mcp_list_tools.in_progress", item_id=item_id))
                events.append(self.event("mcp_list_tools.completed", item_id=item_id))
        return events

    # The client's events

    def note_received(self, kind: str) -> None:
        """The client has sent an event of this type."""
        self._received.append(kind)

    def has_received(self, kind: str) -> int:
        """How many events of this type the client has sent."""
        return self._received.count(kind)

    def refuse(self, error: EventError, event: Any, *, violation: bool = True) -> Event:
        """The `error` event about an event of the client; a `violation` is one that it could have avoided."""
        if violation:
            self.violations.append(error.message)
        about = event.get("event_id") if isinstance(event, Mapping) else None
        return self.error(
            "invalid_request_error", error.code, error.message, param=error.param, event_id=about
        )

    def add_item(self, item: Item, after: str | None = None) -> list[Event]:
        """Add a complete item, at the end or after another; returns the events about it."""
        before = self.items.add(item, after)
        return [
            self.event(f"conversation.item.{step}", previous_item_id=before, item=dict(item))
            for step in ("added", "done")
        ]

    # The model

    def begin_response(self, request: JsonObject | None, occasion: Occasion) -> list[Event]:
        """Let the model answer, by the script if its next step is an answer to this occasion."""
        scripted = self._take_scripted(occasion)
        if scripted is None and self._improvises:
            scripted = ScriptedResponse(output=(Echoes(),))
        response = Response(
            id=self.ids.new("resp"),
            scripted=scripted,
            items=self.items,
            ids=self.ids,
            session=self.session,
            request=request,
            meter=self.meter,
            pace=self.pace,
            approvals=self.approvals,
        )
        self.active = response
        self.answer_is_due = False
        self.flows.start(self._respond(response, occasion), owner=response.id)
        return [response.created()]

    def cut_response(self, ending: Ending, reason: str | None = None) -> list[Event]:
        """End the active response at once; nothing when there is none."""
        response = self.active
        if response is None:
            return []
        self.flows.stop(response.id)
        self.active = None
        return [*response.finish(ending, reason), self._rate_limits()]

    def clear_playback(self) -> list[Event]:
        """Drop the unplayed audio."""
        response = self.playing
        for waiting in self._waiting_to_play | ({response.id} if response else set()):
            self.flows.stop(f"playback of {waiting}")
        self._waiting_to_play.clear()
        self.playing = None
        return [self.event("output_audio_buffer.cleared", response_id=response.id)] if response else []

    def _take_scripted(self, occasion: Occasion) -> ScriptedResponse | None:
        step = self.steps[0] if self.steps else None
        if isinstance(step, ScriptedResponse) and self.fits(occasion):
            self.steps.popleft()
            return step
        return None

    def fits(self, occasion: Occasion) -> bool:
        """Whether the next step of the script is a response to this occasion."""
        step = self.steps[0] if self.steps else None
        if not isinstance(step, ScriptedResponse):
            return False
        return step.to is occasion or (step.to is Occasion.ANY and occasion is not Occasion.OVERTAKES)

    def _respond(self, response: Response, occasion: Occasion) -> Flow[Outgoing]:
        yield self.pace.thinking_s
        if response.scripted is None:
            yield lambda: self.fits(occasion)
            response.scripted = self._take_scripted(occasion)
        scripted = response.scripted or ScriptedResponse()
        if (held_until := scripted.held_until) is not None:
            already = self.has_received(held_until)
            yield lambda: self.has_received(held_until) > already
        for beat in response.beats():
            if isinstance(beat, dict):
                # Before it is sent: the client may react to it at once.
                self._note(response, beat)
            yield beat
        if scripted.ending is not Ending.NEVER:
            yield self._rate_limits()

    def _wait_for_output(self, call_id: str, patience_s: float) -> Flow[Outgoing]:
        """A client never learns of a tool call that was made while no client was attached."""
        yield patience_s
        self._not_awaited.add(call_id)
        if call_id in self.open_calls:
            self.answer_is_due = False

    def _note(self, response: Response, event: Event) -> None:
        match event:
            case {"type": "response.output_audio_transcript.delta" | "response.output_audio.done"} if (
                not response.is_audible
            ):
                # Ahead of the response, so that the caller hears it begin before more of it is made.
                first = self.playing is None and not self._waiting_to_play
                response.is_audible = self.has_spoken = True
                self._waiting_to_play.add(response.id)
                self.flows.start(self._playback(response), owner=f"playback of {response.id}", first=first)
            case {
                "type": "response.output_item.done",
                "item": {"type": "function_call", "status": "completed", "call_id": call_id, "name": name},
            }:
                self.open_calls[call_id] = name
                if self.caller_patience_s is not None:
                    self.flows.start(self._wait_for_output(call_id, self.caller_patience_s))
            case {"type": "response.done"}:
                self.active = None
            case _:
                pass

    def _playback(self, response: Response) -> Flow[Outgoing]:
        """Responses play one after the other, slower than the model makes them."""
        yield lambda: self.playing is None
        self._waiting_to_play.discard(response.id)
        self.playing = response
        self.playing_since_s = self.flows.now_s
        yield self.event("output_audio_buffer.started", response_id=response.id)
        yield lambda: self.active is not response
        end_s = self.playing_since_s + self.pace.spoken_word_s * response.spoken_words
        yield max(0.0, end_s - self.flows.now_s)
        self.playing = None
        yield self.event("output_audio_buffer.stopped", response_id=response.id)

    # For the other parts

    def holds(self, when: When) -> bool:
        """Whether the condition of a waiting step holds."""
        match when:
            case When.AT_ONCE:
                return True
            case When.TOOL_RUNS:
                return bool(self.open_calls)
            case When.AGENT_SPEAKS:
                return self.playing is not None and (
                    self.active is not self.playing or self.playing.spoken_words > 2
                )
            case When.QUIET:
                awaited = self.open_calls.keys() - self._not_awaited
                busy = self.active or self.playing or self._waiting_to_play or awaited
                return not (busy or self.answer_is_due or self.caller_speaks)
            case _:
                assert_never(when)

    def event(self, kind: str, **fields: object) -> Event:
        """An event with an id of its own."""
        return {"type": kind, "event_id": self.ids.new("event"), **fields}

    def error(
        self, type_: str, code: str, message: str, *, param: str | None = None, event_id: str | None = None
    ) -> Event:
        """An `error` event. `event_id` is the client's event that it is about."""
        details = {"type": type_, "code": code, "message": message, "param": param, "event_id": event_id}
        return self.event("error", error=details)

    def _rate_limits(self) -> Event:
        limit = {"name": "tokens", "limit": 15_000_000, "remaining": 14_999_000, "reset_seconds": 0.004}
        return self.event("rate_limits.updated", rate_limits=[limit])
