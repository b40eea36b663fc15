"""Decides how a call ends: goodbye and hang-up, or a caller who is gone."""

from dataclasses import dataclass, field

from runner.call.machine.call_texts import CallTexts
from runner.call.machine.intent import End, Intent
from runner.call.machine.lead import Lead
from runner.call.machine.phase import LIVE, TRANSFERRING, CallPhase, Phase, Trigger
from runner.call.machine.sentence import LAST_WORDS, SentenceEnd, wait_for_last_words
from runner.call.machine.speech import Speech
from runner.call.machine.tool_calls import ToolCalls
from runner.call.machine.transfers import ANNOUNCEMENT, Transfers
from runner.call.records.deeds import Deeds
from runner.call.records.record_builder import RecordBuilder
from runner.call.templates.names import timestamp
from runner.model.action import Action, Finish, HangUp, Log, LogEvent, SetTimer, Timer, TimerKind
from runner.model.event import HangUpFailed
from runner.model.steering import DeedResult
from runner.model.values import Instant

HANG_UP_AGAIN_S = 30.0
"""How long to wait before a failed hang-up is tried again."""

GOODBYE = "goodbye"

SAY_GOODBYE = (
    "The call has to end now. Say so in one short sentence, in the language of the conversation, and say"
    " goodbye. Ask nothing."
)
"""Instructs the model where the user has declared no sentence for the end."""


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
    transfers: Transfers
    _reason: str = field(default="", init=False)
    """Why we end the call; empty while we do not."""
    _goodbye_is_said: bool = field(default=False, init=False)
    _waits_for_tools: bool = field(default=True, init=False)
    _deed_id: str | None = field(default=None, init=False)
    """The person's act that ends the call."""
    _unserved_since: Instant | None = field(default=None, init=False)

    def sentence_ended(self, key: str, end: SentenceEnd, now: Instant) -> list[Intent]:
        """A sentence that the call waited for was heard or cut short; both end the wait.

        Callers often say their own goodbye over ours, so an interruption does not keep the call open.
        """
        if end is SentenceEnd.DROPPED:
            return []
        if key == GOODBYE and self.phase.now is Phase.SAYING_GOODBYE:
            self._goodbye_is_said = True
            return [*self.tools_ended(now)]
        return self.transfers.announced(now) if key == ANNOUNCEMENT else []

    def end(self, end: End, now: Instant) -> list[Action]:
        """End the call: at once, or after a goodbye and running tools."""
        if self.phase.now not in LIVE:
            return []
        if end.at_once:
            self._note_reason(end)
            self._deed_id = end.deed_id
            return self._hang_up(now)
        if self.phase.now in TRANSFERRING:
            self.transfers.end_after_failure = end
            return []
        if self.phase.now is Phase.SAYING_GOODBYE:
            return []
        self._note_reason(end)
        if self.phase.now is Phase.WAITING:
            return self._hang_up(now)
        self.phase.move(Trigger.SAY_GOODBYE)
        self.speech.clear()
        self._deed_id, self._waits_for_tools = end.deed_id, end.waits_for_tools
        # Nobody leads a call that ends: the goodbye is the agent's.
        return [*self.lead.end(), *(self._say_goodbye(end, now) or [wait_for_last_words(now)])]

    def tools_ended(self, now: Instant) -> list[Action]:
        """Hang up if there is nothing left to wait for."""
        if self.phase.now is not Phase.SAYING_GOODBYE or not self._goodbye_is_said:
            return []
        return [] if self._waits_for_tools and self.tools.running else self._hang_up(now)

    def not_heard_in_time(self, now: Instant) -> list[Intent]:
        """Stop waiting for the sentence, unless the caller still hears it, or the one before it."""
        if self.phase.now not in {Phase.SAYING_GOODBYE, Phase.ANNOUNCING}:
            return []
        heard_by = self.speech.busy_until(now)
        if heard_by > now:
            return [SetTimer(timer=LAST_WORDS, at=heard_by)]
        return self.transfers.announced(now) if self.phase.now is Phase.ANNOUNCING else [*self._hang_up(now)]

    def gone(self, now: Instant) -> list[Action]:
        """The call has left the API. After a transfer request that means success."""
        entries = self.transfers.completed(now)
        self.record.end("caller_hung_up" if self._unserved_since is None else "lost")
        self.record.ended_at = now
        self.phase.move(Trigger.GONE)
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

    def cleared(self) -> list[Action]:
        """Finish, unless a request is still in flight whose end belongs in the record."""
        is_done = self.phase.now is Phase.DRAINING_REQUESTS and not self.tools.in_flight
        return self.finish() if is_done else []

    def finish(self) -> list[Action]:
        """Do nothing more."""
        self.phase.move(Trigger.FINISH)
        return [Finish()]

    def _say_goodbye(self, end: End, now: Instant) -> list[Action]:
        goodbye = self.texts.text(end.say, now) if end.say is not None else ""
        if goodbye:
            self.speech.queue.say(goodbye, key=GOODBYE)
        elif end.after_response is not None:
            self._goodbye_is_said = not self.speech.follow(end.after_response, GOODBYE)
        else:
            self.speech.queue.tell(self.texts.directed(SAY_GOODBYE), key=GOODBYE)
        return self.tools_ended(now)

    def _note_reason(self, end: End) -> None:
        """The first reason counts."""
        self._reason = self._reason or end.reason
        self.record.end(end.reason, end.detail)

    def _hang_up(self, now: Instant) -> list[Action]:
        self.phase.move(Trigger.HANG_UP)
        self.speech.clear()
        if self._deed_id is not None:
            self.deeds.settle(self._deed_id, DeedResult.DONE, now)
        return [Log(event=LogEvent.CALL_ENDING, fields={"reason": self._reason}), HangUp()]
