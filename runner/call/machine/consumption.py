"""What a call has consumed so far. A hand-off does not reset it, and the record tells it in its own way."""

from runner.call.records.bill import Bill
from runner.model.values import Instant


class Consumption:
    """Counts what limits are held against."""

    def __init__(self, bill: Bill) -> None:
        self.bill = bill
        """What the API was used for, and what that costs."""
        self.since: Instant = 0.0
        """When the API answered the call."""
        self.tool_calls = 0
        self.handoffs = 0

    def has_more_tool_calls_than(self, most: int | None) -> bool:
        """Whether the model has asked for more tools than these; None sets no bound."""
        return most is not None and self.tool_calls > most
