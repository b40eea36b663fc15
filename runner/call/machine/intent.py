"""The intents of a session's parts: what they want, whatever the phase.

Each part watches one thing (silence, limits, guardrails, keys, …) and knows neither phases nor the other
parts. `runner.call.machine.fulfilment` decides what happens when several of them meet.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from runner.model.action import Action
from runner.model.event import CallEvent
from runner.model.template import Template
from runner.model.values import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SayToCaller:
    """Say this to the caller."""

    text: Template | str
    key: str = ""
    """Key with which it can be withdrawn while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructModel:
    """Tell the model what to say next, for one response."""

    text: Template | str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawSentence:
    """Drop the waiting sentences with this key."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMessage:
    """Add a message to the conversation, as said by the caller or as an instruction."""

    text: Template | str
    as_caller: bool = False
    private: bool = False
    """Keep it out of the record."""
    only_while_talking: bool = False
    """A call that leaves needs it no more, not even if it stays after all."""


@dataclass(frozen=True, slots=True)
class Greet:
    """Greet now, if the greeting is still due."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Let the model speak at the next pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End the call. Without a sentence declared by the user, the model says goodbye in its own words."""

    reason: str
    say: Template | str | None = None
    after_response: str | None = None
    """Say nothing of our own: the caller hears this response to the end, and running tools finish first."""
    at_once: bool = False
    """Wait for nothing: the call cannot be served any more."""
    waits_for_tools: bool = True
    """Let running tools finish before the hang-up."""
    detail: str = ""
    deed_id: str | None = None
    """The person's act that requests it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeWayOut:
    """The model cannot serve the call: take the way out that the agent declares in `if_broken`, or end the
    call.
    """

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOff:
    """Hand the call off to another agent."""

    agent: str
    because: str


Intent: TypeAlias = (
    SayToCaller
    | InstructModel
    | WithdrawSentence
    | AddMessage
    | Greet
    | GoOn
    | End
    | TakeWayOut
    | HandOff
    | Action
)
"""What is not an intent of its own is an action that passes through unchanged."""


class Part(ABC):
    """Watches one thing during a call."""

    __slots__ = ()

    hears: ClassVar[frozenset[type[CallEvent]]]
    """The events that it handles. Most events of a call concern no part."""

    def start(self, now: Instant) -> list[Intent]:
        """The intents when its agent takes the call: at the beginning, or by a hand-off."""
        return []

    @abstractmethod
    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """The intents after `event`."""

    def is_at_work(self, now: Instant) -> bool:
        """Whether something is in progress that will make the agent speak."""
        return False

    def stop(self, now: Instant) -> list[Intent]:
        """The intents when another agent takes the call: it clears its own timers."""
        return []
