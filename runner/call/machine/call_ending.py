"""Decides how a call ends or leaves: goodbye and hang-up, or a transfer that is announced, requested and
watched.

Every change of a served call's phase but the first is made here.
"""

from dataclasses import dataclass, field, replace

from runner.call.addresses.target import is_target
from runner.call.machine.call_texts import CallTexts
from runner.call.machine.intent import AddMessage, End, GoOn, Intent
from runner.call.machine.lead import Lead
from runner.call.machine.phase import LIVE, TRANSFERRING, CallPhase, Phase, Step
from runner.call.machine.sentence import SentenceEnd
from runner.call.machine.speech import Speech
from runner.call.machine.tool_calls import ToolCalls
from runner.call.records.deeds import Deeds
from runner.call.records.record_builder import RecordBuilder
from runner.call.templates.names import timestamp
from runner.call.tools.tool_result import error_output
from runner.model.action import (
    Action,
    ClearTimer,
    Finish,
    HangUp,
    Log,
    LogEvent,
    LogLevel,
    Refer,
    SetTimer,
    Timer,
    TimerKind,
)
from runner.model.event import HangUpFailed
from runner.model.steering import DeedResult
from runner.model.template import Template
from runner.model.tool import ResultSpec
from runner.model.values import Instant

TRANSFER_S = 15.0
"""How long a transferred call may take to leave. A 200 proves nothing: some REFERs were accepted and the call
stayed.
"""

GOODBYE_S = 30.0
"""How long a goodbye and running tools may delay the hang-up, and an announcement the transfer."""

HANG_UP_AGAIN_S = 30.0
"""How long to wait before a failed hang-up is tried again."""

NOT_TRANSFERRED = (
    "A colleague has tried to transfer the call, and the transfer was not completed. The caller is still on"
    " the line with you: go on with the conversation."
)
"""Tells the model that a person's transfer has failed."""

GOODBYE = "goodbye"
ANNOUNCEMENT = "announcement"

SAY_GOODBYE = (
    "The call has to end now. Say so in one short sentence, in the language of the conversation, and say"
    " goodbye. Ask nothing."
)
"""Instructs the model where the user has declared no sentence for the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer, requested by a tool call, by a person (`deed_id`), or by the way out of a broken call."""

    target: Template | str
    name: str
    """Of the destination, as the configuration names it: a rendered address may be private."""
    fallback: Template | None = None
    """Tried when `target` does not take the call."""
    fallback_name: str = ""
    say: Template | str | None = None
    call_id: str | None = None
    deed_id: str | None = None
    response_id: str | None = None
    """The response that requests it: the caller hears it to the end first."""
    if_not_completed: Template | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class CallEnding:
    """How one call ends."""

    phase: CallPhase
    speech: Speech
    tools: ToolCalls
    record: RecordBuilder
    texts: CallTexts
    lead: Lead
    deeds: Deeds
    _transfer: Transfer | None = field(default=None, init=False)
    _end_after_transfer: End | None = field(default=None, init=False)
    _goodbye_is_said: bool = field(default=False, init=False)
    _waits_for_tools: bool = field(default=True, init=False)
    _deed_id: str | None = field(default=None, init=False)
    """The person's act that ends the call."""
    _unserved_since: Instant | None = field(default=None, init=False)

    @property
    def being(self) -> str:
        """What is happening to a call that is on its way out, for messages."""
        return "transferred" if self.phase.now in TRANSFERRING else "ended"

    # Transfer

    def announce(self, transfer: Transfer, now: Instant) -> list[Intent]:
        """Say the announcement first; request the transfer once the caller has heard it."""
        self._transfer = transfer
        self.phase.move(Step.ANNOUNCE)
        sentence = self.texts.text(transfer.say, now) if transfer.say is not None else ""
        is_persons = transfer.deed_id is not None
        if sentence and is_persons and self.speech.is_closed:
            # Nobody can say it, and the transfer itself needs no sideband.
            return self._refer(transfer, now)
        if sentence:
            self.speech.say(sentence, key=ANNOUNCEMENT, is_persons=is_persons)
        elif transfer.response_id is None or not self.speech.follow(transfer.response_id, ANNOUNCEMENT):
            return self._refer(transfer, now)
        return [SetTimer(timer=Timer(TimerKind.SAYING_GOODBYE), at=now + GOODBYE_S)]

    def sentence_ended(self, key: str, end: SentenceEnd, now: Instant) -> list[Intent]:
        """A sentence that the call waited for was heard or cut short; both end the wait.

        Callers often say their own goodbye over ours, so an interruption does not keep the call open.
        """
        if end is SentenceEnd.DROPPED:
            return []
        if key == GOODBYE and self.phase.now is Phase.SAYING_GOODBYE:
            self._goodbye_is_said = True
            return [*self.tools_ended(now)]
        if key == ANNOUNCEMENT and self.phase.now is Phase.ANNOUNCING and self._transfer is not None:
            return self._refer(self._transfer, now)
        return []

    def refer_answered(self, ok: bool, detail: str, now: Instant) -> list[Intent]:
        """The API has accepted the request, which proves nothing yet, or refused it."""
        if ok:
            return [SetTimer(timer=Timer(TimerKind.TRANSFER), at=now + TRANSFER_S)]
        return self.not_transferred(detail, now)

    def not_transferred(self, detail: str, now: Instant) -> list[Intent]:
        """The caller is still ours: tell the model, and continue the conversation."""
        transfer, self._transfer = self._transfer, None
        if transfer is None:
            return []
        self.record.fault(f"a transfer was not completed: {detail}")
        intents: list[Intent] = [
            Log(
                event=LogEvent.TRANSFER_NOT_COMPLETED,
                level=LogLevel.WARNING,
                fields={"destination": transfer.name, "detail": detail},
            )
        ]
        if transfer.fallback is not None:
            self._transfer = replace(
                transfer, target=transfer.fallback, name=transfer.fallback_name, fallback=None
            )
            return [*intents, *self._refer(self._transfer, now)]
        self.phase.move(Step.STAY)
        if transfer.deed_id is not None:
            self.deeds.settle(transfer.deed_id, DeedResult.NOT_COMPLETED, now, detail)
            intents += [AddMessage(text=NOT_TRANSFERRED), GoOn()]
        elif transfer.call_id is None:
            return [*intents, End(reason="model_failed", at_once=True, detail=detail)]
        else:
            result = ResultSpec(on_error=transfer.if_not_completed)
            output = error_output("the transfer was not completed", result, self.texts.names(now))
            intents += self.tools.answer(transfer.call_id, output, now, status="not_completed")
        due, self._end_after_transfer = self._end_after_transfer, None
        return intents if due is None else [*intents, due]

    def _refer(self, transfer: Transfer, now: Instant) -> list[Intent]:
        """Request the transfer, unless a template has rendered something that is not an address."""
        self.phase.move(Step.REFER)
        # The caller is being put through: an announcement that could not be said in time is dropped.
        self.speech.withdraw(ANNOUNCEMENT)
        waited = ClearTimer(timer=Timer(TimerKind.SAYING_GOODBYE))
        target = self.texts.text(transfer.target, now)
        if not is_target(target):
            return [waited, *self.not_transferred("the destination is not an address", now)]
        return [waited, Refer(target=target)]

    # The end

    def end(self, end: End, now: Instant) -> list[Action]:
        """End the call: at once, or after a goodbye and running tools."""
        if self.phase.now not in LIVE:
            return []
        if end.at_once:
            self.record.end(end.reason, end.detail)
            self._deed_id = end.deed_id
            return self._hang_up(now)
        if self.phase.now in TRANSFERRING:
            # Hanging up now would break the transfer. If the transfer fails, the end is due again.
            self._end_after_transfer = end
            return []
        if self.phase.now is Phase.SAYING_GOODBYE:
            return []
        self.record.end(end.reason, end.detail)
        if self.phase.now is Phase.WAITING:
            return self._hang_up(now)
        self.phase.move(Step.SAY_GOODBYE)
        self.speech.clear()
        self._deed_id, self._waits_for_tools = end.deed_id, end.waits_for_tools
        # Nobody leads a call that ends: the goodbye is the agent's.
        led = self.lead.end()
        return [
            *led,
            *(
                self._say_goodbye(end, now)
                or [SetTimer(timer=Timer(TimerKind.SAYING_GOODBYE), at=now + GOODBYE_S)]
            ),
        ]

    def tools_ended(self, now: Instant) -> list[Action]:
        """Hang up if there is nothing left to wait for."""
        if self.phase.now is not Phase.SAYING_GOODBYE or not self._goodbye_is_said:
            return []
        return [] if self._waits_for_tools and self.tools.running else self._hang_up(now)

    def overdue(self, kind: TimerKind, now: Instant) -> list[Intent]:
        """One of our own waits has taken too long."""
        match kind, self.phase.now:
            case TimerKind.SAYING_GOODBYE, Phase.SAYING_GOODBYE | Phase.ANNOUNCING:
                return self._not_heard_in_time(now)
            case TimerKind.TRANSFER, Phase.REFERRED:
                return self.not_transferred("the call did not leave", now)
            case _:
                return []

    def _not_heard_in_time(self, now: Instant) -> list[Intent]:
        """Stop waiting for the sentence, unless the caller still hears it, or the one before it."""
        heard_by = self.speech.busy_until(now)
        if heard_by > now:
            return [SetTimer(timer=Timer(TimerKind.SAYING_GOODBYE), at=heard_by)]
        if self.phase.now is Phase.ANNOUNCING and self._transfer is not None:
            return self._refer(self._transfer, now)
        return [*self._hang_up(now)]

    def gone(self, now: Instant) -> list[Action]:
        """The call has left the API. After a transfer request that means success."""
        entries: list[Action] = []
        if self.phase.now is Phase.REFERRED and self._transfer is not None:
            fields = {"destination": self._transfer.name}
            entries = [Log(event=LogEvent.TRANSFER_COMPLETED, fields=fields)]
            self.record.end("transferred")
            if self._transfer.call_id is not None:
                self.tools.close(self._transfer.call_id, "completed", now)
            if self._transfer.deed_id is not None:
                self.deeds.settle(self._transfer.deed_id, DeedResult.COMPLETED, now)
        self.record.end("caller_hung_up" if self._unserved_since is None else "lost")
        self.record.ended_at = now
        self.phase.move(Step.GONE)
        self.speech.clear()
        if self._deed_id is not None:
            self.deeds.settle(self._deed_id, DeedResult.DONE, now)
        self.deeds.close(now)
        return [*entries, *self.lead.end(), *self.cleared()]

    def hang_up_failed(self, failed: HangUpFailed, now: Instant) -> list[Action]:
        """The hang-up failed: try again later, unless the failure is final."""
        if not failed.final:
            return [SetTimer(timer=Timer(TimerKind.HANG_UP_AGAIN), at=now + HANG_UP_AGAIN_S)]
        self.record.fault(f"the call could not be hung up: {failed.detail}")
        return self.gone(now)

    def taken_over(self, since: Instant, now: Instant) -> None:
        """Nobody has served the call for some time after `since`, the last entry of its journal; it may have
        ended meanwhile.
        """
        self._unserved_since = since
        self.record.fault(
            "another process has taken the call over: nobody served it for some time between"
            f" {timestamp(since)} and {timestamp(now)}"
        )

    def served_again(self) -> None:
        """The sideband is open: the call did not end while nobody served it."""
        self._unserved_since = None

    def watch_transfer(self, now: Instant) -> list[Action]:
        """Watch a transfer that was requested by the process before; whether the API accepted it is
        unknown."""
        if self.phase.now is not Phase.REFERRED:
            return []
        return [SetTimer(timer=Timer(TimerKind.TRANSFER), at=now + TRANSFER_S)]

    def cleared(self) -> list[Action]:
        """Finish, unless a request is still in flight whose end belongs in the record."""
        is_done = self.phase.now is Phase.DRAINING_REQUESTS and not self.tools.in_flight
        return self.finish() if is_done else []

    def finish(self) -> list[Action]:
        """Do nothing more."""
        self.phase.move(Step.FINISH)
        return [Finish()]

    def _say_goodbye(self, end: End, now: Instant) -> list[Action]:
        goodbye = self.texts.text(end.say, now) if end.say is not None else ""
        if goodbye:
            self.speech.say(goodbye, key=GOODBYE)
        elif end.after_response is not None:
            self._goodbye_is_said = not self.speech.follow(end.after_response, GOODBYE)
        else:
            self.speech.tell(self.texts.directed(SAY_GOODBYE), key=GOODBYE)
        return self.tools_ended(now)

    def _hang_up(self, now: Instant) -> list[Action]:
        self.phase.move(Step.HANG_UP)
        self.speech.clear()
        if self._deed_id is not None:
            self.deeds.settle(self._deed_id, DeedResult.DONE, now)
        return [Log(event=LogEvent.CALL_ENDING, fields={"reason": self.record.ended}), HangUp()]
