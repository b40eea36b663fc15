"""One call, decided: happenings in, actions out. The one state machine of the program.

It drives real calls, and everything that plays calls offline, and it knows no clock, no socket and no
event name. `ROWS` is the whole machine: in which phase which happening does what. What is not in it
changes nothing, because a live API sends late, twice and out of order, and none of that is an error.
Speech has its own table in `runner.call.floor`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from runner.call.ledger import Ledger
from runner.call.names import names
from runner.call.speech import Fate, Speech
from runner.call.template import render
from runner.call.tool_calls import OpenCall, Refusal, ToolCalls
from runner.call.tool_result import error_output
from runner.model.action import Action, ClearTimer, Clock, Finish, HangUp, Refer, SetTimer, Timer
from runner.model.agent import Agent, ModelOpens, Say, Tell
from runner.model.call import IncomingCall
from runner.model.happening import (
    Attached,
    Complained,
    Complaint,
    Detached,
    EndRequested,
    Gone,
    Happening,
    Outcome,
    OutputTaken,
    ReferAnswered,
    Replied,
    ResponseEnded,
    TimerFired,
    ToolCalled,
    Unreachable,
)
from runner.model.record import CallRecord
from runner.model.template import Template
from runner.model.tool import HangupBinding, TransferBinding
from runner.model.values import Instant, Json

TRANSFER_S = 15.0
"""How long a transferred call may take to leave. A 200 proves nothing: REFERs were seen not to leave."""

PARTING_S = 30.0
"""The longest that a goodbye, and the tools that still run, may hold up the end of a call."""

FAILURES_IN_A_ROW = 2
"""So many failed responses one after the other mean that the model cannot serve this call."""


class Phase(Enum):
    """Where a call stands."""

    WAITING = "waiting"
    """Accepted; the sideband is not open yet."""
    TALKING = "talking"
    ANNOUNCING = "announcing"
    """The sentence before a transfer is being said."""
    REFERRED = "referred"
    """The transfer was asked for; we watch whether the call leaves."""
    PARTING = "parting"
    """The goodbye is being said, or the last tools finish."""
    HANGING_UP = "hanging_up"
    """The API was told to end the call."""
    CLEARING = "clearing"
    """The call is gone; requests that are under way may still end, so that the record is true."""
    OVER = "over"


_CONNECTED = (Phase.TALKING, Phase.ANNOUNCING, Phase.REFERRED, Phase.PARTING)
_LIVE = (Phase.WAITING, *_CONNECTED)
_THERE = (*_LIVE, Phase.HANGING_UP)

GOODBYE = "goodbye"
ANNOUNCEMENT = "announcement"


@dataclass(frozen=True, slots=True)
class _Transfer:
    """A transfer that the model asked for."""

    call_id: str
    binding: TransferBinding
    destination: str


class Session:
    """The state of one call. Create it when the call is to be accepted, and `begin` when it was."""

    def __init__(
        self,
        *,
        call: IncomingCall,
        agent: Agent,
        secrets: Mapping[str, str],
        now: Instant,
        why: str = "",
        route: str | None = None,
    ) -> None:
        self.call = call
        self.agent = agent
        self.phase = Phase.WAITING
        self._now = now
        self._vars: dict[str, Json] = {}
        self._vars = {name: render(value, self._names(now)) for name, value in agent.vars.items()}
        self.instructions = agent.instructions.text(self._names(now))
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
                model=agent.model,
            )
        )
        self.tools = ToolCalls(call_id=call.id, ledger=self.ledger, names=self._names, secrets=secrets)
        self._transfer: _Transfer | None = None
        self._goodbye_is_due = False
        self._failures = 0

    def begin(self, now: Instant) -> list[Action]:
        """The API has accepted the call."""
        self.ledger.accepted_at = now
        return [SetTimer(timer=Timer(Clock.MAX_DURATION), after_s=self.agent.limits.max_duration_s)]

    def handle(self, happening: Happening, now: Instant) -> list[Action]:
        """What is to be done about `happening`, in this order."""
        self.ledger.note(happening, now)
        actions = self.speech.handle(happening)
        handler = TABLE.get((self.phase, type(happening)))
        if handler is not None:
            actions += handler(self, happening, now)
        for key, fate in self.speech.take_fates():
            actions += self._sentence_ended(key, fate, now)
        return actions + self.speech.ask()

    def record(self) -> CallRecord:
        """The record of the call as it stands now."""
        return self.ledger.record()

    # Opening and losing the sideband

    def _open(self, _: Attached, now: Instant) -> list[Action]:
        self.phase = Phase.TALKING
        self.ledger.attached_at = now
        match self.agent.greeting:
            case Say(text=text):
                self.speech.say(self._text(text, now))
            case Tell(text=text):
                # Instructions of one response replace the session's, so they are given whole.
                self.speech.tell(f"{self.instructions}\n\n{self._text(text, now)}")
            case ModelOpens():
                self.speech.go_on()
            case _:
                pass
        return []

    def _reopen(self, _: Attached, now: Instant) -> list[Action]:
        """Nothing that was missed is replayed: tell again what may be lost, and let the model go on.

        It is never greeted again, and a response that is being made already answers the nudge.
        """
        unconfirmed = self.tools.resend()
        if self.phase is Phase.TALKING:
            if unconfirmed:
                self.speech.go_on()
            else:
                self.speech.nudge()
        return unconfirmed

    def _detached(self, _: Detached, now: Instant) -> list[Action]:
        self.tools.all_ended()
        return []

    def _unreachable(self, unreachable: Unreachable, now: Instant) -> list[Action]:
        """A call that cannot be served is hung up, not left talking to nobody."""
        return self._hang_up("failed", now, unreachable.detail)

    # Responses and tools

    def _response_ended(self, ended: ResponseEnded, now: Instant) -> list[Action]:
        actions: list[Action] = []
        for called in ended.calls:
            actions += self._tool_called(called, now)
        self.tools.response_ended(ended.response_id)
        self._continue()
        if ended.outcome is Outcome.FAILED:
            return actions + self._model_failed(ended, now)
        if ended.outcome is not Outcome.CANCELLED:
            self._failures = 0
        return actions

    def _model_failed(self, ended: ResponseEnded, now: Instant) -> list[Action]:
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            return self._hang_up("failed", now, f"the model failed {self._failures} times: {ended.detail}")
        if self.phase is Phase.TALKING:
            self.speech.go_on()
        return []

    def _tool_called(self, called: ToolCalled, now: Instant) -> list[Action]:
        opened = self.tools.begin(called, self.agent, now)
        if opened is None:
            return []
        if isinstance(opened, Refusal):
            actions = self.tools.refuse(called, opened.error, now)
        elif isinstance(opened.tool.binding, HangupBinding | TransferBinding):
            actions = self._leave(called, opened, now)
        else:
            actions = self.tools.run(opened, self.agent, now)
        self._continue()
        return actions

    def _output_taken(self, taken: OutputTaken, _: Instant) -> list[Action]:
        self.tools.taken(taken.call_id)
        return []

    def _replied(self, replied: Replied, now: Instant) -> list[Action]:
        actions = self.tools.replied(replied, now, may_retry=True)
        self._continue()
        if self._goodbye_is_due and not self.tools.running:
            actions += self._hang_up("hangup", now)
        return actions

    def _retry(self, timer: Timer) -> list[Action]:
        return self.tools.again(timer.key)

    def _continue(self) -> None:
        """Once the last call of a response is answered, the model goes on: once, not once a call."""
        if self.tools.take_settled() and self.phase is Phase.TALKING:
            self.speech.go_on()

    # Leaving: hang-up and transfer

    def _leave(self, called: ToolCalled, opened: OpenCall, now: Instant) -> list[Action]:
        if self.phase is not Phase.TALKING:
            return self.tools.refuse(called, f"not now: the call is being {self._being()}", now)
        match opened.tool.binding:
            case TransferBinding() as binding:
                self._transfer = _Transfer(opened.call_id, binding, str(opened.arguments["destination"]))
                self.phase = Phase.ANNOUNCING
                if binding.say is None:
                    return self._refer(self._transfer, now)
                self.speech.say(self._text(binding.say, now), key=ANNOUNCEMENT)
            case HangupBinding(say=goodbye):
                self.tools.close(opened.call_id, "ok", now)
                return self._part("hangup", goodbye, now)
            case _:
                pass
        return []

    def _being(self) -> str:
        return "transferred" if self.phase in {Phase.ANNOUNCING, Phase.REFERRED} else "ended"

    def _part(self, reason: str, goodbye: Template | None, now: Instant) -> list[Action]:
        """End the call after a sentence, and not before running tools have done what callers were told."""
        self.phase = Phase.PARTING
        self.ledger.end(reason)
        self.speech.clear()
        if goodbye is None:
            return self._said_goodbye(now) or [SetTimer(timer=Timer(Clock.PARTING), after_s=PARTING_S)]
        self.speech.say(self._text(goodbye, now), key=GOODBYE)
        return [SetTimer(timer=Timer(Clock.PARTING), after_s=PARTING_S)]

    def _said_goodbye(self, now: Instant) -> list[Action]:
        self._goodbye_is_due = True
        return [] if self.tools.running else self._hang_up("hangup", now)

    def _sentence_ended(self, key: str, fate: Fate, now: Instant) -> list[Action]:
        """A sentence that the call waited for was heard; or was cut short, which ends the wait as well.

        Callers often say their own goodbye over ours, so an interruption does not keep the call open.
        """
        if key == GOODBYE and self.phase is Phase.PARTING:
            return self._said_goodbye(now)
        if key == ANNOUNCEMENT and self.phase is Phase.ANNOUNCING and self._transfer is not None:
            return self._refer(self._transfer, now)
        return []

    def _refer(self, transfer: "_Transfer", now: Instant) -> list[Action]:
        self.phase = Phase.REFERRED
        return [Refer(target=self._text(transfer.binding.destinations[transfer.destination], now))]

    def _refer_answered(self, answered: ReferAnswered, now: Instant) -> list[Action]:
        if answered.ok:
            return [SetTimer(timer=Timer(Clock.TRANSFER), after_s=TRANSFER_S)]
        return self._not_transferred(now, answered.detail)

    def _not_transferred(self, now: Instant, detail: str) -> list[Action]:
        """The caller is still ours: tell the model, and go on talking."""
        transfer, self._transfer = self._transfer, None
        if transfer is None:
            return []
        self.phase = Phase.TALKING
        told = transfer.binding.if_not_completed
        output = error_output("the transfer was not completed", self._text(told, now) if told else None)
        actions = self.tools.answer(transfer.call_id, output, now, status="not_completed")
        self._continue()
        return [ClearTimer(timer=Timer(Clock.TRANSFER)), *actions]

    # The end

    def _timer_fired(self, fired: TimerFired, now: Instant) -> list[Action]:
        match fired.timer.clock:
            case Clock.MAX_DURATION:
                return self._hang_up("max_duration", now)
            case Clock.PARTING if self.phase is Phase.PARTING:
                return self._hang_up("hangup", now)
            case Clock.TRANSFER if self.phase is Phase.REFERRED:
                return self._not_transferred(now, "the call did not leave")
            case Clock.RETRY:
                return self._retry(fired.timer)
            case _:
                return []

    def _complained(self, complained: Complained, now: Instant) -> list[Action]:
        if complained.complaint is Complaint.SESSION_EXPIRED:
            return self._hang_up("session_expired", now)
        return []

    def _end_requested(self, requested: EndRequested, now: Instant) -> list[Action]:
        return self._hang_up(requested.reason, now)

    def _hang_up(self, reason: str, now: Instant, detail: str = "") -> list[Action]:
        if self.phase is Phase.HANGING_UP:
            return []
        self.phase = Phase.HANGING_UP
        self.ledger.end(reason, detail)
        self.speech.clear()
        return [HangUp()]

    def _gone(self, _: Gone, now: Instant) -> list[Action]:
        if self.phase is Phase.REFERRED and self._transfer is not None:
            self.ledger.end("transferred")
            self.tools.close(self._transfer.call_id, "completed", now)
        self.ledger.end("caller_hung_up")
        self.ledger.ended_at = now
        self.phase = Phase.CLEARING
        self.speech.clear()
        return self._cleared()

    def _last_reply(self, replied: Replied, now: Instant) -> list[Action]:
        """Nobody waits for this output any more, but the record says what the request did."""
        self.tools.replied(replied, now, may_retry=False)
        return self._cleared() if self.phase is Phase.CLEARING else []

    def _cleared(self) -> list[Action]:
        return [] if self.tools.in_flight else self._let_go()

    def _let_go(self, *_: object) -> list[Action]:
        self.phase = Phase.OVER
        return [Finish()]

    # Templates

    def _names(self, now: Instant) -> dict[str, Json]:
        return names(call=self.call, agent_id=self.agent.id, vars=self._vars, lookup=None, now=now)

    def _text(self, template: Template, now: Instant) -> str:
        return template.text(self._names(now))


Handler: TypeAlias = Callable[[Session, Any, Instant], list[Action]]
# Any: each row pairs a type of happening with a handler of just that type, which no signature can say.

ROWS: tuple[tuple[tuple[Phase, ...], type, Handler], ...] = (
    ((Phase.WAITING,), Attached, Session._open),
    (_CONNECTED, Attached, Session._reopen),
    (_CONNECTED, Detached, Session._detached),
    (_LIVE, Unreachable, Session._unreachable),
    (_CONNECTED, ToolCalled, Session._tool_called),
    (_CONNECTED, ResponseEnded, Session._response_ended),
    (_CONNECTED, OutputTaken, Session._output_taken),
    (_CONNECTED, Replied, Session._replied),
    ((Phase.REFERRED,), ReferAnswered, Session._refer_answered),
    (_LIVE, Complained, Session._complained),
    (_LIVE, TimerFired, Session._timer_fired),
    (_LIVE, EndRequested, Session._end_requested),
    (_THERE, Gone, Session._gone),
    ((Phase.HANGING_UP,), Replied, Session._last_reply),
    ((Phase.CLEARING,), Replied, Session._last_reply),
    ((Phase.CLEARING,), EndRequested, Session._let_go),
)

TABLE: Mapping[tuple[Phase, type], Handler] = {
    (phase, happening): handler for phases, happening, handler in ROWS for phase in phases
}
