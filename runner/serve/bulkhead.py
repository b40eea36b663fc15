"""Shares the places for requests among hosts, so that hosts which hang never take all of them."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Bulkhead:
    """A host may hold as many places as are still free for all others.

    So a single host gets half of them, four hosts that hang get a fifth each, and a fifth is left for a host
    without requests. (The rule by which switches share their memory among ports: dynamic thresholds,
    Choudhury and Hahne 1998.) Requests without a place wait, first come first served within a host, the hosts
    in turn.
    """

    def __init__(self, places: int, *, on_wait: Callable[[str], None] = lambda _: None) -> None:
        """`on_wait` is called with the host of each request that finds no place at once."""
        self._free = places
        self._on_wait = on_wait
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def held(self) -> dict[str, int]:
        """The number of places of each host that holds any."""
        return dict(self._held)

    @asynccontextmanager
    async def place(self, host: str) -> AsyncIterator[None]:
        """Hold a place for one request to this host; wait for it if need be."""
        if host not in self._waiting and self._may_enter(host):
            self._take(host)
        else:
            self._on_wait(host)
            await self._wait(host)
        try:
            yield
        finally:
            self._give_back(host)

    def _may_enter(self, host: str) -> bool:
        return self._held[host] < self._free

    def _take(self, host: str) -> None:
        self._free -= 1
        self._held[host] += 1

    def _give_back(self, host: str) -> None:
        self._free += 1
        self._held[host] -= 1
        if not self._held[host]:
            del self._held[host]
        for other in list(self._waiting):
            queue = self._waiting[other]
            while queue and queue[0].cancelled():
                queue.popleft()
            if queue and self._may_enter(other):
                self._take(other)
                queue.popleft().set_result(None)
                # Its next turn comes after the others'.
                self._waiting[other] = self._waiting.pop(other)
            if not queue:
                del self._waiting[other]

    async def _wait(self, host: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(host, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._give_back(host)  # The place had just become ours.
            raise
