"""Decides how many jobs a process takes, and of which receivers: those that hang never keep it entirely busy.

A receiver gets its share of slots as long as half of all slots are free, and one slot after that. So a burst
to one receiver is delivered sixteen at a time, four receivers that hang take no more than half of all slots,
and it takes some seventy of them until a healthy one has to wait.
"""

from collections.abc import Mapping

from runner.model.job import JobCapacity

MOST_HELD = 128
"""Jobs of a process in progress together, each with its record in memory."""
MOST_PER_RECEIVER = 16
"""Of these, for one receiver."""
MOST_AT_ONCE = 8
"""Jobs taken from the store together, and started in one turn of the event loop."""


def job_capacity(held: Mapping[str, int]) -> JobCapacity:
    """How many more jobs a process may take that holds these jobs by receiver."""
    free = MOST_HELD - sum(held.values())
    shared = free - MOST_HELD // 2
    if shared > 0:
        return JobCapacity(most=min(shared, MOST_AT_ONCE), per_receiver=MOST_PER_RECEIVER, held=held)
    return JobCapacity(most=min(free, MOST_AT_ONCE), per_receiver=1, held=held)
