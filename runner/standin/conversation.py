"""The API's side of one accepted call: given what the client sends and what the script says, what comes back.

Pure: no sockets, and time is virtual. What goes on at once (the model's answer, its playback, the caller,
a late transcription) are flows; see `runner.standin.flows`.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from runner.model.values import JsonObject
from runner.standin.client_events import Refused, check
from runner.standin.flows import Flow, Flows
from runner.standin.items import Event, Ids, Items, Meter
from runner.standin.outgoing import EndCall, Outgoing
from runner.standin.pace import AS_PEOPLE_SPEAK, Pace
from runner.standin.response import Response
from runner.standin.script import (
    Echoes,
    Ending,
    Occasion,
    Script,
    ScriptedResponse,
    Step,
    When,
)


class Conversation:
    """What the API knows of one call. Feed it with `receive`, and send what that and `flows` bring."""

    def __init__(
        self,
        *,
        call: str,
        session: JsonObject,
        pace: Pace = AS_PEOPLE_SPEAK,
        improvises: bool = True,
        flows: Flows[Outgoing] | None = None,
    ) -> None:
        """`improvises`: the model makes up a response that the script has nothing for; else it thinks until
        the script has."""
        self.pace = pace
        self.ids = Ids(call)
        self.items = Items()
        self.session: dict[str, Any] = dict(session)
        self.meter = Meter.of_session(session)
        self.steps: deque[Step] = deque()
        """Those steps of the script that are still to come."""
        self.violations: list[str] = []
        """What the client did that a real API would have refused, or that breaks a call."""
        self.answered: set[str] = set()
        """Tool calls that have their output."""
        self.open_calls: dict[str, str] = {}
        """Tool calls that wait for their output: id -> name."""
        self.active: Response | None = None
        self.playing: Response | None = None
        """The response that the caller hears just now."""
        self.playing_since_s = 0.0
        self.approvals: dict[str, bool] = {}
        """What the client has answered to requests for approval, by their ids."""
        self.refused_updates = 0
        """So many updates of the session, the next ones, are refused though nothing is wrong with them."""
        self.caller_speaks = False
        self.owes_answer = False
        """The client holds everything that the model needs to go on, and has not asked for it yet."""
        self.attached = False
        self.flows: Flows[Outgoing] = flows if flows is not None else Flows()
        self._improvises = improvises
        self._waiting_to_play: set[str] = set()
        self._has_spoken = False
        self._received: deque[str] = deque(maxlen=1000)

    def play(self, script: Script) -> None:
        """Add steps to the script."""
        self.steps.extend(script)

    @property
    def is_thinking(self) -> bool:
        """Whether a response is active that nobody has said anything for."""
        return self.active is not None and self.active.scripted is None

    def list_servers(self) -> list[Event]:
        """Every MCP server of the session tells its tools."""
        events: list[Event] = []
        for tool in self.session.get("tools", ()):
            if tool["type"] == "mcp":
                item_id = self.ids.new("mcpl")
                events.append(self.event("mcp_list_tools.in_progress", item_id=item_id))
                events.append(self.event("mcp_list_tools.completed", item_id=item_id))
        return events

    def leave(self, close_code: int = 1000) -> list[Outgoing]:
        """The call is over now."""
        return [EndCall(close_code)]

    # What the client sends.

    def receive(self, event: Any) -> list[Outgoing]:
        """Take an event of the client's: what answers it directly. What follows from it are flows."""
        refused = check(event)
        if refused is not None:
            return [self._refuse(refused, event)]
        self._received.append(event["type"])
        return list(self._take(event))

    def has_received(self, kind: str) -> int:
        """How many events of this type the client has sent lately."""
        return self._received.count(kind)

    def _take(self, event: JsonObject) -> list[Event]:
        match event["type"]:
            case "response.create":
                return self._create_response(event)
            case "response.cancel":
                return self._cancel_response(event)
            case "output_audio_buffer.clear":
                return self.clear_playback()
            case "session.update":
                return self._update_session(event)
            case "conversation.item.create":
                return self._create_item(event)
        return self._touch_item(event)

    def _update_session(self, event: JsonObject) -> list[Event]:
        if self.refused_updates:
            self.refused_updates -= 1
            refused = Refused(code="invalid_value", message="The session could not be updated.")
            return [self._refuse(refused, event, violation=False)]
        updated = _merged(self.session, event["session"])
        if self._has_spoken and _voice(updated) != _voice(self.session):
            message = "Cannot update a conversation's voice if assistant audio is present."
            return [self._refuse(Refused(code="cannot_update_voice", message=message), event)]
        self.session.update(updated)
        return [self.event("session.updated", session=updated)]

    def _touch_item(self, event: JsonObject) -> list[Event]:
        item_id = event["item_id"]
        item = self.items.get(item_id)
        if item is None:
            message = f"Error with the item: the item with id '{item_id}' does not exist."
            refused = Refused(code="item_not_found", message=message, param="item_id")
            return [self._refuse(refused, event)]
        match event["type"]:
            case "conversation.item.delete":
                self.items.remove(item_id)
                return [self.event("conversation.item.deleted", item_id=item_id)]
            case "conversation.item.retrieve":
                return [self.event("conversation.item.retrieved", item=dict(item))]
        fields = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        return [self.event("conversation.item.truncated", **fields)]

    def _create_item(self, event: JsonObject) -> list[Event]:
        item = {"id": self.ids.new("item"), "status": "completed", **event["item"]}
        refused = self._check_new_item(item, event.get("previous_item_id"))
        if refused is not None:
            return [self._refuse(refused, event)]
        if item["type"] == "function_call_output":
            self.open_calls.pop(item["call_id"])
            self.answered.add(item["call_id"])
            self.owes_answer = not self.open_calls
        elif item["type"] == "mcp_approval_response":
            self.approvals[item["approval_request_id"]] = item["approve"]
        self.meter.read(str(item.get("output") or item.get("content")))
        before = self.items.add(item, event.get("previous_item_id"))
        return [
            self.event("conversation.item.added", previous_item_id=before, item=dict(item)),
            self.event("conversation.item.done", previous_item_id=before, item=dict(item)),
        ]

    def _check_new_item(self, item: Event, after: str | None) -> Refused | None:
        if after not in (None, "root") and self.items.get(after) is None:
            return Refused(
                code="invalid_value",
                message=f"Previous item with id '{after}' not found.",
                param="previous_item_id",
            )
        if self.items.get(item["id"]) is not None:
            return Refused(
                code="invalid_value", message=f"Item with id '{item['id']}' exists already.", param="item.id"
            )
        if item["type"] != "function_call_output" or item["call_id"] in self.open_calls:
            return None
        call_id = item["call_id"]
        if call_id in self.answered:
            message = f"Tool call ID '{call_id}' has an output already."
        else:
            message = f"Tool call ID '{call_id}' not found in conversation."
        return Refused(code="invalid_tool_call_id", message=message, param="item.call_id")

    def _create_response(self, event: JsonObject) -> list[Event]:
        request = event.get("response", {})
        if self.active is None and self._fits(Occasion.OVERTAKES):
            created = self.begin_response(None, Occasion.OVERTAKES)
            return [*created, self._refuse(self._busy(), event, violation=False)]
        if self.active is not None:
            # Only the client can have known of a response that it has asked for itself.
            return [self._refuse(self._busy(), event, violation=not self.active.server_made)]
        occasion = Occasion.INSTRUCTION if request.get("instructions") else Occasion.TURN
        return self.begin_response(request, occasion)

    def _busy(self) -> Refused:
        active = self.active.id if self.active else ""
        return Refused(
            code="conversation_already_has_active_response",
            message=f"Conversation already has an active response in progress: {active}. "
            "Wait until the response is finished before creating a new one.",
        )

    def _cancel_response(self, event: JsonObject) -> list[Event]:
        if self.active is None or event.get("response_id", self.active.id) != self.active.id:
            refused = Refused(
                code="response_cancel_not_active", message="Cancellation failed: no active response found"
            )
            return [self._refuse(refused, event, violation=False)]
        return self.cut_response(Ending.NEVER, "client_cancelled")

    def _refuse(self, refused: Refused, event: Any, *, violation: bool = True) -> Event:
        if violation:
            self.violations.append(refused.message)
        about = event.get("event_id") if isinstance(event, Mapping) else None
        return self.error(
            "invalid_request_error", refused.code, refused.message, param=refused.param, event_id=about
        )

    # What the model does.

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
        self.owes_answer = False
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
        """Throw away what the caller has not heard yet."""
        response = self.playing
        for waiting in self._waiting_to_play | ({response.id} if response else set()):
            self.flows.stop(f"playback of {waiting}")
        self._waiting_to_play.clear()
        self.playing = None
        return [self.event("output_audio_buffer.cleared", response_id=response.id)] if response else []

    def _take_scripted(self, occasion: Occasion) -> ScriptedResponse | None:
        step = self.steps[0] if self.steps else None
        if isinstance(step, ScriptedResponse) and self._fits(occasion):
            self.steps.popleft()
            return step
        return None

    def _fits(self, occasion: Occasion) -> bool:
        step = self.steps[0] if self.steps else None
        if not isinstance(step, ScriptedResponse):
            return False
        return step.to is occasion or (step.to is Occasion.ANY and occasion is not Occasion.OVERTAKES)

    def _respond(self, response: Response, occasion: Occasion) -> Flow[Outgoing]:
        yield self.pace.thinking_s
        if response.scripted is None:
            yield lambda: self._fits(occasion)
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

    def _note(self, response: Response, event: Event) -> None:
        match event:
            case {"type": "response.output_audio_transcript.delta" | "response.output_audio.done"} if (
                not response.is_audible
            ):
                # Ahead of the response, so that the caller hears it begin before more of it is made.
                first = self.playing is None and not self._waiting_to_play
                response.is_audible = self._has_spoken = True
                self._waiting_to_play.add(response.id)
                self.flows.start(self._playback(response), owner=f"playback of {response.id}", first=first)
            case {
                "type": "response.output_item.done",
                "item": {"type": "function_call", "status": "completed", "call_id": call_id, "name": name},
            }:
                self.open_calls[call_id] = name
            case {"type": "response.done"}:
                self.active = None

    def _playback(self, response: Response) -> Flow[Outgoing]:
        """The caller hears one response after the other, slower than the model makes them."""
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

    # What the rest builds on.

    def holds(self, when: When) -> bool:
        """Whether it is the moment for a step that waits for this."""
        match when:
            case When.AT_ONCE:
                return True
            case When.TOOL_RUNS:
                return bool(self.open_calls)
            case When.AGENT_SPEAKS:
                return self.playing is not None and (
                    self.active is not self.playing or self.playing.spoken_words > 2
                )
        busy = self.active or self.playing or self._waiting_to_play or self.open_calls
        return not (busy or self.owes_answer or self.caller_speaks)

    def event(self, kind: str, **fields: object) -> Event:
        """An event with an id of its own."""
        return {"type": kind, "event_id": self.ids.new("event"), **fields}

    def error(
        self,
        type_: str,
        code: str,
        message: str,
        *,
        param: str | None = None,
        event_id: str | None = None,
    ) -> Event:
        """An `error` event. `event_id` names the client's event that it is about."""
        details = {"type": type_, "code": code, "message": message, "param": param, "event_id": event_id}
        return self.event("error", error=details)

    def _rate_limits(self) -> Event:
        limit = {"name": "tokens", "limit": 15_000_000, "remaining": 14_999_000, "reset_seconds": 0.004}
        return self.event("rate_limits.updated", rate_limits=[limit])


def _merged(session: JsonObject, update: JsonObject) -> Event:
    """An update replaces what it names and leaves the rest, at every depth of the session."""
    merged = dict(session)
    for key, value in update.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _voice(session: JsonObject) -> object:
    return session.get("audio", {}).get("output", {}).get("voice")
