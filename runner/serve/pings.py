"""Tells each of thousands of sockets when to ping its peer, with one timer for all of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context

EARLY_S = 0.001
"""The event loop counts in milliseconds, and may wake us one too early."""


class Pings:
    """Calls the sockets back in the order in which they came, since all wait equally long.

    A timer of its own takes each socket 0.6 KiB.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._waiting: deque[tuple[float, Context, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, ping: Callable[[], None]) -> None:
        """Call `ping` once, after `every_s`; a socket that was closed meanwhile does nothing then."""
        loop = asyncio.get_running_loop()
        # Lines that the socket logs name its own call.
        self._waiting.append((loop.time() + self._every_s, copy_context(), ping))
        if self._timer is None:
            self._timer = loop.call_later(self._every_s, self._ping)

    def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time() + EARLY_S
        try:
            while self._waiting and self._waiting[0][0] <= now:
                _, context, ping = self._waiting.popleft()
                context.run(ping)
        finally:
            # One that fails stops none of the others.
            self._timer = loop.call_at(self._waiting[0][0], self._ping) if self._waiting else None
