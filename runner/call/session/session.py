"""One call, decided: happenings in, actions out. The one state machine of the program.

It drives real calls, and everything that plays calls offline, and it knows no clock, no socket and no
event name. `ROWS` is the whole machine: in which phase which happening does what. What is not in it
changes nothing, because a live API sends late, twice and out of order, and none of that is an error.
Who speaks has a table of its own in `runner.call.session.floor`; what is watched beside (silence, limits,
guardrails, keys, failures) are parts, whose intents `_carry_out` fits to the phase.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from runner.call.afterwards import after_call
from runner.call.records.ledger import Ledger
from runner.call.records.redaction import Redactor
from runner.call.session.departure import Departure, Transfer
from runner.call.session.intent import (
    BecomeAgent,
    Direct,
    End,
    Escape,
    GoOn,
    Greet,
    Inform,
    Intent,
    Retract,
    Utter,
)
from runner.call.session.phase import CONNECTED, LIVE, THERE, Phase
from runner.call.session.serving_agent import ServingAgent
from runner.call.session.speech import Speech
from runner.call.session.tool_calls import OpenCall, Refusal, ToolCalls
from runner.call.session.wording import Wording
from runner.call.tools.tool_result import ToolOutput
from runner.model.action import Action, AddItem, Clock
from runner.model.after_call import Duty
from runner.model.agent import Agent, Say, Tell, Wait
from runner.model.call import IncomingCall
from runner.model.happening import (
    Attached,
    Complained,
    Complaint,
    Detached,
    EndRequested,
    Gone,
    Happening,
    OutputTaken,
    PlaybackStarted,
    ReferAnswered,
    Replied,
    ResponseEnded,
    TimerFired,
    ToolCalled,
    Unreachable,
)
from runner.model.record import CallRecord
from runner.model.tool import HandoffBinding, HangupBinding, TransferBinding
from runner.model.values import Instant, Json, JsonObject


class Session:
    """The state of one call. Create it when the call is to be accepted, and `begin` when it was.

    Creating it raises TemplateFailure when the agent's instructions cannot be made for this call.
    """

    def __init__(
        self,
        *,
        call: IncomingCall,
        agent: Agent,
        agents: Mapping[str, Agent],
        secrets: Mapping[str, str],
        now: Instant,
        lookup: Json = None,
        lookup_s: float | None = None,
        faults: Sequence[str] = (),
        why: str = "",
        route: str | None = None,
    ) -> None:
        """`lookup_s` is how long the lookup took, `faults` what went wrong before the call was answered."""
        self.call = call
        self.speech = Speech()
        self.ledger = Ledger(
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
            )
        )
        self.ledger.faults.extend(faults)
        self._wording = Wording(call=call, agent=agent, lookup=lookup, ledger=self.ledger, now=now)
        self.tools = ToolCalls(
            call_id=call.id,
            ledger=self.ledger,
            names=self._wording.names,
            variables=self._wording.variables,
            secrets=secrets,
        )
        self._departure = Departure(
            speech=self.speech, tools=self.tools, ledger=self.ledger, wording=self._wording
        )
        self._serving = ServingAgent(
            agent=agent,
            agents=agents,
            wording=self._wording,
            ledger=self.ledger,
            secrets=secrets,
            is_quiet=self._is_quiet,
            now=now,
        )
        self._greeting_is_due = False
        self._voice_was_heard = False
        self._unsent: list[AddItem] = []
        self._items = 0

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
        return self._departure.phase

    @property
    def instructions(self) -> str:
        """The instructions of the agent that serves the call now."""
        return self._wording.instructions

    @property
    def variables(self) -> JsonObject:
        """What `vars` holds now."""
        return self._wording.variables

    @property
    def follows_words(self) -> bool:
        """Whether anything here wants to hear words as they come."""
        return bool(self.agent.guardrails)

    def begin(self, now: Instant) -> list[Action]:
        """The API has accepted the call."""
        self.ledger.accepted_at = now
        return self._carry_out_all(self._serving.start(now), now)

    def handle(self, happening: Happening, now: Instant) -> list[Action]:
        """What is to be done about `happening`, in this order."""
        if self.phase is Phase.OVER:
            return []
        self.ledger.note(happening, now)
        actions = self.speech.handle(happening)
        handler = TABLE.get((self.phase, type(happening)))
        if handler is not None:
            actions += self._carry_out_all(handler(self, happening, now), now)
        for part in self._serving.parts:
            if type(happening) in part.hears:
                actions += self._carry_out_all(part.handle(happening, now), now)
        for key, _ in self.speech.take_fates():
            intents = [*self._departure.sentence_ended(key, now), *self._continue()]
            actions += self._carry_out_all(intents, now)
        return actions + self.speech.ask()

    def record(self) -> CallRecord:
        """The record of the call as it stands now, with nothing in it that its agents want masked."""
        return self._redactor().record(self.ledger.record())

    def duties(self, record: CallRecord, now: Instant) -> tuple[Duty, ...]:
        """What is owed once the call is over, going by the record of it."""
        redactor = self._redactor()
        redactor.record(self.ledger.record())  # it learns there what else it has to mask
        return after_call.duties(
            self._serving.served[0], record, redactor.names(self._wording.names(now)), now
        )

    def _redactor(self) -> Redactor:
        return Redactor((agent.record for agent in self._serving.served), self.ledger.private)

    # Opening and losing the sideband

    def _open(self, _: Attached, now: Instant) -> list[Intent]:
        self._departure.phase = Phase.TALKING
        self.ledger.attached_at = now
        self._greeting_is_due = True
        # Tools of MCP servers that are not there yet would be missing from the first answer.
        return [] if self.agent.mcp else self._greet(now)

    def _greet(self, now: Instant) -> list[Intent]:
        if not self._greeting_is_due:
            return []
        self._greeting_is_due = False
        match self.agent.greeting:
            case Wait():
                return []
            case Say(text=text) if greeting := self._wording.text(text, now):
                return [Utter(text=greeting)]
            case Tell(text=text) if greeting := self._wording.text(text, now):
                return [Direct(text=greeting)]
            case _:
                return [GoOn()]

    def _reopen(self, _: Attached, now: Instant) -> list[Intent]:
        """Nothing that was missed is replayed: tell again what may be lost, and let the model go on.

        It is never greeted again, and a response that is being made already answers the nudge.
        """
        unsent, self._unsent = self._unsent, []
        again = [*unsent, *self.tools.resend()]
        if self.phase is Phase.TALKING:
            if again:
                self.speech.go_on()
            else:
                self.speech.nudge()
        return list(again)

    def _detached(self, _: Detached, now: Instant) -> list[Intent]:
        self.tools.all_ended()
        return []

    def _unreachable(self, unreachable: Unreachable, now: Instant) -> list[Intent]:
        """A call that cannot be served is hung up, not left talking to nobody."""
        return [End(reason="failed", at_once=True, detail=unreachable.detail)]

    # Responses and tools

    def _playback_started(self, _: PlaybackStarted, now: Instant) -> list[Intent]:
        self._voice_was_heard = True
        return []

    def _response_ended(self, ended: ResponseEnded, now: Instant) -> list[Intent]:
        intents: list[Intent] = []
        for called in ended.calls:
            intents += self._tool_called(called, now)
        self.tools.response_ended(ended.response_id)
        return intents + self._continue()

    def _tool_called(self, called: ToolCalled, now: Instant) -> list[Intent]:
        opened = self.tools.begin(called, self.agent, now)
        if opened is None:
            return []
        intents: list[Intent] = []
        if isinstance(opened, Refusal):
            intents += self.tools.refuse(called, opened.error, now)
        elif isinstance(opened.tool.binding, HangupBinding | TransferBinding | HandoffBinding):
            intents += self._move_on(called, opened, now)
        elif self.ledger.has_more_tool_calls_than(self.agent.limits.max_tool_calls):
            # The call ends for it, see `LimitWatch`; what is over the limit is not done any more.
            intents += self.tools.refuse(called, "this call may use no more tools", now)
        else:
            intents += self.tools.run(opened, now)
        return intents + self._continue()

    def _output_taken(self, taken: OutputTaken, _: Instant) -> list[Intent]:
        self.tools.taken(taken.call_id)
        return []

    def _replied(self, replied: Replied, now: Instant) -> list[Intent]:
        intents = self.tools.replied(replied, now, may_retry=True)
        return [*intents, *self._continue(), *self._departure.tools_ended()]

    def _continue(self) -> list[Intent]:
        """Once the last call of a response is answered, the model goes on: once, not once a call."""
        return [GoOn()] if self.tools.take_settled() else []

    # Moving on: hang-up, transfer, hand-off

    def _move_on(self, called: ToolCalled, opened: OpenCall, now: Instant) -> list[Intent]:
        if self.phase is not Phase.TALKING:
            error = f"not now: the call is being {self._departure.being}"
            return [*self.tools.refuse(called, error, now)]
        match opened.tool.binding:
            case HangupBinding(say=goodbye):
                self.tools.close(opened.call_id, "ok", now)
                return [End(reason="hangup", say=goodbye, silently=goodbye is None)]
            case HandoffBinding(agent=agent_id):
                return self._asked_for_handoff(called, opened, agent_id, now)
            case TransferBinding() as binding:
                chosen = str(opened.arguments["destination"])
                fallback = binding.fallback if binding.fallback != chosen else None
                transfer = Transfer(
                    target=binding.destinations[chosen],
                    fallback=binding.destinations[fallback] if fallback else None,
                    say=binding.say,
                    call_id=opened.call_id,
                    if_not_completed=binding.if_not_completed,
                )
                return self._departure.announce(transfer, now)
            case _:
                return []

    def _asked_for_handoff(
        self, called: ToolCalled, opened: OpenCall, agent_id: str, now: Instant
    ) -> list[Intent]:
        taken = self._hand_off(agent_id, f'tool "{opened.tool.name}"', now)
        if not taken:
            error = "the hand-off is not possible; go on as you are"
            return [*self.tools.refuse(called, error, now)]
        output = ToolOutput.of({"status": "handed over"}, opened.tool.result)
        return [*taken, *self.tools.answer(opened.call_id, output, now)]

    def _hand_off(self, agent_id: str, because: str, now: Instant) -> list[Intent]:
        return self._serving.hand_off(agent_id, because, now, with_voice=not self._voice_was_heard)

    # Timers, complaints, and the end

    def _timer_fired(self, fired: TimerFired, now: Instant) -> list[Intent]:
        match fired.timer.clock:
            case Clock.RETRY:
                return [*self.tools.again(fired.timer.key)]
            case Clock.WAITING:
                return self.tools.still_waiting(fired.timer.key, now)
            case clock:
                return self._departure.overdue(clock, now) + self._continue()

    def _refer_answered(self, answered: ReferAnswered, now: Instant) -> list[Intent]:
        return self._departure.refer_answered(answered.ok, answered.detail, now) + self._continue()

    def _complained(self, complained: Complained, now: Instant) -> list[Intent]:
        if complained.complaint is Complaint.SESSION_EXPIRED:
            return [End(reason="session_expired", at_once=True)]
        return []

    def _end_requested(self, requested: EndRequested, now: Instant) -> list[Intent]:
        return [End(reason=requested.reason, at_once=True)]

    def _gone(self, _: Gone, now: Instant) -> list[Intent]:
        return [*self._departure.gone(now)]

    def _last_reply(self, replied: Replied, now: Instant) -> list[Intent]:
        """Nobody waits for this output any more, but the record says what the request did."""
        self.tools.replied(replied, now, may_retry=False)
        return [*self._departure.cleared()]

    def _let_go(self, _: EndRequested, now: Instant) -> list[Intent]:
        return [*self._departure.finish()]

    # What parts and handlers want, fitted to the phase

    def _carry_out_all(self, intents: list[Intent], now: Instant) -> list[Action]:
        return [action for intent in intents for action in self._carry_out(intent, now)]

    def _carry_out(self, intent: Intent, now: Instant) -> list[Action]:
        match intent:
            case End():
                return self._departure.end(intent, now)
            case Inform():
                return self._inform(intent, now)
            case Greet():
                return self._carry_out_all(self._greet(now), now) if self.phase is Phase.TALKING else []
            case Retract(key=key):
                self.speech.retract(key)
                return []
            case Utter() | Direct() | GoOn() | Escape() | BecomeAgent():
                # A call that is leaving has other things to say.
                return self._talk(intent, now) if self.phase is Phase.TALKING else []
            case _:
                return [intent]

    def _talk(self, intent: Utter | Direct | GoOn | Escape | BecomeAgent, now: Instant) -> list[Action]:
        match intent:
            case Utter(text=text, key=key):
                if sentence := self._wording.text(text, now):
                    self.speech.say(sentence, key=key)
            case Direct(text=text, key=key):
                self.speech.tell(self._wording.directed(self._wording.text(text, now)), key=key)
            case GoOn():
                self.speech.go_on()
            case Escape(target=target, detail=detail):
                self.ledger.faults.append(detail)
                return self._carry_out_all(self._departure.announce(Transfer(target=target), now), now)
            case BecomeAgent(agent=agent_id, because=because):
                return self._carry_out_all(self._hand_off(agent_id, because, now), now)
        return []

    def _inform(self, inform: Inform, now: Instant) -> list[Action]:
        if self.phase not in CONNECTED:
            return []
        self._items += 1
        text = self._wording.text(inform.text, now)
        item = AddItem(item_id=f"item_{self._items}", text=text, as_caller=inform.as_caller)
        if inform.private:
            self.ledger.transcript.hide(item.item_id, "(keys pressed, kept private)")
        if self.speech.is_closed:
            self._unsent.append(item)
            return []
        return [item]

    def _is_quiet(self) -> bool:
        """Nobody speaks, and nothing is under way that will make somebody speak."""
        return self.phase is Phase.TALKING and self.speech.is_idle and not self.tools.awaited


Handler: TypeAlias = Callable[[Session, Any, Instant], list[Intent]]
# Any: each row pairs a type of happening with a handler of just that type, which no signature can say.

ROWS: tuple[tuple[tuple[Phase, ...], type, Handler], ...] = (
    ((Phase.WAITING,), Attached, Session._open),
    (CONNECTED, Attached, Session._reopen),
    (CONNECTED, Detached, Session._detached),
    (LIVE, Unreachable, Session._unreachable),
    (CONNECTED, PlaybackStarted, Session._playback_started),
    (CONNECTED, ToolCalled, Session._tool_called),
    (CONNECTED, ResponseEnded, Session._response_ended),
    (CONNECTED, OutputTaken, Session._output_taken),
    (CONNECTED, Replied, Session._replied),
    ((Phase.REFERRED,), ReferAnswered, Session._refer_answered),
    (LIVE, Complained, Session._complained),
    (LIVE, TimerFired, Session._timer_fired),
    (LIVE, EndRequested, Session._end_requested),
    (THERE, Gone, Session._gone),
    ((Phase.HANGING_UP, Phase.CLEARING), Replied, Session._last_reply),
    ((Phase.CLEARING,), EndRequested, Session._let_go),
)

TABLE: Mapping[tuple[Phase, type], Handler] = {
    (phase, happening): handler for phases, happening, handler in ROWS for phase in phases
}
