"""Handles each webhook once, though webhooks are delivered at least once; every copy gets the same result."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

log = logging.getLogger("runner.serve.once_by_id")

Result = TypeVar("Result")

MOST_REMEMBERED = 20_000
"""Ids, about two for each call. A call is answered or too old within minutes, so this covers hours of
calls."""


class OnceById(Generic[Result]):
    """Remembers results by id, in memory and within bounds. A result that is not final is forgotten."""

    def __init__(self, is_final: Callable[[Result], bool], most: int = MOST_REMEMBERED) -> None:
        self._is_final = is_final
        self._most = most
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._running: dict[str, asyncio.Task[Result]] = {}
        self._waiting: Counter[asyncio.Task[Result]] = Counter()

    async def once(
        self, ids: Iterable[str], work: Callable[[], Coroutine[Any, Any, Result]]
    ) -> tuple[Result, bool]:
        """The result of `work`, and whether one of the ids was known, so that this is an earlier result.

        The work is a task of its own: a sender who hangs up does not stop it, and copies that arrive
        meanwhile wait for it. An error in it reaches every copy.
        """
        ids = tuple(ids)
        for key in ids:
            if key in self._results:
                return self._results[key], True
            if key in self._running:
                return await self._wait_for(self._running[key]), True
        task = asyncio.create_task(work())
        self._running.update(dict.fromkeys(ids, task))
        task.add_done_callback(lambda done: self._settle(ids, done))
        return await self._wait_for(task), False

    async def settle(self) -> None:
        """Wait until no work is in progress."""
        while self._running:
            await asyncio.wait(set(self._running.values()))

    async def _wait_for(self, task: asyncio.Task[Result]) -> Result:
        self._waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting[task] -= 1
            if not self._waiting[task]:
                del self._waiting[task]

    def _settle(self, ids: Iterable[str], done: asyncio.Task[Result]) -> None:
        for key in ids:
            if self._running.get(key) is done:
                del self._running[key]
        error = None if done.cancelled() else done.exception()
        if error is not None and not self._waiting[done]:
            # Every waiting copy has got the error; here nobody waits any more.
            log.error("background task failed", exc_info=error)
        if done.cancelled() or error is not None or not self._is_final(done.result()):
            return
        self._results.update(dict.fromkeys(ids, done.result()))
        while len(self._results) > self._most:
            self._results.popitem(last=False)
