"""Watches the limits of a call: time, cost, tool calls. Measured over the whole call, whichever agent serves
it.
"""

from dataclasses import dataclass

from runner.call.machine.intent import AddMessage, End, GoOn, Intent, Part
from runner.call.records.bill import Bill
from runner.model.action import ClearTimer, SetTimer, Timer, TimerKind
from runner.model.agent import Limits
from runner.model.conversation_event import ResponseEnded, ToolCalled
from runner.model.event import CallEvent, TimerFired
from runner.model.values import Instant

MAX_DURATION = Timer(TimerKind.MAX_DURATION)
WIND_DOWN = Timer(TimerKind.WIND_DOWN)


@dataclass(slots=True, eq=False)
class Consumption:
    """The counts that limits are compared with."""

    bill: Bill
    """What was used of the API, and its cost."""
    since: Instant = 0.0
    """When the API answered the call."""
    tool_calls: int = 0
    handoffs: int = 0

    def has_more_tool_calls_than(self, most: int | None) -> bool:
        """Whether the model has called more tools than this; None sets no bound."""
        return most is not None and self.tool_calls > most


@dataclass(slots=True, eq=False)
class LimitWatch(Part):
    """Ends the call at its limits. The counts are the call's, so a hand-off does not reset them.

    Its timers stay set when another agent takes the call, which sets them anew.
    """

    hears = frozenset({TimerFired, ResponseEnded, ToolCalled})

    limits: Limits
    consumption: Consumption

    def start(self, now: Instant) -> list[Intent]:
        """Set the timers, counted from when the call was accepted."""
        end_at = self.consumption.since + self.limits.max_duration_s
        timers: list[Intent] = [SetTimer(timer=MAX_DURATION, at=end_at)]
        wind_down = self.limits.wind_down
        if wind_down is not None and end_at - wind_down.before_s > now:
            return [*timers, SetTimer(timer=WIND_DOWN, at=end_at - wind_down.before_s)]
        return [*timers, ClearTimer(timer=WIND_DOWN)]

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """End the call when a limit is reached."""
        match event:
            case TimerFired(timer=Timer(kind=TimerKind.MAX_DURATION)):
                return [End(reason="max_duration")]
            case TimerFired(timer=Timer(kind=TimerKind.WIND_DOWN)) if self.limits.wind_down is not None:
                return [AddMessage(text=self.limits.wind_down.tell), GoOn()]
            case ResponseEnded() if self._too_dear():
                return [End(reason="max_cost")]
            # A tool call may be reported only with the end of its response.
            case ToolCalled() | ResponseEnded() if self.consumption.has_more_tool_calls_than(
                self.limits.max_tool_calls
            ):
                return [End(reason="max_tool_calls")]
            case _:
                return []

    def _too_dear(self) -> bool:
        if self.limits.max_cost_usd is None:
            return False
        # What has no known price does not count; the rest may exceed the limit on its own.
        return self.consumption.bill.cost.usd >= self.limits.max_cost_usd
