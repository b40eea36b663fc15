"""Decides about a call's transfers: each is announced, requested, and watched until the call has left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.call.addresses.target import is_target
from runner.call.machine.call_texts import CallTexts
from runner.call.machine.intent import AddMessage, End, GoOn, Intent
from runner.call.machine.phase import CallPhase, Phase, Trigger
from runner.call.machine.sentence import LAST_WORDS, wait_for_last_words
from runner.call.machine.speech import Speech
from runner.call.machine.tool_calls import ToolCalls
from runner.call.records.deeds import Deeds
from runner.call.records.record_builder import RecordBuilder
from runner.call.tools.tool_result import error_output
from runner.model.action import Action, ClearTimer, Log, LogEvent, LogLevel, Refer, SetTimer, Timer, TimerKind
from runner.model.agent import Agent
from runner.model.steering import DeedResult
from runner.model.template import Template
from runner.model.tool import ResultSpec
from runner.model.values import Instant

TRANSFER_S = 15.0
"""How long a transferred call may take to leave. A 200 proves nothing: some REFERs were accepted and the call
stayed.
"""

NOT_TRANSFERRED = (
    "A colleague has tried to transfer the call, and the transfer was not completed. The caller is still on"
    " the line with you: go on with the conversation."
)
"""Tells the model that a person's transfer has failed."""

ANNOUNCEMENT = "announcement"


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


def destinations(
    serving: Agent, agents: Iterable[Agent], transfer_to: Sequence[str]
) -> Mapping[str, Template | str]:
    """The destinations of a person's transfer, by name: those of agents, and `server.admin.transfer_to`.

    Of two with the same name, the serving agent's own counts.
    """
    known: dict[str, Template | str] = {}
    for agent in (serving, *agents):
        for tool in agent.tools:
            for name, target in tool.binding.choices.items():
                known.setdefault(name, target)
    for address in transfer_to:
        known.setdefault(address, address)
    return known


@dataclass(slots=True, kw_only=True, eq=False)
class Transfers:
    """The transfers of one call, one at a time."""

    phase: CallPhase
    speech: Speech
    tools: ToolCalls
    record: RecordBuilder
    texts: CallTexts
    deeds: Deeds
    end_after_failure: End | None = field(default=None, init=False)
    """The end that is due if the call stays: hanging up now would break the transfer."""
    _transfer: Transfer | None = field(default=None, init=False)

    def announce(self, transfer: Transfer, now: Instant) -> list[Intent]:
        """Say the announcement first; request the transfer once the caller has heard it."""
        self._transfer = transfer
        self.phase.move(Trigger.ANNOUNCE)
        sentence = self.texts.text(transfer.say, now) if transfer.say is not None else ""
        is_persons = transfer.deed_id is not None
        if sentence and is_persons and self.speech.is_closed:
            # Nobody can say it, and the transfer itself needs no sideband.
            return self._refer(transfer, now)
        if sentence:
            self.speech.queue.say(sentence, key=ANNOUNCEMENT, is_persons=is_persons)
        elif transfer.response_id is None or not self.speech.follow(transfer.response_id, ANNOUNCEMENT):
            return self._refer(transfer, now)
        return [wait_for_last_words(now)]

    def announced(self, now: Instant) -> list[Intent]:
        """The caller has heard the announcement, or it has taken too long: request the transfer."""
        if self.phase.now is not Phase.ANNOUNCING or self._transfer is None:
            return []
        return self._refer(self._transfer, now)

    def answered(self, ok: bool, detail: str, now: Instant) -> list[Intent]:
        """The API has accepted the request, which proves nothing yet, or refused it."""
        return [*self.watch(now)] if ok else self._failed(detail, now)

    def watch(self, now: Instant) -> list[Action]:
        """Watch whether the call leaves, if a transfer is requested."""
        if self.phase.now is not Phase.REFERRED:
            return []
        return [SetTimer(timer=Timer(TimerKind.TRANSFER), at=now + TRANSFER_S)]

    def overdue(self, now: Instant) -> list[Intent]:
        """The call should have left by now."""
        return self._failed("the call did not leave", now) if self.phase.now is Phase.REFERRED else []

    def completed(self, now: Instant) -> list[Action]:
        """The call has left the API, which after a transfer request means success."""
        if self.phase.now is not Phase.REFERRED or self._transfer is None:
            return []
        self.record.end("transferred")
        if self._transfer.call_id is not None:
            self.tools.close(self._transfer.call_id, "completed", now)
        if self._transfer.deed_id is not None:
            self.deeds.settle(self._transfer.deed_id, DeedResult.COMPLETED, now)
        return [Log(event=LogEvent.TRANSFER_COMPLETED, fields={"destination": self._transfer.name})]

    def _refer(self, transfer: Transfer, now: Instant) -> list[Intent]:
        """Request the transfer, unless a template has rendered something that is not an address."""
        self.phase.move(Trigger.REFER)
        # The caller is being put through: an announcement that could not be said in time is dropped.
        self.speech.queue.withdraw(ANNOUNCEMENT)
        waited = ClearTimer(timer=LAST_WORDS)
        target = self.texts.text(transfer.target, now)
        if not is_target(target):
            return [waited, *self._failed("the destination is not an address", now)]
        return [waited, Refer(target=target)]

    def _failed(self, detail: str, now: Instant) -> list[Intent]:
        """The caller is still ours: try the fallback, or tell the model and continue the conversation."""
        transfer, self._transfer = self._transfer, None
        if transfer is None:
            return []
        self.record.fault(f"a transfer was not completed: {detail}")
        fields = {"destination": transfer.name, "detail": detail}
        intents: list[Intent] = [
            Log(event=LogEvent.TRANSFER_NOT_COMPLETED, level=LogLevel.WARNING, fields=fields)
        ]
        if transfer.fallback is not None:
            self._transfer = replace(
                transfer, target=transfer.fallback, name=transfer.fallback_name, fallback=None
            )
            return [*intents, *self._refer(self._transfer, now)]
        self.phase.move(Trigger.STAY)
        if transfer.deed_id is not None:
            self.deeds.settle(transfer.deed_id, DeedResult.NOT_COMPLETED, now, detail)
            intents += [AddMessage(text=NOT_TRANSFERRED), GoOn()]
        elif transfer.call_id is None:
            return [*intents, End(reason="model_failed", at_once=True, detail=detail)]
        else:
            result = ResultSpec(on_error=transfer.if_not_completed)
            output = error_output("the transfer was not completed", result, self.texts.names(now))
            intents += self.tools.answer(transfer.call_id, output, now, status="not_completed")
        due, self.end_after_failure = self.end_after_failure, None
        return intents if due is None else [*intents, due]
