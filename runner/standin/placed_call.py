"""One call as the stand-in sees it: ringing, accepted, over; with all requests and frames. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from runner.model.values import Json, JsonObject
from runner.standin.caller import Caller
from runner.standin.client_events import check
from runner.standin.client_requests import receive
from runner.standin.conversation import PlayedConversation
from runner.standin.faults import FINE, Faults, HttpFault, ReferEffect
from runner.standin.flows import Flows, VirtualTime
from runner.standin.outgoing import CloseCall, CloseSideband, Outgoing, RawFrame, SidebandStream
from runner.standin.pace import AS_PEOPLE_SPEAK, Pace
from runner.standin.script import Occasion, Script, ScriptStep


class State(Enum):
    """The stage of a call."""

    RINGING = "ringing"
    """Announced, or about to be created from a browser's offer."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A REST request that the client made for this call."""

    action: str
    body: Json
    status: int | None
    """The status of the answer; None: the connection was cut."""


@dataclass(frozen=True, slots=True)
class RestReply:
    """The API's answer to a REST request. An error has a `body`, success has none."""

    status: int
    body: JsonObject | None = None


class PlacedCall:
    """A call that was placed with a script. Tests inspect it for what the client did."""

    def __init__(
        self,
        call_id: str,
        script: Script = (),
        faults: Faults = FINE,
        *,
        short_id: str = "1",
        pace: Pace = AS_PEOPLE_SPEAK,
        improvises: bool = True,
        time: VirtualTime | None = None,
    ) -> None:
        """`short_id` is part of the ids of events; for the rest see `PlayedConversation`."""
        self.id = call_id
        self.flows: Flows[Outgoing] = Flows(time)
        self.faults = faults
        self.state = State.RINGING
        self.requests: list[RestRequest] = []
        """Every REST request, in order."""
        self.received: list[JsonObject] = []
        """Every event of the client, in order."""
        self.sent: list[JsonObject] = []
        """Every event that reached the client's sideband."""
        self.attempts = 0
        """How often the sideband was dialled."""
        self.attached = 0
        """How often it was opened."""
        self.accept_body: JsonObject | None = None
        self.offer = ""
        """The SDP of the browser whose call it is."""
        self.conversation: PlayedConversation | None = None
        self.refer_effect = faults.refer_effect
        self.stream = SidebandStream(faults.stream)
        self._replies: deque[Outgoing] = deque()
        """Direct answers to the client that were not sent yet."""
        self._script = script
        self.pace = pace
        self.caller_patience_s: float | None = None
        """See `PlayedConversation`."""
        self.is_mute = False
        """Whether the API accepts what it gets, and sends nothing."""
        self._new_conversation = partial(
            PlayedConversation, call=short_id, improvises=improvises, flows=self.flows
        )
        self._violations: list[str] = []
        self._faults_left = {
            action: deque[HttpFault](getattr(faults, action))
            for action in ("accept", "create", "reject", "refer", "hangup")
        }

    @property
    def violations(self) -> list[str]:
        """What the client did that the real API would refuse, or that breaks a call there."""
        return self._violations + (self.conversation.violations if self.conversation else [])

    @property
    def is_over(self) -> bool:
        """Whether the API does not know the call any more."""
        return self.state in (State.OVER, State.REJECTED)

    def note(self, violation: str) -> None:
        """Note something that the client should not have done."""
        self._violations.append(violation)

    def play(self, *steps: ScriptStep) -> None:
        """Add steps to the script, now or before the call is accepted."""
        if self.conversation is None:
            self._script += steps
        else:
            self.conversation.play(steps)

    def sent_types(self) -> list[str]:
        """The types of the events that reached the client."""
        return [event["type"] for event in self.sent]

    def received_types(self) -> list[str]:
        """The types of the client's events."""
        return [event["type"] for event in self.received]

    def outputs(self) -> dict[str, str]:
        """The outputs of tool calls that the client has sent, by tool call id."""
        items = [event["item"] for event in self.received if event["type"] == "conversation.item.create"]
        return {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}

    # REST.

    def take_fault(self, action: str) -> HttpFault | None:
        """The fault for this request, which is used up."""
        faults_left = self._faults_left[action]
        return faults_left.popleft() if faults_left else None

    def answer(self, action: str, body: Json, now: float) -> RestReply:
        """The effect of a REST request."""
        error = _check_body(action, body)
        if error is not None:
            self.note(f"{action}: {error}")
            return error_reply(400, "invalid_request_error", error)
        if self.is_over or (self.state is State.RINGING and action in ("refer", "hangup")):
            return error_reply(404, "call_id_not_found", f"No session found for call_id '{self.id}'.")
        if self.state is State.ACCEPTED and action in ("accept", "reject"):
            return error_reply(409, "decision_already_made", "The call has been accepted already.")
        match action:
            case "accept" | "create":
                self._accept(action, body, now)
            case "reject":
                self.state = State.REJECTED
            case "hangup":
                self.state = State.OVER
                self._replies.append(CloseCall(1000))
            case "refer" if self.refer_effect is ReferEffect.LEAVES:
                self._replies.append(CloseCall(1000))
        return RestReply(200)

    def _accept(self, action: str, body: JsonObject, now: float) -> None:
        audio = body.get("audio") or {}
        for side in ("input", "output"):
            if "format" in (audio.get(side) or {}):
                # Carrier or browser negotiates the format; callers hear static or nothing when it is sent.
                self.note(f"{action}: 'audio.{side}.format' breaks the audio of a phone call")
        self.accept_body = body
        self.state = State.ACCEPTED
        conversation = self._new_conversation(session=body, pace=self.pace)
        conversation.play(self._script)
        conversation.flows.start(Caller(conversation, now).flow())
        conversation.caller_patience_s = self.caller_patience_s
        self.conversation = conversation

    # The sideband.

    def attach(self) -> PlayedConversation | None:
        """Open the sideband, if the API knows the call by now."""
        self.attempts += 1
        known = self.state is State.ACCEPTED and self.attempts > self.faults.unknown_attempts
        if not known or self.conversation is None:
            return None
        self.attached += 1
        self._replies.clear()
        self.conversation.attached = self.faults.refusal is None
        if self.faults.refusal is not None:
            refusal = self.faults.refusal
            error = self.conversation.error("invalid_request_error", refusal.code, refusal.message)
            self._replies.extend([error, CloseSideband(refusal.close_code)])
        elif self.attached == 1 and not self.is_mute:
            self._replies.extend(self.conversation.list_servers())
        return self.conversation

    @property
    def is_attached(self) -> bool:
        """Whether the sideband is open."""
        return self.conversation is not None and self.conversation.attached

    def speak_up(self) -> None:
        """Let the API begin a response by itself."""
        if self.conversation is not None and self.conversation.active is None:
            self._replies.extend(self.conversation.begin_response(None, Occasion.TURN))

    def cut(self) -> None:
        """Break the sideband while the call lives on, whatever the script is at."""
        self._replies.append(CloseSideband(1006))

    def detach(self) -> None:
        """The sideband is gone. Events from now on are sent to nobody."""
        if self.conversation is not None:
            self.conversation.attached = False

    def receive(self, event: Any) -> bool:
        """Handle an event of the client; returns whether it was accepted."""
        if isinstance(event, Mapping):
            self.received.append(event)
        if self.is_mute and (error := check(event)) is not None:
            self.note(error.message)
        if self.conversation is None or self.is_mute:
            return False
        replies = receive(self.conversation, event)
        self._replies.extend(replies)
        return not any(isinstance(reply, Mapping) and reply["type"] == "error" for reply in replies)

    def next(self) -> Outgoing | None:
        """What happens next without time passing; None when nothing does."""
        if self._replies:
            return self._replies.popleft()
        return None if self.is_mute else self.flows.step()

    def due_s(self) -> float | None:
        """When something happens by itself; None when nothing does."""
        return None if self.is_mute else self.flows.due_s()

    def frames(self, step: Outgoing) -> list[str]:
        """The text frames to send for this, after the faults of the stream."""
        match step:
            case RawFrame(text=text):
                return [text]
            case CloseSideband() | CloseCall():
                return self.stream.rest()
            case _:
                self.sent.append(step)
                return self.stream.frames(step)


def _check_body(action: str, body: Json) -> str | None:
    """Why the API refuses this body, or None."""
    match action:
        case "accept" | "create" if not isinstance(body, Mapping):
            return "the body must be a JSON object"
        case "accept" | "create" if body.get("type") != "realtime":
            return "Missing required parameter: 'type', which must be 'realtime'."
        case "reject" if body is not None and not _is_reject(body):
            return 'the body must be {"status_code": <a SIP status>} or empty'
        case "refer" if not _is_refer(body):
            return 'the body must be {"target_uri": "tel:…" or "sip:…"}'
        case "hangup" if body not in (None, {}):
            return "the body must be empty"
    return None


def _is_reject(body: Json) -> bool:
    if not isinstance(body, Mapping) or set(body) - {"status_code"}:
        return False
    status = body.get("status_code", 603)
    return isinstance(status, int) and 300 <= status <= 699


def _is_refer(body: Json) -> bool:
    if not isinstance(body, Mapping) or set(body) != {"target_uri"}:
        return False
    target = body["target_uri"]
    return isinstance(target, str) and target.startswith(("tel:", "sip:", "sips:"))


def error_reply(status: int, code: str | None, message: str, param: str | None = None) -> RestReply:
    """A reply with an error, in the API's own shape."""
    details = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
    return RestReply(status, {"error": details})
