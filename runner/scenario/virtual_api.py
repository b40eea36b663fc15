"""The voice API of a played call: the stand-in, reached through the port as a real API is.

Caller and model take no time. The model says a sentence that it is given word for word; for its own words it
thinks until a step supplies them.
"""

import json

from runner.api.port import Order, SidebandAction, VoiceApi
from runner.model.action import Speak
from runner.model.event import CallEvent, CallGone, SidebandLost
from runner.model.http import HttpReply
from runner.model.scenario import TransferEnd
from runner.model.usage import NO_USAGE
from runner.model.values import Instant, JsonObject
from runner.standin import web_calls
from runner.standin.conversation import PlayedConversation
from runner.standin.faults import ReferEffect
from runner.standin.flows import VirtualTime
from runner.standin.outgoing import CloseCall, CloseSideband
from runner.standin.pace import AT_ONCE, Pace
from runner.standin.placed_call import PlacedCall, State
from runner.standin.response import Response
from runner.standin.script import Occasion, Says, ScriptedResponse

SAYS_NOTHING = ScriptedResponse(output=(Says(text=""),), to=Occasion.ANY, usage=NO_USAGE)
"""The model's own words, where no step supplies them."""


class VirtualApi:
    """The API's side of one call."""

    def __init__(self, api: VoiceApi, time: VirtualTime, call_id: str) -> None:
        self._api = api
        self._call_id = call_id
        self._sideband = api.conversation(call_id)
        self.call = PlacedCall(call_id, short_id="", pace=AT_ONCE, improvises=False, time=time)

    @property
    def accept_body(self) -> JsonObject:
        """The body with which the call was accepted."""
        return self.call.accept_body or {}

    @property
    def is_thinking(self) -> bool:
        """Whether the model was left to say something, and has not said it."""
        return self._conversation is not None and self._conversation.is_thinking

    @property
    def is_responding(self) -> bool:
        """Whether a response is active."""
        return self._conversation is not None and self._conversation.active is not None

    @property
    def playing(self) -> Response | None:
        """The response that plays now."""
        return self._conversation.playing if self._conversation is not None else None

    @property
    def playing_since_s(self) -> float:
        """When it began to play, in virtual seconds."""
        return self._conversation.playing_since_s if self._conversation is not None else 0.0

    # Caller and model

    def respond(self, response: ScriptedResponse) -> None:
        """Let the model respond: to a request, or by itself where there is none."""
        self.call.play(response)
        if not self.is_thinking:
            self.call.speak_up()

    def say_nothing(self) -> None:
        """Let the model say what it was left to say, in words that do not matter."""
        self.respond(SAYS_NOTHING)

    def set_pace(self, pace: Pace) -> None:
        """Set how fast caller and model are from now on."""
        self.call.pace = pace
        if self._conversation is not None:
            self._conversation.pace = pace

    def refuse_handoff(self) -> None:
        """Refuse the next hand-off."""
        if self._conversation is not None:
            self._conversation.refused_updates += 1

    def end_transfer(self, end: TransferEnd) -> None:
        """Set how the next transfer ends."""
        completed = end is TransferEnd.COMPLETED
        self.call.refer_effect = ReferEffect.LEAVES if completed else ReferEffect.STAYS

    # Messages

    def carry_out(self, order: Order, now: Instant) -> CallEvent:
        """Send the request of an order, and read the reply."""
        request = self._api.request(order, self._call_id)
        web_call = web_calls.call_of(request)
        if web_call is not None:
            reply = self.call.answer("create", web_call.session, now)
        else:
            body = None if request.body is None else json.loads(request.body)
            reply = self.call.answer(request.url.rpartition("/")[2], body, now)
        text = b"" if reply.body is None else json.dumps(reply.body).encode()
        location = f"{request.url}/{self._call_id}" if web_call is not None else ""
        answered = HttpReply(
            status=reply.status, body=text, content_type="application/json", location=location
        )
        return self._api.answered(order, answered, unsettled=False)

    def attach(self) -> bool:
        """Open the sideband; False when the API does not know the call."""
        return self.call.attach() is not None

    def send(self, action: SidebandAction) -> bool:
        """Send the frames of an action; returns whether the API has accepted them.

        Without a sideband nothing is sent, and nothing is kept: as in a real call.
        """
        if not self.call.is_attached or self._conversation is None:
            return False
        steps, sentence = self._conversation.steps, _sentence(action)
        if sentence is not None:
            steps.appendleft(sentence)
        accepted = [self.call.receive(json.loads(frame)) for frame in self._sideband.frames(action)]
        if sentence is not None and steps and steps[0] is sentence:
            steps.popleft()
        return all(accepted)

    def next(self, *, follow_words: bool) -> tuple[CallEvent, ...] | None:
        """What comes next without time passing; None when nothing does."""
        outgoing = self.call.next()
        match outgoing:
            case None:
                return None
            case CloseSideband():
                self.call.detach()
                return (SidebandLost(),)
            case CloseCall():
                self.call.state = State.OVER
                self.call.detach()
                return SidebandLost(), CallGone()
            case _:
                frames = self.call.frames(outgoing) if self.call.is_attached else ()
                read = self._sideband.read
                return tuple(event for frame in frames for event in read(frame, follow_words=follow_words))

    @property
    def _conversation(self) -> PlayedConversation | None:
        return self.call.conversation


def _sentence(action: SidebandAction) -> ScriptedResponse | None:
    """The sentence that the model is to say word for word."""
    if not isinstance(action, Speak) or action.say is None:
        return None
    return ScriptedResponse(output=(Says(text=action.say),), to=Occasion.INSTRUCTION, usage=NO_USAGE)
