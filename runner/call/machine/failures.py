"""Reacts to failed responses: the model apologises and continues, and if that fails too, the agent's way out
is taken.
"""

from typing import assert_never

from runner.call.machine.intent import AddMessage, GoOn, Intent, Part, TakeWayOut
from runner.call.machine.sentence import is_wish
from runner.call.machine.speech import RATE_LIMIT_WAITS_S
from runner.call.recent_ids import RecentIds
from runner.model.agent import IfBroken
from runner.model.conversation_event import ApiError, ApiErrorKind, Outcome, ResponseEnded
from runner.model.event import CallEvent
from runner.model.values import Instant

FAILURES_IN_A_ROW = 2
"""After this many failed responses in a row, the model cannot serve this call."""

APOLOGY = "Your last answer was cut short by a fault. Apologise for it in a few words, then go on."


class FailureWatch(Part):
    """Counts failed and incomplete responses. One that the caller interrupts is neither."""

    __slots__ = ("_counted", "_failures", "_most", "_rate_limited")

    hears = frozenset({ApiError, ResponseEnded})

    def __init__(self, if_broken: IfBroken) -> None:
        has_way_out = if_broken.transfer or if_broken.say or if_broken.takes_leave
        # Without a way out, one more try costs nothing.
        self._most = FAILURES_IN_A_ROW if has_way_out else FAILURES_IN_A_ROW + 1
        self._failures = 0
        self._rate_limited = 0
        self._counted = RecentIds()

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Judge each response once: its event may come twice. A request for one may be refused as well.

        An error about anything else, such as the rate of transcriptions, says nothing about responses.
        """
        if isinstance(event, ApiError):
            return self._refused(event)
        if not isinstance(event, ResponseEnded) or not self._counted.add(event.response_id):
            return []
        match event.outcome:
            case Outcome.COMPLETED:
                self._failures = self._rate_limited = 0
                return []
            case Outcome.CANCELLED:
                return []
            case Outcome.FAILED | Outcome.INCOMPLETE:
                return self._failed(event)
            case outcome:
                assert_never(outcome)

    def _refused(self, error: ApiError) -> list[Intent]:
        match error.kind:
            case ApiErrorKind.RATE_LIMITED if is_wish(error.about) and self._counted.add(error.about):
                return self._over_the_rate(error.message)
            case ApiErrorKind.OUT_OF_QUOTA:
                return _out_of_quota(error.message)
            case _:
                return []

    def _over_the_rate(self, reason: str) -> list[Intent]:
        self._rate_limited += 1
        if self._rate_limited <= len(RATE_LIMIT_WAITS_S):
            # `Speech` asks for it again.
            return []
        return [TakeWayOut(detail=f"the API takes no more responses: {reason}")]

    def _failed(self, ended: ResponseEnded) -> list[Intent]:
        reason = ended.detail or ended.code or "no reason given"
        match ended.cause:
            case ApiErrorKind.RATE_LIMITED:
                return self._over_the_rate(reason)
            case ApiErrorKind.OUT_OF_QUOTA:
                return _out_of_quota(reason)
            case _:
                self._failures += 1
                if self._failures < self._most:
                    return [AddMessage(text=APOLOGY, only_while_talking=True), GoOn()]
                detail = f"the model failed {self._failures} times in a row: {reason}"
                return [TakeWayOut(detail=detail)]


def _out_of_quota(reason: str) -> list[Intent]:
    return [TakeWayOut(detail=f"the API account has no quota left; add credit to it: {reason}")]
