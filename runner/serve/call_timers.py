"""Keeps the timers of one call. They outlive its sideband, as the call does."""

import asyncio
from collections.abc import Callable

from runner.model.action import Timer
from runner.model.values import Instant


class CallTimers:
    """Sets and clears timers; each fires once."""

    __slots__ = ("_clock", "_fired", "_handles")

    def __init__(self, fired: Callable[[Timer], None], clock: Callable[[], Instant]) -> None:
        """`fired` is called with each timer that fires."""
        self._fired = fired
        self._clock = clock
        self._handles: dict[Timer, asyncio.TimerHandle] = {}

    def set(self, timer: Timer, at: Instant) -> None:
        """Have the timer fire at this instant, or at once when that is past. Replaces an earlier setting."""
        self.clear(timer)
        delay_s = max(0.0, at - self._clock())
        self._handles[timer] = asyncio.get_running_loop().call_later(delay_s, self._fire, timer)

    def clear(self, timer: Timer) -> None:
        """Cancel the timer."""
        handle = self._handles.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def cancel(self) -> None:
        """Cancel all timers."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()

    def let_go(self) -> None:
        """The call is over: break the cycle with it."""
        del self._fired

    def _fire(self, timer: Timer) -> None:
        del self._handles[timer]
        self._fired(timer)
