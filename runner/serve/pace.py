"""Lets a few of many tasks go on in each turn of the event loop, so that others are served in between."""

import asyncio
from collections import deque


class LoopPace:
    """Lets tasks of one event loop pass in turn."""

    def __init__(self, most: int) -> None:
        """`most` tasks pass in one turn of the loop."""
        self._most = most
        self._left = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_counting = False

    async def turn(self) -> None:
        """Pass at once while there is room in this turn of the loop, otherwise in a later one."""
        if not self._is_counting:
            self._is_counting = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        if self._left:
            self._left -= 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    def _next_turn(self) -> None:
        self._left = self._most
        self._is_counting = bool(self._waiting)
        while self._waiting and self._left:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._left -= 1
        if self._is_counting:
            asyncio.get_running_loop().call_soon(self._next_turn)
