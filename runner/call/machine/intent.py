"""What a part of the session wants. The session carries it out where its phase allows it.

The parts watch one thing each (silence, limits, guardrails, keys, …) and know neither phases nor each
other; what happens when two of them meet is decided in one place, `runner.call.machine.fulfilment`.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from runner.model.action import Action
from runner.model.event import CallEvent
from runner.model.template import Template
from runner.model.values import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SayToCaller:
    """Say this to the caller."""

    text: Template | str
    key: str = ""
    """A name under which it can be retracted while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructModel:
    """Tell the model what to say next, for one response."""

    text: Template | str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawSentence:
    """Forget what waits to be said under this name."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMessage:
    """Put something into the conversation: as said by the caller, or as an instruction."""

    text: Template | str
    as_caller: bool = False
    private: bool = False
    """Keep it out of the record."""


@dataclass(frozen=True, slots=True)
class Greet:
    """Greet now, if the greeting is still due."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Let the model speak at the next pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End the call. Without a sentence of the user's the model takes leave in its own words."""

    reason: str
    say: Template | str | None = None
    after_response: str | None = None
    """Say nothing of our own: the caller is to hear this response to its end, and running tools end first."""
    at_once: bool = False
    """Wait for nothing: the call cannot be served any more."""
    waits_for_tools: bool = True
    """What tools still have to do is done before the call is hung up."""
    detail: str = ""
    deed_id: str | None = None
    """The person's act that wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeWayOut:
    """The model cannot serve the call: take the way out that the agent declares in `if_broken`, or end it."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOff:
    """Let another agent take over."""

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
"""What is not an intent of its own is an action that the session passes on as it is."""


class Part(Protocol):
    """One thing that is watched during a call."""

    @property
    def hears(self) -> frozenset[type]:
        """The events that it wants to be told of. Most events of a call concern none of the parts."""

    def start(self, now: Instant) -> list[Intent]:
        """What the part wants when its agent takes the call: at the beginning, or by a hand-off."""

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """What the part wants after `event`."""

    def stop(self, now: Instant) -> list[Intent]:
        """What the part wants when another agent takes the call: its own timers go with it."""
