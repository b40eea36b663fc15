"""What a call has consumed so far. A hand-off does not reset it, and the record tells it in its own way."""

from runner.model.event import CallEvent, ResponseEnded, Usage
from runner.model.values import Instant


class Consumption:
    """Counts what limits are held against."""

    def __init__(self, model: str) -> None:
        self.model = model
        """The model that serves the call; it stays the same when the call is handed over."""
        self.since: Instant = 0.0
        """When the API answered the call."""
        self.usage = Usage()
        self.tool_calls = 0
        self.handoffs = 0
        self._billed: set[str] = set()

    def note(self, event: CallEvent) -> None:
        """Count what a response has used, once: events can be told twice."""
        if isinstance(event, ResponseEnded) and event.response_id not in self._billed:
            self._billed.add(event.response_id)
            self.usage = self.usage + event.usage

    def has_more_tool_calls_than(self, most: int | None) -> bool:
        """Whether the model has asked for more tools than these; None sets no bound."""
        return most is not None and self.tool_calls > most
