"""What the model does in a call that is played: a response, one that it owes, a transfer."""

import json
from dataclasses import dataclass, field
from typing import Self

from runner.model.event import Outcome, ToolCalled, Usage
from runner.model.tool import TransferBinding

IF_BROKEN = "if_broken"
"""The name under which the transfer of a broken call is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One response of the model."""

    wish: str | None = None
    """Of the request that it answers; None for a response of the API's own."""
    text: str | None = None
    calls: tuple[tuple[str, str], ...] = ()
    outcome: Outcome = Outcome.COMPLETED
    detail: str = ""
    usage: Usage = field(default_factory=Usage)

    @property
    def is_audible(self) -> bool:
        """Whether the caller hears anything of it."""
        return not self.calls and self.outcome is Outcome.COMPLETED


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """The model is to speak, in words that nobody has told yet."""

    wish: str | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the transfers that are asked for belong to, and how many of them were."""

    name: str
    call_id: str | None = None
    """None: to no tool call, but to the way out of a broken call."""
    destinations: tuple[str | None, ...] = ()
    """The one that was chosen, and the one that is tried after it."""
    count: int = 0

    @classmethod
    def chosen(cls, called: ToolCalled, binding: TransferBinding) -> Self:
        """That of a tool call, going by the arguments as the model wrote them."""
        try:
            destination = str(json.loads(called.arguments)["destination"])
        except (ValueError, TypeError, KeyError):
            destination = ""
        return cls(called.name, called.call_id, (destination, binding.fallback))


NO_TRANSFER = Transfer(IF_BROKEN)
"""No tool call waits for a transfer; if there is one, it is the way out of a broken call."""
