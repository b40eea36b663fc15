"""The model fails: let it apologise once, and after two failures in a row take the agent's way out."""

from runner.call.machine.intent import AddMessage, End, FallBackToTransfer, GoOn, Intent
from runner.model.agent import IfBroken
from runner.model.event import CallEvent, Outcome, ResponseEnded
from runner.model.values import Instant

FAILURES_IN_A_ROW = 2
"""So many failed responses one after the other mean that the model cannot serve this call."""

APOLOGY = "Your last answer was cut short by a fault. Apologise for it in a few words, then go on."


class FailureWatch:
    """Counts failed and incomplete responses. One that the caller cut short is neither."""

    hears = frozenset({ResponseEnded})

    def __init__(self, if_broken: IfBroken) -> None:
        self._if_broken = if_broken
        self._failures = 0
        self._counted: set[str] = set()

    def start(self, now: Instant) -> list[Intent]:
        """Nothing."""
        return []

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Judge each response once: events can be told twice."""
        if not isinstance(event, ResponseEnded) or event.response_id in self._counted:
            return []
        self._counted.add(event.response_id)
        match event.outcome:
            case Outcome.COMPLETED:
                self._failures = 0
                return []
            case Outcome.CANCELLED:
                return []
        self._failures += 1
        if self._failures < FAILURES_IN_A_ROW:
            return [AddMessage(text=APOLOGY), GoOn()]
        detail = f"the model failed {self._failures} times in a row: {event.detail or 'no reason told'}"
        if self._if_broken.transfer is not None:
            return [FallBackToTransfer(target=self._if_broken.transfer, detail=detail)]
        say = self._if_broken.say
        return [End(reason="model_failed", say=say, at_once=say is None, detail=detail)]
