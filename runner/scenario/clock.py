"""A clock that moves only when it is told to, with what is due on it. Waits for nothing."""

from runner.model.action import Timer
from runner.model.event import CallEvent, TimerFired
from runner.model.values import Instant


class SimulatedClock:
    """Timers and events to come, in the order of their times; what is due at once comes as it was set."""

    def __init__(self, now: Instant) -> None:
        self._start = now
        self._elapsed_s = 0.0
        self._count = 0
        self._coming: dict[Timer | int, tuple[float, int, CallEvent]] = {}

    @property
    def now(self) -> Instant:
        """The moment."""
        return self._start + self._elapsed_s

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning, free of the rounding of large numbers."""
        return self._elapsed_s

    def set(self, timer: Timer, at: Instant) -> None:
        """Let a timer fire; one of the same name is replaced."""
        self._put(timer, max(0.0, at - self._start - self._elapsed_s), TimerFired(timer=timer))

    def clear(self, timer: Timer) -> None:
        """Forget a timer, set or not."""
        self._coming.pop(timer, None)

    def has(self, timer: Timer) -> bool:
        """Whether this timer is set."""
        return timer in self._coming

    def later(self, event: CallEvent, after_s: float) -> None:
        """Let something happen."""
        self._put(self._count, after_s, event)

    def take(self, until_s: float) -> CallEvent | None:
        """The next that is due by then, at whose time it is now; None when there is none."""
        if not self._coming:
            return None
        key = min(self._coming, key=lambda each: self._coming[each][:2])
        at_s, _, event = self._coming[key]
        if at_s > until_s:
            return None
        del self._coming[key]
        self._elapsed_s = max(self._elapsed_s, at_s)
        return event

    def move_to(self, elapsed_s: float) -> None:
        """Let time pass until so many seconds after the beginning."""
        self._elapsed_s = max(self._elapsed_s, elapsed_s)

    def _put(self, key: Timer | int, after_s: float, event: CallEvent) -> None:
        self._count += 1
        # To the microsecond: sums of decimal fractions would not meet, and twice ten seconds are twenty.
        self._coming[key] = (round(self._elapsed_s + after_s, 6), self._count, event)
