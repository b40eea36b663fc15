"""One line of a call's journal: an event that its machine has handled, and when."""

from dataclasses import dataclass
from typing import TypeAlias

from runner.model.call import Ringing
from runner.model.event import CallEvent
from runner.model.values import Instant

Lived: TypeAlias = Ringing | CallEvent
"""Everything that can happen to a call: first of all it rings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The machine was given `event` at this instant. `seq` counts from 0, without a gap."""

    seq: int
    at: Instant
    event: Lived
