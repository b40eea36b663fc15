"""A thread that does work in order, for the tasks of an event loop.

A `ThreadPoolExecutor` of one thread would cost the loop three times as much for each piece of work.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from runner.errors import StoreError

_Result = TypeVar("_Result")


class Worker:
    """One thread, started with the first work."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._is_started = False

    def do(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Queue this work for the thread, in order. Needs a running event loop.

        Work that has begun is finished, also when the future is cancelled.
        """
        if not self._is_started:
            self._is_started = True
            # A daemon: work that hangs must not keep the process from ending.
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        item = _Item(work)
        self._items.put(item)
        return item.done

    def stop(self) -> None:
        """End the thread after the work in progress; queued work fails with StoreError."""
        while True:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                break
            if item is not None and not item.done.done():
                item.done.set_exception(StoreError("the store is closed"))
        self._items.put(None)

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            item.run()
            # Nothing of it is kept while the thread waits for the next.
            del item


class _Item:
    """A piece of work, and the future of its result."""

    __slots__ = ("_loop", "_work", "done")

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Any] = self._loop.create_future()

    def run(self) -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = self._work()
        except BaseException as error:
            failure = error
        try:
            self._loop.call_soon_threadsafe(self._settle, result, failure)
        except RuntimeError:
            return  # The loop is closed: nobody waits any more.

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        if self.done.done():
            return
        if failure is None:
            self.done.set_result(result)
        else:
            self.done.set_exception(failure)
