"""The timers of one call, which outlive its sideband: the call lives on without it."""

import asyncio
from collections.abc import Callable

from runner.model.action import Timer
from runner.model.values import Instant


class CallTimers:
    """Sets and clears timers; each fires once."""

    def __init__(self, fired: Callable[[Timer], None], clock: Callable[[], Instant]) -> None:
        """`fired` is called with each timer whose time has come."""
        self._fired = fired
        self._clock = clock
        self._handles: dict[Timer, asyncio.TimerHandle] = {}

    def set(self, timer: Timer, at: Instant) -> None:
        """Let the timer fire at this instant, at once when that is past, and at no earlier one."""
        self.clear(timer)
        delay_s = max(0.0, at - self._clock())
        self._handles[timer] = asyncio.get_running_loop().call_later(delay_s, self._fire, timer)

    def clear(self, timer: Timer) -> None:
        """Do not let it fire."""
        handle = self._handles.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def cancel(self) -> None:
        """Let none fire any more."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()

    def let_go(self) -> None:
        """The call is over: break the cycle with whoever is told of timers."""
        del self._fired

    def _fire(self, timer: Timer) -> None:
        del self._handles[timer]
        self._fired(timer)
