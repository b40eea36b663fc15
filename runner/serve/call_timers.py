"""Keeps the timers of one call. They outlive its sideband, as the call does."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context

from runner.model.action import Timer, TimerKind
from runner.model.values import Instant
from runner.serve.alarms import EARLY_S, Alarms
from runner.serve.jitter import staggered

RETRIES = frozenset({TimerKind.HANG_UP_AGAIN, TimerKind.LOOKUP_RETRY, TimerKind.MODEL_RETRY, TimerKind.RETRY})
"""Timers after which something that failed is tried again. Many calls usually fail together, as at the rate
limit of the API's account, and would come back together.
"""


class CallTimers:
    """Sets and clears timers; each fires once. Those of retries fire up to a half of their wait late.

    Every turn of a conversation sets and clears a dozen, and hardly one ever fires: they share one alarm,
    which is only ever moved to an earlier moment. When it goes off it may be for nothing.
    """

    __slots__ = (
        "_alarms",
        "_call_id",
        "_clock",
        "_context",
        "_due",
        "_fired",
        "_loop",
        "_retries",
        "wakes_at",
    )

    def __init__(
        self, fired: Callable[[Timer], None], clock: Callable[[], Instant], alarms: Alarms, *, call_id: str
    ) -> None:
        """`fired` is called with each timer that fires, in the context in which the first one was set;
        `alarms` are shared by all calls. Needs a running event loop.
        """
        # Looked up once: Python 3.11 makes a system call for it.
        self._loop = asyncio.get_running_loop()
        self._fired = fired
        self._call_id = call_id
        self._retries = 0
        self._clock = clock
        self._due: dict[Timer, float] = {}
        """By the event loop's clock, which nobody sets."""
        self._context: Context | None = None
        self._alarms = alarms
        self.wakes_at: float | None = None
        """When the alarm goes off."""

    def set(self, timer: Timer, at: Instant) -> None:
        """Have the timer fire at this instant, or at once when that is past. Replaces an earlier setting."""
        wait_s = max(0.0, at - self._clock())
        if timer.kind in RETRIES:
            self._retries += 1
            wait_s = staggered(wait_s, self._call_id, self._retries)
        due = self._loop.time() + wait_s
        self._due[timer] = due
        if self._context is None:
            # What is logged when a timer fires names its call.
            self._context = copy_context()
        if self.wakes_at is None or due < self.wakes_at:
            self._alarms.set(self, due)

    def clear(self, timer: Timer) -> None:
        self._due.pop(timer, None)

    def cancel(self) -> None:
        self._due.clear()
        self._alarms.cancel(self)

    def let_go(self) -> None:
        """The call is over: break the cycle with it."""
        del self._fired

    def wake(self) -> None:
        """The alarm goes off."""
        if self._context is not None:
            self._context.run(self._fire_late)

    def _fire_late(self) -> None:
        now = self._loop.time() + EARLY_S
        late = [timer for timer, due in self._due.items() if due <= now]
        for timer in sorted(late, key=self._due.__getitem__):
            # One that fired before may have cleared it, or set it anew.
            if self._due.get(timer, now + 1.0) <= now:
                del self._due[timer]
                self._fired(timer)
        if self._due:
            due = min(self._due.values())
            if self.wakes_at is None or due < self.wakes_at:
                self._alarms.set(self, due)
