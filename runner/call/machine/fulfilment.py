"""Turns the intents of a call's parts and handlers into actions, by the phase of the call.

A part states an intent whatever the phase. This module decides what becomes of it in a call that is on its
way out, that has no sideband, or whose model cannot serve it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from runner.call.machine.added_messages import AddedMessages
from runner.call.machine.call_ending import CallEnding
from runner.call.machine.call_texts import CallTexts
from runner.call.machine.greeting import CallGreeting
from runner.call.machine.intent import (
    AddMessage,
    End,
    GoOn,
    Greet,
    HandOff,
    InstructModel,
    Intent,
    SayToCaller,
    TakeWayOut,
    WithdrawSentence,
)
from runner.call.machine.lead import Lead
from runner.call.machine.phase import CONNECTED, CallPhase, Phase
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.speech import Speech
from runner.call.machine.transfers import Transfer, Transfers
from runner.call.records.record_builder import RecordBuilder
from runner.model.action import Action, ClearTimer, Log, LogEvent, LogLevel, SetTimer
from runner.model.values import Instant


@dataclass(slots=True, kw_only=True, eq=False)
class Fulfilment:
    """What becomes of an intent, by the phase of its call."""

    phase: CallPhase
    speech: Speech
    ending: CallEnding
    transfers: Transfers
    serving: ServingAgent
    messages: AddedMessages
    texts: CallTexts
    record: RecordBuilder
    lead: Lead
    greeting: CallGreeting

    def actions(self, intents: Iterable[Intent], now: Instant) -> list[Action]:
        """The actions for these intents, in the same order."""
        actions: list[Action] = []
        for intent in intents:
            if type(intent) is SetTimer or type(intent) is ClearTimer:
                actions.append(intent)  # Nearly all are.
            else:
                actions += self._fulfil(intent, now)
        return actions

    def _fulfil(self, intent: Intent, now: Instant) -> list[Action]:
        match intent:
            case End():
                return self.ending.end(intent, now)
            case AddMessage():
                return self._add_message(intent, now)
            case Greet():
                return self.greeting.greet(now)
            case WithdrawSentence(key=key):
                self.speech.queue.withdraw(key)
                return []
            case SayToCaller() | InstructModel() | GoOn() | TakeWayOut() | HandOff():
                # A call that is leaving has something else to say.
                return self._talk(intent, now) if self._is_talking else []
            case _:
                return [intent]

    def _talk(
        self, intent: SayToCaller | InstructModel | GoOn | TakeWayOut | HandOff, now: Instant
    ) -> list[Action]:
        match intent:
            case SayToCaller(text=text, key=key):
                if sentence := self.texts.text(text, now):
                    self.speech.queue.say(sentence, key=key)
            case InstructModel(text=text, key=key):
                self.speech.queue.tell(self.texts.directed(self.texts.text(text, now)), key=key)
            case GoOn():
                self.speech.queue.go_on()
            case TakeWayOut(detail=detail):
                return self.actions(self._take_way_out(detail, now), now)
            case HandOff() if self.lead.is_taken:
                # A guardrail may still hang up then, but it hands nothing over.
                pass
            case HandOff(agent=agent_id, because=because):
                return self.actions(self.serving.hand_off(agent_id, because, now), now)
            case _:
                assert_never(intent)
        return []

    def _take_way_out(self, detail: str, now: Instant) -> list[Intent]:
        way_out = self.serving.agent.if_broken
        entry = Log(event=LogEvent.WAY_OUT_TAKEN, level=LogLevel.ERROR, fields={"detail": detail})
        if way_out.transfer is None:
            say = way_out.say
            at_once = say is None and not way_out.takes_leave
            return [entry, End(reason="model_failed", say=say, at_once=at_once, detail=detail)]
        self.record.fault(detail)
        return [entry, *self.transfers.announce(Transfer(target=way_out.transfer, name="if_broken"), now)]

    def _add_message(self, message: AddMessage, now: Instant) -> list[Action]:
        if self.phase.now not in CONNECTED or (message.only_while_talking and not self._is_talking):
            return []
        text = self.texts.text(message.text, now)
        item = self.messages.new(text, as_caller=message.as_caller)
        if message.private:
            self.record.transcript.hide(item.item_id, "(keys pressed, kept private)", now)
        if self.speech.is_closed:
            self.messages.keep(item)
            return []
        self.messages.sent(item)
        return [item]

    @property
    def _is_talking(self) -> bool:
        return self.phase.now is Phase.TALKING
