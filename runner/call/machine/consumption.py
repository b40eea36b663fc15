"""Counts what a call has consumed so far, for its limits. A hand-off does not reset the counts."""

from runner.call.records.bill import Bill
from runner.model.values import Instant


class Consumption:
    """The counts that limits are compared with."""

    __slots__ = ("bill", "handoffs", "since", "tool_calls")

    def __init__(self, bill: Bill) -> None:
        self.bill = bill
        """What was used of the API, and its cost."""
        self.since: Instant = 0.0
        """When the API answered the call."""
        self.tool_calls = 0
        self.handoffs = 0

    def has_more_tool_calls_than(self, most: int | None) -> bool:
        """Whether the model has called more tools than this; None sets no bound."""
        return most is not None and self.tool_calls > most
