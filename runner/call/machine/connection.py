"""Decides what follows when a call's sideband opens, is lost or reopens, and when another process takes over.

The agent can greet only once the sideband is open and a browser's media are connected. The API replays
nothing that was missed while the sideband was lost, so each time it reopens, unconfirmed messages are sent
again.
"""

from dataclasses import dataclass, field

from runner.call.machine.added_messages import AddedMessages
from runner.call.machine.call_ending import CallEnding
from runner.call.machine.greeting import NOTHING_IS_KNOWN, CallGreeting
from runner.call.machine.intent import Greet, Intent
from runner.call.machine.lead import Lead
from runner.call.machine.phase import CallPhase, Phase, Trigger
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.session_refresh import SessionRefresh
from runner.call.machine.speech import Speech
from runner.call.machine.steering import Steering
from runner.call.machine.tool_calls import ToolCalls
from runner.call.machine.transfers import Transfers
from runner.call.records.record_builder import RecordBuilder
from runner.model.action import ClearTimer, HangUp, Interrupt, OpenSideband, SetTimer, Timer, TimerKind
from runner.model.call import Origin, WebRtcOrigin
from runner.model.values import Instant

HEARS = Timer(TimerKind.CONNECTED)
HEARS_S = 2.0
"""A browser's media connect in a fraction of this; a browser that reports nothing is greeted all the same."""
REDIAL_DELAYS_S = (0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Before each attempt to reopen a lost sideband; after the last one the call is given up."""


@dataclass(slots=True, kw_only=True, eq=False)
class CallConnection:
    """How one call is connected to the API, and its caller to us."""

    phase: CallPhase
    speech: Speech
    tools: ToolCalls
    ending: CallEnding
    transfers: Transfers
    serving: ServingAgent
    refresh: SessionRefresh
    steering: Steering
    messages: AddedMessages
    greeting: CallGreeting
    lead: Lead
    record: RecordBuilder
    origin: Origin
    lived_until: Instant
    """When the machine was given the last event."""
    _is_bare: bool = field(default=False, init=False)
    _waits_for_media: bool = field(init=False)
    """Whether a browser has yet to report its media: they connect after the sideband opens."""

    def __post_init__(self) -> None:
        self._waits_for_media = isinstance(self.origin, WebRtcOrigin)

    def begin_bare(self, now: Instant) -> None:
        """Serve a call of which only the agent is known: do not greet, and tell the model so."""
        self._is_bare = True
        self.record.fault("the call was taken over without its journal: what was said and done is not known")
        # The API refuses an id that was used before.
        self.messages.count_from(int(now))
        self.messages.keep(self.messages.new(NOTHING_IS_KNOWN))

    def opened(self, now: Instant) -> list[Intent]:
        """The sideband is open for the first time."""
        self.phase.move(Trigger.OPENED)
        self.ending.served_again()
        self.record.attached_at = now
        if self._is_bare:
            return [self.serving.whole_session("switch_bare"), *self.reopened(now)]
        first: list[Intent] = []
        if isinstance(self.origin, WebRtcOrigin) and self.origin.offer is None:
            # A page that created the call itself may have begun it with another session.
            first = [self.serving.whole_session("switch_page")]
        if self._waits_for_media:
            return [*first, SetTimer(timer=HEARS, at=now + HEARS_S)]
        return [*first, *self._greet()]

    def reopened(self, now: Instant) -> list[Intent]:
        """Send again what may be lost, and let the model continue.

        The model never greets again, and an active response already answers the nudge.
        """
        self.greeting.forget()
        self.ending.served_again()
        self.steering.reopened(now)
        unsent = self.messages.take_kept()
        again: list[Intent] = [*self.serving.tell_again(now), *unsent, *self.tools.outputs.send_again()]
        refreshed = self.refresh.tell_again(now)
        # Calls were answered and the end of their response was missed: the model continues now, and not again
        # later.
        self.tools.responses.all_ended()
        is_settled = self.tools.take_settled()
        if self.phase.now is Phase.TALKING:
            if again or is_settled:
                self.speech.queue.go_on()
            elif not self.tools.awaited:
                # With an output still due, the model would speak without it, or call the tool once more.
                self.speech.queue.nudge()
        if self.lead.is_taken:
            # The API may have let the model answer meanwhile.
            return [*again, *refreshed, Interrupt()]
        return [*again, *refreshed]

    def media_connected(self) -> list[Intent]:
        """The browser's media are connected. Before the sideband is open nobody could greet."""
        return [ClearTimer(timer=HEARS), *self.stop_waiting_for_media()]

    def stop_waiting_for_media(self) -> list[Intent]:
        """Greet the caller, who hears us now or has had time to connect."""
        if not self._waits_for_media:
            return []
        self._waits_for_media = False
        return [] if self.phase.now is Phase.WAITING else self._greet()

    def taken_over(self, now: Instant) -> list[Intent]:
        """Continue what the previous process has left, by phase, with each request that was in flight."""
        self.ending.taken_over(self.lived_until, now)
        intents = self.tools.taken_over(now)
        if self.phase.now is Phase.WAITING:
            # Its sideband may have been open, and the store not told.
            self.greeting.doubt(now)
        match self.phase.now:
            case Phase.HANGING_UP:
                return [*intents, HangUp()]
            case Phase.DRAINING_REQUESTS:
                return [*intents, *self.ending.cleared()]
            case _:
                return [*intents, *self.transfers.watch(now), OpenSideband(again=True)]

    def _greet(self) -> list[Intent]:
        self.greeting.expect()
        # The first answer would lack the tools of MCP servers that are not ready yet.
        return [] if self.serving.agent.mcp else [Greet()]
