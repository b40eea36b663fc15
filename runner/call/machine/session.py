"""The served half of a call's machine: from the API's answer to the end. Events in, actions out.

`ROWS` says in which phase which event does what. What is not in it changes nothing, because a live API sends
late, twice and out of order, and none of that is an error. Who speaks has a table of its own in
`runner.call.machine.floor`; what is watched beside (silence, limits, guardrails, keys, failures) are parts,
whose intents `runner.call.machine.fulfilment` fits to the phase.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from runner.call.afterwards.jobs import jobs_after
from runner.call.machine.added_messages import AddedMessages
from runner.call.machine.call_ending import CallEnding
from runner.call.machine.call_texts import CallTexts
from runner.call.machine.consumption import Consumption
from runner.call.machine.fulfilment import Fulfilment
from runner.call.machine.intent import (
    End,
    Greet,
    Intent,
)
from runner.call.machine.lead import Lead
from runner.call.machine.phase import CONNECTED, LIVE, NOT_GONE, CallPhase, Phase, Step
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.session_refresh import SessionRefresh
from runner.call.machine.speech import Speech
from runner.call.machine.steering import Steering
from runner.call.machine.tampering import TamperWatch
from runner.call.machine.tool_calls import ToolCalls
from runner.call.machine.tool_dispatch import ToolDispatch
from runner.call.records.bill import Bill
from runner.call.records.deeds import Deeds
from runner.call.records.record_builder import RecordBuilder
from runner.call.records.redaction import Redactor
from runner.model.action import (
    Action,
    ClearTimer,
    HangUp,
    Interrupt,
    OpenSideband,
    SetTimer,
    SwitchAgent,
    Timer,
    TimerKind,
)
from runner.model.agent import Agent
from runner.model.call import IncomingCall, WebRtcOrigin
from runner.model.event import (
    ApiError,
    ApiErrorKind,
    CallerConnected,
    CallEvent,
    CallGone,
    EndRequested,
    HangUpFailed,
    ItemPlaced,
    OutputTaken,
    ReferAnswered,
    Replied,
    ResponseEnded,
    SessionUpdated,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
    ToolCalled,
    Unreachable,
)
from runner.model.job import Job
from runner.model.price import PriceList
from runner.model.record import CallRecord
from runner.model.values import Instant, Json, JsonObject

HEARS = Timer(TimerKind.CONNECTED)
HEARS_S = 2.0
"""A browser's media connect in a fraction of this; one that does not say so is greeted all the same."""

NOTHING_IS_KNOWN = (
    "There was an interruption on our side. It is not known whether tools that you have called were carried"
    " out: ask the caller before you call one again. Do not greet; go on with the conversation."
)


class Session:
    """The state of an answered call. Create it when the call is to be answered, and `begin` when it was.

    Creating it raises TemplateFailure when the agent's instructions cannot be made for this call.
    """

    def __init__(
        self,
        *,
        call: IncomingCall,
        phase: CallPhase,
        deeds: Deeds,
        agent: Agent,
        agents: Mapping[str, Agent],
        secrets: Mapping[str, str],
        now: Instant,
        prices: PriceList,
        transfer_to: Sequence[str] = (),
        lookup: Json = None,
        lookup_s: float | None = None,
        faults: Sequence[str] = (),
        why: str = "",
        route: str | None = None,
    ) -> None:
        """`lookup_s` is how long the lookup took, `faults` what went wrong before the call was answered."""
        self._phase = phase
        self.speech = Speech()
        self.lead = Lead(self.speech)
        self._consumption = Consumption(Bill(prices, agent.model, agent.transcription_model))
        self.builder = RecordBuilder(
            CallRecord(
                id=call.id,
                agent=agent.id,
                route=route,
                why=why,
                caller=call.caller.number or call.caller.uri or None,
                called=call.called.number or call.called.uri or None,
                transport=call.transport.value,
                created_at=call.created_at,
                lookup_s=lookup_s,
                model=agent.model,
                faults=tuple(faults),
            ),
            self._consumption.bill,
            deeds,
            self.speech.is_persons,
        )
        self._texts = CallTexts(call=call, agent=agent, lookup=lookup, record=self.builder, now=now)
        self.tools = ToolCalls(
            call_id=call.id,
            record=self.builder,
            consumption=self._consumption,
            names=self._texts.names,
            variables=self._texts.variables,
            secrets=secrets,
        )
        self._ending = CallEnding(
            phase=phase,
            speech=self.speech,
            tools=self.tools,
            record=self.builder,
            texts=self._texts,
            lead=self.lead,
            deeds=deeds,
        )
        self._serving = ServingAgent(
            agent=agent,
            agents=agents,
            texts=self._texts,
            record=self.builder,
            consumption=self._consumption,
            secrets=secrets,
            playback=self.speech.playback,
            lead=self.lead,
            is_quiet=self._is_quiet,
            now=now,
        )
        self._refresh = SessionRefresh(
            serving=self._serving, texts=self._texts, speech=self.speech, lead=self.lead, deeds=deeds
        )
        self._dispatch = ToolDispatch(
            phase=phase,
            tools=self.tools,
            ending=self._ending,
            serving=self._serving,
            consumption=self._consumption,
            lead=self.lead,
            refresh=self._refresh,
            deeds=deeds,
        )
        self._steering = Steering(
            phase=phase,
            deeds=deeds,
            speech=self.speech,
            ending=self._ending,
            serving=self._serving,
            texts=self._texts,
            lead=self.lead,
            refresh=self._refresh,
            agents=agents,
            transfer_to=transfer_to,
        )
        self._messages = AddedMessages()
        self._fulfilment = Fulfilment(
            phase=phase,
            speech=self.speech,
            ending=self._ending,
            serving=self._serving,
            messages=self._messages,
            texts=self._texts,
            record=self.builder,
            lead=self.lead,
        )
        is_open = isinstance(call.origin, WebRtcOrigin) and call.origin.has_data_channel
        self._tampering = (
            TamperWatch(messages=self._messages, tools=self.tools, record=self.builder) if is_open else None
        )
        self._is_bare = False
        self._hears_later = isinstance(call.origin, WebRtcOrigin)
        """Whether a browser has yet to say that it hears us: its media come after the sideband."""
        self._is_made_by_page = isinstance(call.origin, WebRtcOrigin) and call.origin.offer is None
        self.lived_until: Instant = now

    @property
    def agent(self) -> Agent:
        """The agent that serves the call now."""
        return self._serving.agent

    @property
    def servers(self) -> tuple[JsonObject, ...]:
        """The MCP servers of that agent, as the API's own objects."""
        return self._serving.servers

    @property
    def phase(self) -> Phase:
        """Where the call stands."""
        return self._phase.now

    @property
    def instructions(self) -> str:
        """The instructions of the agent that serves the call now."""
        return self._texts.instructions

    @property
    def variables(self) -> JsonObject:
        """What `vars` holds now."""
        return self._texts.variables

    @property
    def follows_words(self) -> bool:
        """Whether anything here wants to hear words as they come."""
        return bool(self.agent.guardrails)

    @property
    def served(self) -> Sequence[Agent]:
        """Every agent that has served the call, the first first."""
        return self._serving.served

    @property
    def steering(self) -> Steering:
        """What people do to the call, and may."""
        return self._steering

    @property
    def may_hand_to(self) -> tuple[str, ...]:
        """The agents that could take over now."""
        return self._serving.others

    @property
    def consumption(self) -> Consumption:
        """What the call has used of its limits."""
        return self._consumption

    def begin(self, now: Instant) -> list[Action]:
        """The API has answered the call."""
        self._consumption.since = now
        self.builder.accepted(now)
        return self._fulfilment.actions(self._serving.start(now), now)

    def handle(self, event: CallEvent, now: Instant) -> list[Action]:
        """What is to be done about `event`, in this order."""
        self.builder.note(event, now)
        self._consumption.bill.note(event)
        actions = self.speech.handle(event, now, sees_all=self._is_all_placed)
        if self._tampering is not None and type(event) in self._tampering.hears and self.phase in CONNECTED:
            intents = self._tampering.handle(event, self._whole_session("switch_mend"), now)
            actions += self._fulfilment.actions(intents, now)
        handler = TABLE.get((self.phase, type(event)))
        if handler is not None:
            actions += self._fulfilment.actions(handler(self, event, now), now)
        for part in self._serving.parts:
            if type(event) in part.hears:
                actions += self._fulfilment.actions(part.handle(event, now), now)
        while ends := self.speech.take_sentence_ends():
            for key, end in ends:
                self._steering.sentence_ended(key, end, now)
                intents = [*self._ending.sentence_ended(key, end, now), *self.tools.go_on()]
                actions += self._fulfilment.actions(intents, now)
        self.lived_until = now
        return actions + self.speech.ask(now)

    def record(self) -> CallRecord:
        """The record of the call as it stands now, with nothing in it that its agents want masked."""
        return self.redactor().record(self.builder.record())

    def jobs(self, record: CallRecord, now: Instant) -> tuple[Job, ...]:
        """The jobs after the call, going by the record of it."""
        redactor = self.redactor()
        redactor.learn(self.builder.record())
        return jobs_after(self._serving.served[0], record, redactor.names(self._texts.names(now)), now)

    def redactor(self) -> Redactor:
        """What masks the record, as strictly as the strictest agent that has served the call wants."""
        return Redactor((agent.record for agent in self._serving.served), self.builder.private)

    @property
    def _is_all_placed(self) -> bool:
        """Whether the API has told the place of everything that we have put into the conversation."""
        return self._messages.are_placed and not self.tools.has_unconfirmed

    # Opening and losing the sideband

    def _open(self, opened: SidebandOpened, now: Instant) -> list[Intent]:
        self._phase.move(Step.OPENED)
        self._ending.served_again()
        self.builder.attached(now)
        if self._is_bare:
            return [self._whole_session("switch_bare"), *self._reopen(opened, now)]
        # A page that has made the call itself may have begun it with another session.
        told: list[Intent] = [self._whole_session("switch_page")] if self._is_made_by_page else []
        if self._hears_later:
            return [*told, SetTimer(timer=HEARS, at=now + HEARS_S)]
        return [*told, *self._ready()]

    def _whole_session(self, update_id: str) -> SwitchAgent:
        """The session as it ought to be, told again."""
        return SwitchAgent(
            update_id=update_id,
            before=self.agent,
            agent=self.agent,
            instructions=self.instructions,
            servers=self.servers,
            with_voice=False,
            # A person may have led the call, which nobody knows any more.
            answers=True,
        )

    def _ready(self) -> list[Intent]:
        """The caller can hear a greeting."""
        self._fulfilment.expect_greeting()
        # Tools of MCP servers that are not there yet would be missing from the first answer.
        return [] if self.agent.mcp else [Greet()]

    def _connected(self, _: CallerConnected, now: Instant) -> list[Intent]:
        """The browser hears us. Before the sideband is open there is nobody who could greet."""
        return [ClearTimer(timer=HEARS), *self._hears_now()]

    def _hears_now(self) -> list[Intent]:
        if not self._hears_later:
            return []
        self._hears_later = False
        return [] if self.phase is Phase.WAITING else self._ready()

    def _reopen(self, _: SidebandOpened, now: Instant) -> list[Intent]:
        """Nothing that was missed is replayed: tell again what may be lost, and let the model go on.

        It is never greeted again, and a response that is being made already answers the nudge.
        """
        self._ending.served_again()
        self._steering.reopened(now)
        unsent = self._messages.take_kept()
        again: list[Intent] = [*self._serving.tell_again(now), *unsent, *self.tools.resend()]
        refreshed = self._refresh.tell_again(now)
        # Calls were answered and the end of their response was missed: the model goes on now, not later too.
        is_settled = self.tools.take_settled()
        if self.phase is Phase.TALKING:
            if again or is_settled:
                self.speech.go_on()
            else:
                self.speech.nudge()
        if self.lead.is_taken:
            # The API may have let the model answer meanwhile.
            return [*again, *refreshed, Interrupt()]
        return [*again, *refreshed]

    def _taken_over(self, _: TakenOver, now: Instant) -> list[Intent]:
        """Take up what the process before has left: by phase, and for each request under way."""
        self._ending.taken_over(self.lived_until, now)
        self.tools.all_ended()
        intents = self.tools.taken_over(now)
        match self.phase:
            case Phase.HANGING_UP:
                return [*intents, HangUp()]
            case Phase.DRAINING_REQUESTS:
                return [*intents, *self._ending.cleared()]
            case _:
                return [*intents, *self._ending.watch_transfer(now), OpenSideband(again=True)]

    def begin_bare(self, now: Instant) -> None:
        """Serve a call of which only the agent is known: no greeting, and the model is told so."""
        self._is_bare = True
        self.builder.fault("the call was taken over without its journal: what was said and done is not known")
        self._messages.keep(self._messages.new(NOTHING_IS_KNOWN))

    def _detached(self, _: SidebandLost, now: Instant) -> list[Intent]:
        self.tools.all_ended()
        return []

    def _unreachable(self, unreachable: Unreachable, now: Instant) -> list[Intent]:
        """A call that cannot be served is hung up, not left talking to nobody."""
        return [End(reason="failed", at_once=True, detail=unreachable.detail)]

    # Responses and tools

    def _response_ended(self, ended: ResponseEnded, now: Instant) -> list[Intent]:
        intents: list[Intent] = []
        for called in ended.calls:
            intents += self._dispatch.called(called, now)
        self.tools.response_ended(ended.response_id)
        return intents + self.tools.go_on()

    def _called(self, called: ToolCalled, now: Instant) -> list[Intent]:
        return self._dispatch.called(called, now)

    def _output_taken(self, taken: OutputTaken, _: Instant) -> list[Intent]:
        self.tools.taken(taken.call_id)
        return []

    def _item_placed(self, placed: ItemPlaced, _: Instant) -> list[Intent]:
        self._messages.placed(placed.item_id)
        return []

    def _replied(self, replied: Replied, now: Instant) -> list[Intent]:
        intents = self.tools.replied(replied, now, may_retry=True)
        return [*intents, *self.tools.go_on(), *self._ending.tools_ended(now)]

    # Changes of the session, timers, errors, and the end

    def _session_updated(self, updated: SessionUpdated, now: Instant) -> list[Intent]:
        if self._serving.expects(updated.update_id):
            return self._dispatch.handed_off(now, told=True)
        return self._refresh.confirmed(updated.update_id, now)

    def _timer_fired(self, fired: TimerFired, now: Instant) -> list[Intent]:
        match fired.timer.kind:
            case TimerKind.RETRY:
                return [*self.tools.again(fired.timer.key, now)]
            case TimerKind.HANDOFF:
                return self._dispatch.handed_off(now, told=False)
            case TimerKind.LEAD:
                return self._steering.lease_is_over(now)
            case TimerKind.REFRESH:
                return self._refresh.not_refused(now)
            case TimerKind.CONNECTED:
                return self._hears_now()
            case TimerKind.WAITING:
                return self.tools.still_waiting(fired.timer.key, now)
            case clock:
                return self._ending.overdue(clock, now) + self.tools.go_on()

    def _refer_answered(self, answered: ReferAnswered, now: Instant) -> list[Intent]:
        return self._ending.refer_answered(answered.ok, answered.detail, now) + self.tools.go_on()

    def _refused(self, error: ApiError, now: Instant) -> list[Intent]:
        if error.kind is ApiErrorKind.SESSION_EXPIRED:
            return [End(reason="session_expired", at_once=True)]
        return [*self._dispatch.not_handed_off(error, now), *self._refresh.refused(error, now)]

    def _end_requested(self, requested: EndRequested, now: Instant) -> list[Intent]:
        return [End(reason=requested.reason, at_once=True)]

    def _steered(self, steered: Steered, now: Instant) -> list[Intent]:
        return self._steering.steered(steered, now)

    def _hang_up_failed(self, failed: HangUpFailed, now: Instant) -> list[Intent]:
        """A call that stays up talks to nobody and costs money: insist, unless the API never will."""
        return [*self._ending.hang_up_failed(failed, now)]

    def _hang_up_again(self, fired: TimerFired, now: Instant) -> list[Intent]:
        return [HangUp()] if fired.timer.kind is TimerKind.HANG_UP_AGAIN else []

    def _gone(self, _: CallGone, now: Instant) -> list[Intent]:
        return [*self._ending.gone(now)]

    def _last_reply(self, replied: Replied, now: Instant) -> list[Intent]:
        """Nobody waits for this output any more, but the record says what the request did."""
        self.tools.replied(replied, now, may_retry=False)
        return [*self._ending.cleared()]

    def _let_go(self, _: EndRequested, now: Instant) -> list[Intent]:
        return [*self._ending.finish()]

    def _is_quiet(self, now: Instant) -> bool:
        """Nobody speaks, and nothing is under way that will make somebody speak."""
        if self.lead.is_taken:
            return False
        is_waiting = self.tools.awaited or self.tools.running or self._serving.pending is not None
        return self.phase is Phase.TALKING and self.speech.is_idle(now) and not is_waiting


Handler: TypeAlias = Callable[[Session, Any, Instant], list[Intent]]
# Any: each row pairs a type of event with a handler of just that type, which no signature can say.

ROWS: tuple[tuple[tuple[Phase, ...], type, Handler], ...] = (
    ((Phase.WAITING,), SidebandOpened, Session._open),
    (CONNECTED, SidebandOpened, Session._reopen),
    ((Phase.WAITING, *CONNECTED), CallerConnected, Session._connected),
    (CONNECTED, SidebandLost, Session._detached),
    (LIVE, Unreachable, Session._unreachable),
    (CONNECTED, ToolCalled, Session._called),
    (CONNECTED, ResponseEnded, Session._response_ended),
    (CONNECTED, OutputTaken, Session._output_taken),
    (CONNECTED, ItemPlaced, Session._item_placed),
    (CONNECTED, SessionUpdated, Session._session_updated),
    (CONNECTED, Replied, Session._replied),
    ((Phase.REFERRED,), ReferAnswered, Session._refer_answered),
    (LIVE, ApiError, Session._refused),
    (LIVE, TimerFired, Session._timer_fired),
    (LIVE, EndRequested, Session._end_requested),
    ((*NOT_GONE, Phase.DRAINING_REQUESTS), Steered, Session._steered),
    ((*NOT_GONE, Phase.DRAINING_REQUESTS), TakenOver, Session._taken_over),
    ((Phase.HANGING_UP,), HangUpFailed, Session._hang_up_failed),
    ((Phase.HANGING_UP,), TimerFired, Session._hang_up_again),
    (NOT_GONE, CallGone, Session._gone),
    ((Phase.HANGING_UP, Phase.DRAINING_REQUESTS), Replied, Session._last_reply),
    ((Phase.DRAINING_REQUESTS,), EndRequested, Session._let_go),
)

TABLE: Mapping[tuple[Phase, type], Handler] = {
    (phase, event): handler for phases, event, handler in ROWS for phase in phases
}
