"""One line of a call's journal: an event that its machine has handled, and when."""

from typing import NamedTuple, TypeAlias

from runner.model.call import Ringing
from runner.model.event import CallEvent
from runner.model.values import Instant

Lived: TypeAlias = Ringing | CallEvent
"""Everything that can happen to a call: first of all it rings."""


class Entry(NamedTuple):
    """The machine was given `event` at this instant. `seq` counts from 0, without a gap.

    A tuple, since one is made for nearly every event of thousands of calls, in a third of the time.
    """

    seq: int
    at: Instant
    event: Lived
