"""Takes what one sideband says in turns, so that the event loop goes on to the others in between."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

TURN_S = 0.01
"""How long one sideband is served before the event loop goes on to the others, who are read meanwhile."""
SLICE_BYTES = 4 * 1024
"""How much of what has arrived is taken without a look at the clock."""


class ReadingTurns:
    """What came before anybody listened, or was too much for one turn of the event loop.

    Nothing more is read while there is something: uvloop reads a socket up to 32 times in one turn, which may
    be megabytes.
    """

    __slots__ = ("_done", "_take", "_transport", "_waiting")

    def __init__(
        self, transport: asyncio.Transport, take: Callable[[bytes], None], done: Callable[[], None]
    ) -> None:
        """`take` is called with each slice, and `done` when none is left."""
        self._transport = transport
        self._take = take
        self._done = done
        self._waiting: deque[bytes] = deque()

    def add(self, data: bytes) -> None:
        """Keep what has arrived for a later turn."""
        self._waiting.extend(data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES))

    def hold(self) -> None:
        """Read no more before `take`: nobody listens yet."""
        self._transport.pause_reading()

    def take(self) -> None:
        """Take what waits, for `TURN_S`, and go on in another turn."""
        until = time.monotonic() + TURN_S
        while self._waiting and time.monotonic() < until:
            self._take(self._waiting.popleft())
        if not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._waiting:
            self.take()
            return
        self._done()
        if not self._transport.is_closing():
            self._transport.resume_reading()
