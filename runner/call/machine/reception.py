"""Decides about a call before it is answered: who takes it, what the lookup says, or how it is rejected.

One deadline bounds the lookup; whatever goes wrong, the caller is never left ringing.
"""

from collections.abc import Mapping
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
from runner.call.machine.phase import CallPhase, Phase, Step, why_not
from runner.call.machine.session import Session
from runner.call.machine.steering import refuse
from runner.call.machine.world import World
from runner.call.records.deeds import Deeds
from runner.call.routes.routing import Match
from runner.call.templates.template import TemplateFailure
from runner.model.action import Action, AnswerCall, ClaimCall, Finish, OpenSideband, RejectCall
from runner.model.agent import BUSY_HERE, Agent
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
    Limit,
    ReferAnswered,
    RejectReplied,
    Replied,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
    Unreachable,
)
from runner.model.reception import LimitReached, RingResult
from runner.model.record import CallRecord
from runner.model.route import Reject
from runner.model.values import Instant

UNAVAILABLE_STATUS = 480
"""SIP "Temporarily Unavailable": for a call that should be answered and cannot be."""
DECLINE_STATUS = 603
"""What the API answers with when no status is given."""

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
    match: Match | None = field(default=None, init=False)
    why: str = field(default="", init=False)
    """One sentence: why this agent answers, or why nobody does."""
    rejected_with: int | None = field(default=None, init=False)
    reached: list[LimitReached] = field(default_factory=list, init=False)
    """The agents that had no room, in the order in which they were tried."""
    detail: str = field(default="", init=False)
    """What the API or a template reported when the call could not be answered."""
    looked_up: LookedUp | None = field(default=None, init=False)
    """The lookup's answer, or its default; None for an agent without a lookup."""
    session: Session | None = field(default=None, init=False)
    """The call's session, once its texts are rendered."""
    _browser: WebRtcOrigin | None = field(init=False)
    api_call_id: str = field(init=False)
    """The API's id of the call. A browser's call gets it when the API answers."""
    _agents: Mapping[str, Agent] = field(init=False)
    _agent: Agent | None = field(default=None, init=False)
    _lookup: LookupAttempts | None = field(default=None, init=False)
    _turned_away_as: RingResult = field(default=RingResult.REJECTED, init=False)

    def __post_init__(self) -> None:
        self._browser = self.call.origin if isinstance(self.call.origin, WebRtcOrigin) else None
        made_as = None if self._browser is None else self._browser.made_as
        self.api_call_id = made_as or self.call.id
        self._agents = self.world.agents if self._browser is None else AgentsOnTheWeb(self.world.agents)

    @property
    def agent(self) -> str | None:
        """The agent that takes the call, as far as it is known."""
        return self._agent.id if self._agent is not None else None

    def ring(self, now: Instant) -> list[Action]:
        """The first decision: who is to take the call."""
        if now - self.call.created_at > self.world.max_call_age_s:
            self.why = "the call began to ring too long ago"
            return self._finish(RingResult.LATE)
        self.match = match = self.world.table.match(self.call, now)
        self.why = match.why
        if match.agent is None:
            return self._reject(match.reject or DECLINE_STATUS)
        return self._claim(self._agents[match.agent])

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
            ):
                return []
            case _:
                assert_never(event)

    # Who takes the call

    def _claim(self, agent: Agent) -> list[Action]:
        self._agent = agent
        self.phase.move(Step.CLAIM)
        limits = agent.limits
        return [
            ClaimCall(
                agent=agent.id,
                concurrent_calls=limits.concurrent_calls,
                calls_per_day=limits.calls_per_day,
            )
        ]

    def _claimed(self, replied: ClaimReplied, now: Instant) -> list[Action]:
        """The call is ours; or its agent has no room, so the next is tried; or another runner has it."""
        if self._agent is None or replied.agent != self._agent.id:
            return []
        if replied.taken:
            return self._finish(RingResult.TAKEN)
        if replied.reached is not None:
            return self._no_room(self._agent, replied.reached)
        if self.reached:
            self.why = "; ".join(
                [self.why, *map(str, self.reached), f'the call is given to "{self._agent.id}"']
            )
        return self._look_up(self._agent, now)

    def _no_room(self, agent: Agent, limit: Limit) -> list[Action]:
        limits = agent.limits
        most = limits.concurrent_calls if limit is Limit.CONCURRENT_CALLS else limits.calls_per_day
        self.reached.append(LimitReached(agent=agent.id, limit=limit, most=most or 0))
        busy = agent.busy
        if not isinstance(busy, Reject) and busy.agent not in {one.agent for one in self.reached}:
            return self._claim(self._agents[busy.agent])
        # `validate` refuses circles; one that was built otherwise ends here.
        status = busy.status if isinstance(busy, Reject) else BUSY_HERE
        self.why = "; ".join([self.why, *map(str, self.reached), f"the call is rejected with {status}"])
        self._turned_away_as = RingResult.BUSY
        return self._reject(status)

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
        self.phase.move(Step.LOOK_UP)
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
        if isinstance(result, LookedUp) and self._agent is not None:
            return self._answer(self._agent, result, now)
        return result if isinstance(result, list) else []

    # The answer

    def _answer(self, agent: Agent, looked_up: LookedUp | None, now: Instant) -> list[Action]:
        self.looked_up = looked_up
        timers: list[Action] = [] if self._lookup is None else self._lookup.end()
        try:
            self.session = session = self._begin(agent, looked_up, now)
        except TemplateFailure as failure:
            self.detail = str(failure)
            self._turned_away_as = RingResult.FAILED
            return [*timers, *self._reject(UNAVAILABLE_STATUS)]
        self.phase.move(Step.ANSWER)
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

    def _begin(self, agent: Agent, looked_up: LookedUp | None, now: Instant) -> Session:
        """The session of the call. A lookup's answer that the templates cannot use must not cost the caller
        the call.

        Raises TemplateFailure.
        """
        try:
            return self._session(agent, looked_up, now)
        except TemplateFailure as failure:
            if looked_up is None or looked_up.fault is not None or agent.lookup is None:
                raise
            return self._session(agent, default_answer(agent.lookup, str(failure), looked_up.took_s), now)

    def _session(self, agent: Agent, looked_up: LookedUp | None, now: Instant) -> Session:
        return Session(
            call=self.call,
            phase=self.phase,
            deeds=self.deeds,
            agent=agent,
            agents=self._agents,
            secrets=self.world.secrets,
            now=now,
            prices=self.world.prices,
            record=self._record(agent, looked_up),
            # A browser has no telephone that could be transferred.
            transfer_to=self.world.transfer_to if self._browser is None else (),
            lookup=looked_up.value if looked_up else None,
        )

    def _record(self, agent: Agent, looked_up: LookedUp | None) -> CallRecord:
        """The record as it is before the call is answered."""
        call, match = self.call, self.match
        return CallRecord(
            id=call.id,
            agent=agent.id,
            route=str(match.route.place) if match is not None and match.route is not None else None,
            why=self.why,
            caller=call.caller.number or call.caller.uri or None,
            called=call.called.number or call.called.uri or None,
            transport=call.transport.value,
            created_at=call.created_at,
            lookup_s=looked_up.took_s if looked_up else None,
            headers=self.world.table.headers_asked_for(call, match),
            busy={one.agent: {one.limit.value: one.most} for one in self.reached},
            model=agent.model,
            faults=(looked_up.fault,) if looked_up and looked_up.fault else (),
        )

    def _answered(self, replied: AnswerReplied, now: Instant) -> list[Action]:
        """The API has answered the call for us, or has not."""
        self.detail = replied.detail
        if replied.decided.is_done and self.session is not None:
            self.result = RingResult.ACCEPTED
            self.api_call_id = replied.api_call_id or self.api_call_id
            self.phase.move(Step.ANSWERED)
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
        if self.phase.now is Phase.CLAIMING and self._agent is not None:
            # Whoever takes a call over holds it.
            return self._claimed(ClaimReplied(agent=self._agent.id), now)
        if self.phase.now is Phase.LOOKING_UP and self._lookup is not None:
            return self._lookup_ended(self._lookup.again(now), now)
        if self.phase.now is Phase.ANSWERING and self.session is not None:
            return [self._answer_with(self.session)]
        return self._finish(RingResult.UNAVAILABLE)

    def _steered(self, steered: Steered, now: Instant) -> list[Action]:
        """Nobody steers a call that is not answered."""
        if self.deeds.open(steered, now):
            refuse(self.deeds, steered, why_not(self.phase.now), now)
        return []

    def _reject(self, status: int) -> list[Action]:
        self.rejected_with = status
        if self._browser is not None:
            # Nothing rings at the API: the browser gets the result in reply to its own request.
            return self._finish(self._turned_away_as)
        self.phase.move(Step.REJECT)
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
        self.phase.move(Step.FINISH)
        return [Finish()]
