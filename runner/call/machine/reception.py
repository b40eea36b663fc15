"""Decides about a call before it is answered: who takes it, what the lookup says, or how it is rejected.

One deadline bounds the lookup; whatever goes wrong, the caller is never left ringing.
"""

from dataclasses import dataclass, field
from typing import assert_never

from runner.call.browser.agents import AgentsOnTheWeb
from runner.call.machine.lookup import (
    DEADLINE,
    RETRY,
    LookedUp,
    LookupAttempts,
    default_answer,
    lookup_request,
)
from runner.call.machine.new_session import new_session
from runner.call.machine.phase import CallPhase, Phase, Trigger, why_not
from runner.call.machine.placement import Placement
from runner.call.machine.session import Session
from runner.call.machine.steering import acted, refuse
from runner.call.machine.world import World
from runner.call.records.deeds import Deeds
from runner.call.templates.template import TemplateFailure
from runner.model.action import Action, AnswerCall, ClaimCall, Finish, OpenSideband, RejectCall
from runner.model.agent import Agent
from runner.model.call import IncomingCall, WebRtcOrigin
from runner.model.conversation_event import ConversationEvent
from runner.model.event import (
    AnswerReplied,
    CallerConnected,
    CallEvent,
    CallGone,
    ClaimReplied,
    Decided,
    EndRequested,
    HangUpFailed,
    ReferAnswered,
    RejectReplied,
    Replied,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
    ToolCallMissed,
    Unreachable,
)
from runner.model.reception import RingResult
from runner.model.route import Reject
from runner.model.values import Instant

UNAVAILABLE_STATUS = 480
"""SIP "Temporarily Unavailable": for a call that should be answered and cannot be."""
_RESULTS = {
    Decided.GONE: RingResult.GONE,
    Decided.TAKEN: RingResult.TAKEN,
    Decided.REFUSED: RingResult.FAILED,
    Decided.UNAVAILABLE: RingResult.UNAVAILABLE,
}


@dataclass(slots=True, eq=False)
class Reception:
    """Decides about one ringing call, until it is answered or rejected."""

    call: IncomingCall
    world: World
    phase: CallPhase
    deeds: Deeds
    result: RingResult | None = field(default=None, init=False)
    """The result of the ringing, once it is known."""
    placement: Placement = field(init=False)
    rejected_with: int | None = field(default=None, init=False)
    detail: str = field(default="", init=False)
    """What the API or a template reported when the call could not be answered."""
    looked_up: LookedUp | None = field(default=None, init=False)
    """The lookup's answer, or its default; None for an agent without a lookup."""
    session: Session | None = field(default=None, init=False)
    """The call's session, once its texts are rendered."""
    _browser: WebRtcOrigin | None = field(init=False)
    api_call_id: str = field(init=False)
    """The API's id of the call. A browser's call gets it when the API answers."""
    _lookup: LookupAttempts | None = field(default=None, init=False)
    _turned_away_as: RingResult = field(default=RingResult.REJECTED, init=False)

    def __post_init__(self) -> None:
        self._browser = self.call.origin if isinstance(self.call.origin, WebRtcOrigin) else None
        made_as = None if self._browser is None else self._browser.made_as
        self.api_call_id = made_as or self.call.id
        agents = self.world.agents if self._browser is None else AgentsOnTheWeb(self.world.agents)
        self.placement = Placement(self.call, self.world.table, agents)

    @property
    def agent(self) -> str | None:
        """The agent that takes the call, as far as it is known."""
        return self.placement.agent.id if self.placement.agent is not None else None

    def ring(self, now: Instant) -> list[Action]:
        """The first decision: who is to take the call."""
        if now - self.call.created_at > self.world.max_call_age_s:
            self.placement.why = "the call began to ring too long ago"
            return self._finish(RingResult.LATE)
        agent = self.placement.by_route(now)
        return self._reject(agent.status) if isinstance(agent, Reject) else self._claim(agent)

    def handle(self, event: CallEvent, now: Instant) -> list[Action]:
        """Decide about an event before the call is answered. One that comes too late changes nothing."""
        if isinstance(event, ConversationEvent):
            return []
        phase = self.phase.now
        match event:
            case TakenOver():
                return self._taken_over(now)
            case Steered():
                return self._steered(event, now)
            case ClaimReplied():
                return self._claimed(event, now) if phase is Phase.CLAIMING else []
            case Replied():
                if phase is Phase.LOOKING_UP and self._lookup is not None:
                    return self._lookup_ended(self._lookup.replied(event, now), now)
                return []
            case TimerFired():
                return self._timer_fired(event, now) if phase is Phase.LOOKING_UP else []
            case AnswerReplied():
                return self._answered(event, now) if phase is Phase.ANSWERING else []
            case RejectReplied():
                return self._rejected(event) if phase is Phase.REJECTING else []
            case (
                CallerConnected()
                | SidebandOpened()
                | SidebandLost()
                | Unreachable()
                | CallGone()
                | EndRequested()
                | ReferAnswered()
                | HangUpFailed()
                | ToolCallMissed()
            ):
                return []
            case _:
                assert_never(event)

    # Who takes the call

    def _claim(self, agent: Agent) -> list[Action]:
        self.phase.move(Trigger.CLAIM)
        limits = agent.limits
        return [
            ClaimCall(
                agent=agent.id, concurrent_calls=limits.concurrent_calls, calls_per_day=limits.calls_per_day
            )
        ]

    def _claimed(self, replied: ClaimReplied, now: Instant) -> list[Action]:
        """The call is ours; or its agent has no room, so the next is tried; or another runner has it."""
        agent = self.placement.agent
        if agent is None or replied.agent != agent.id:
            return []
        if replied.taken:
            return self._finish(RingResult.TAKEN)
        if replied.reached is None:
            self.placement.found_room(agent)
            return self._look_up(agent, now)
        following = self.placement.without_room(agent, replied.reached)
        if isinstance(following, Agent):
            return self._claim(following)
        self._turned_away_as = RingResult.BUSY
        return self._reject(following.status)

    # What is known of the caller

    def _look_up(self, agent: Agent, now: Instant) -> list[Action]:
        if agent.lookup is None:
            return self._answer(agent, None, now)
        try:
            request = lookup_request(
                agent.lookup, call=self.call, agent=agent, secrets=self.world.secrets, now=now
            )
        except TemplateFailure as failure:
            return self._answer(agent, default_answer(agent.lookup, str(failure), 0.0), now)
        self.phase.move(Trigger.LOOK_UP)
        self._lookup = LookupAttempts(agent.lookup, request, self.call.id, now)
        return self._lookup.begin()

    def _timer_fired(self, fired: TimerFired, now: Instant) -> list[Action]:
        """The next attempt is due, or the caller has heard ringing for long enough."""
        if self._lookup is None:
            return []
        if fired.timer == RETRY:
            return self._lookup.send()
        return self._lookup_ended(self._lookup.late(now), now) if fired.timer == DEADLINE else []

    def _lookup_ended(self, result: LookedUp | list[Action], now: Instant) -> list[Action]:
        """Answer the call with the result, or continue with the lookup."""
        if isinstance(result, LookedUp) and self.placement.agent is not None:
            return self._answer(self.placement.agent, result, now)
        return result if isinstance(result, list) else []

    # The answer

    def _answer(self, agent: Agent, looked_up: LookedUp | None, now: Instant) -> list[Action]:
        self.looked_up = looked_up
        timers: list[Action] = [] if self._lookup is None else self._lookup.end()
        try:
            self.session = session = new_session(
                self.placement,
                agent,
                looked_up,
                world=self.world,
                phase=self.phase,
                deeds=self.deeds,
                now=now,
            )
        except TemplateFailure as failure:
            self.detail = str(failure)
            self._turned_away_as = RingResult.FAILED
            return [*timers, *self._reject(UNAVAILABLE_STATUS)]
        self.phase.move(Trigger.ANSWER)
        if self._browser is not None and self._browser.offer is None:
            # The page has made the call itself.
            return [*timers, *self._answered(AnswerReplied(decided=Decided.DONE), now)]
        return [*timers, self._answer_with(session)]

    def _answer_with(self, session: Session) -> AnswerCall:
        return AnswerCall(
            agent=session.agent,
            instructions=session.texts.instructions,
            servers=session.serving.servers,
            offer=self._browser.offer if self._browser is not None else None,
        )

    def _answered(self, replied: AnswerReplied, now: Instant) -> list[Action]:
        """The API has answered the call for us, or has not."""
        self.detail = replied.detail
        if replied.decided.is_done and self.session is not None:
            self.result = RingResult.ACCEPTED
            self.api_call_id = replied.api_call_id or self.api_call_id
            self.phase.move(Trigger.ANSWERED)
            return [OpenSideband(), *self.session.begin(now, is_first=replied.decided is Decided.DONE)]
        if replied.decided is Decided.REFUSED:
            # The call rings on, and the API would refuse the same answer again.
            self._turned_away_as = RingResult.FAILED
            return self._reject(UNAVAILABLE_STATUS)
        return self._finish(_RESULTS[replied.decided])

    def _taken_over(self, now: Instant) -> list[Action]:
        """Continue with the ringing. Nobody else will once it is claimed: its webhook may have been answered.

        The API may have been told to answer already; a second answer shows. A browser that waited for the
        previous process has lost its connection to it.
        """
        if self._browser is not None:
            return self._finish(RingResult.UNAVAILABLE)
        if self.phase.now is Phase.CLAIMING and self.agent is not None:
            # Whoever takes a call over holds it.
            return self._claimed(ClaimReplied(agent=self.agent), now)
        if self.phase.now is Phase.LOOKING_UP and self._lookup is not None:
            return self._lookup_ended(self._lookup.again(now), now)
        if self.phase.now is Phase.ANSWERING and self.session is not None:
            return [self._answer_with(self.session)]
        return self._finish(RingResult.UNAVAILABLE)

    def _steered(self, steered: Steered, now: Instant) -> list[Action]:
        """Nobody steers a call that is not answered."""
        if not self.deeds.open(steered, now):
            return []
        refuse(self.deeds, steered, why_not(self.phase.now), now)
        return [*acted(self.deeds, steered)]

    def _reject(self, status: int) -> list[Action]:
        self.rejected_with = status
        if self._browser is not None:
            # Nothing rings at the API: the browser gets the result in reply to its own request.
            return self._finish(self._turned_away_as)
        self.phase.move(Trigger.REJECT)
        return [RejectCall(status=status)]

    def _rejected(self, replied: RejectReplied) -> list[Action]:
        """The API has rejected the call for us, or has not."""
        self.detail = self.detail or replied.detail
        if replied.decided.is_done:
            return self._finish(self._turned_away_as)
        return self._finish(_RESULTS[replied.decided])

    def _finish(self, result: RingResult) -> list[Action]:
        self.result = result
        self.session = None
        self.phase.move(Trigger.FINISH)
        return [Finish()]
