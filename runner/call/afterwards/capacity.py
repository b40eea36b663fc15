"""How many jobs a process takes, and of whom: receivers that hang never keep all its hands busy.

A receiver gets its share of hands as long as half of all hands are free, and one hand after that. So a burst
to one receiver is brought out sixteen at a time, four receivers that hang take no more than half of all
hands, and it takes some seventy of them until one that is well has to wait.
"""

from collections.abc import Mapping

from runner.model.job import JobCapacity

MOST_HELD = 128
"""Jobs that a process has under way together, each with its record in memory."""
MOST_PER_RECEIVER = 16
"""Of these, for one receiver."""
MOST_AT_ONCE = 8
"""Jobs that are taken from the store together, and begun in one turn of the event loop."""


def job_capacity(held: Mapping[str, int]) -> JobCapacity:
    """How many more jobs may be taken by a process that has so many of each receiver under way."""
    free = MOST_HELD - sum(held.values())
    shared = free - MOST_HELD // 2
    if shared > 0:
        return JobCapacity(most=min(shared, MOST_AT_ONCE), per_receiver=MOST_PER_RECEIVER, held=held)
    return JobCapacity(most=min(free, MOST_AT_ONCE), per_receiver=1, held=held)
