"""Wakes the timers of all calls of a process, with one timer of the event loop for all of them.

A timer of its own takes each call 0.5 KiB, and setting it takes longer than all else that is done with it.
"""

import asyncio
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Protocol

EARLY_S = 0.001
"""The event loop counts in milliseconds, and may wake us one too early."""
MOST_STALE = 100
"""Entries that nobody waits for any more, and that are kept although they are more than the others."""


class Sleeper(Protocol):
    """Who is woken."""

    wakes_at: float | None
    """When, by the event loop's clock; set by `Alarms` alone."""

    def wake(self) -> None:
        """Called at that moment."""


class Alarms:
    """Wakes each sleeper once. Needs a running event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Sleeper]] = []
        """A heap. An entry whose time is not its sleeper's is stale."""
        self._number = count().__next__
        self._stale = 0
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def set(self, sleeper: Sleeper, at: float) -> None:
        """Wake it at this moment, and not at the one that was set before."""
        self._stale += sleeper.wakes_at is not None
        sleeper.wakes_at = at
        heappush(self._waiting, (at, self._number(), sleeper))
        if at < self._rings_at:
            self._ring_at(at)

    def cancel(self, sleeper: Sleeper) -> None:
        if sleeper.wakes_at is None:
            return
        sleeper.wakes_at = None
        self._stale += 1
        if self._stale > max(MOST_STALE, len(self._waiting) // 2):
            # Those of calls that are over would stay for as long as these might have lasted.
            self._waiting = [entry for entry in self._waiting if entry[2].wakes_at == entry[0]]
            heapify(self._waiting)
            self._stale = 0

    def _ring_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._ring)
        self._rings_at = at

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time() + EARLY_S
        # Whatever is set meanwhile waits for the next turn of the event loop.
        self._timer, self._rings_at = None, -inf
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heappop(self._waiting))
        for at, _, sleeper in due:
            if sleeper.wakes_at != at:
                self._stale -= 1
                continue
            sleeper.wakes_at = None
            try:
                sleeper.wake()
            except Exception as error:
                loop.call_exception_handler({"message": "a timer failed", "exception": error})
        self._rings_at = inf
        if self._waiting:
            self._ring_at(self._waiting[0][0])
