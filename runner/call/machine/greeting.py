"""Greets the caller, once: when the agent may speak for the first time.

A process that was lost may have greeted without a trace in the call's journal. So whoever serves the call
after it first adds a message to the conversation. The API places that behind the last item, and says behind
which, if there is one: nobody greets in a conversation that has begun.
"""

from dataclasses import dataclass, field
from typing import assert_never

from runner.call.machine.added_messages import AddedMessages
from runner.call.machine.call_texts import CallTexts
from runner.call.machine.phase import CallPhase, Phase
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.speech import Speech
from runner.model.action import Action, RemoveItem
from runner.model.agent import ModelOpens, Say, Tell, Wait
from runner.model.conversation_event import ItemPlaced
from runner.model.values import Instant

NOTHING_IS_KNOWN = (
    "There was an interruption on our side. It is not known whether tools that you have called were carried"
    " out: ask the caller before you call one again. Do not greet; go on with the conversation."
)


@dataclass(slots=True, kw_only=True, eq=False)
class CallGreeting:
    """The greeting of one call."""

    phase: CallPhase
    speech: Speech
    serving: ServingAgent
    texts: CallTexts
    messages: AddedMessages
    _is_due: bool = field(default=False, init=False)
    _may_have_been_said: bool = field(default=False, init=False)
    _question: str | None = field(default=None, init=False)
    """The message whose place will tell whether the conversation has begun."""

    def expect(self) -> None:
        """From now on `greet` greets the caller, once."""
        self._is_due = True

    def doubt(self, now: Instant) -> None:
        """A process that was lost may have greeted the caller."""
        self._may_have_been_said = True
        # The API refuses an id that was used before.
        self.messages.count_from(int(now))

    def greet(self, now: Instant) -> list[Action]:
        """Greet, if that is due; or ask first whether the conversation has begun."""
        if not self._is_due or self.phase.now is not Phase.TALKING:
            return []
        self._is_due = False
        if self._may_have_been_said and not isinstance(self.serving.agent.greeting, Wait):
            question = self.messages.new(NOTHING_IS_KNOWN)
            self.messages.sent(question)
            self._question = question.item_id
            return [question]
        self._say(now)
        return []

    def forget(self) -> None:
        """The sideband was lost: the answer to what was asked may be lost with it."""
        self._question = None

    def placed(self, placed: ItemPlaced, now: Instant) -> list[Action]:
        """The API has placed an item, perhaps the message whose place was asked for."""
        if placed.item_id != self._question:
            return []
        self._question = None
        if self.phase.now is not Phase.TALKING:
            return []
        if placed.after is None and self.speech.is_idle(now):
            self._say(now)
            return [RemoveItem(item_id=placed.item_id)]
        self.speech.queue.nudge()
        return []

    def _say(self, now: Instant) -> None:
        # The API makes one response at a time: if it refuses this one, another process has just greeted.
        yields = self._may_have_been_said
        greeting = self.serving.agent.greeting
        match greeting:
            case Wait():
                pass
            case Say(text=text) if sentence := self.texts.text(text, now):
                self.speech.queue.say(sentence, yields=yields)
            case Tell(text=text) if sentence := self.texts.text(text, now):
                self.speech.queue.tell(self.texts.directed(sentence), yields=yields)
            case Say() | Tell() | ModelOpens():
                if yields:
                    self.speech.queue.nudge()
                else:
                    self.speech.queue.go_on()
            case _:
                assert_never(greeting)
