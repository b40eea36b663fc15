"""Gathers what waits to be written, so that it is written in one transaction.

When many calls ring at once, a transaction for each would cost more than what is in it.
"""

from collections import deque
from collections.abc import Callable
from sqlite3 import Connection
from typing import Any, Generic, TypeVar, cast

MOST_TOGETHER = 64
"""Writes in one transaction."""

_Result = TypeVar("_Result")
Transact = Callable[[Callable[[Connection], None]], None]
"""Runs work in a transaction, wholly or not at all."""


class Write(Generic[_Result]):
    """Work that is to be written, and then its result."""

    __slots__ = ("_result", "_work", "error", "has_failed", "is_done")

    def __init__(self, work: Callable[[Connection], _Result]) -> None:
        self._work = work
        self._result: _Result | None = None
        self.error: Exception | None = None
        """Why it is not written."""
        self.has_failed = False
        """Whether the work itself has raised an error."""
        self.is_done = False

    def do(self, connection: Connection) -> None:
        """Do the work, in a transaction."""
        self.has_failed = True
        self._result = self._work(connection)
        self.has_failed = False

    def result(self) -> _Result:
        """The result. Raises the error of a write that failed."""
        if self.error is not None:
            raise self.error
        return cast(_Result, self._result)


class WriteQueue:
    """Writes in order. `put` is called on the event loop, `finish` on the thread of the database."""

    def __init__(self, transact: Transact) -> None:
        self._transact = transact
        self._waiting: deque[Write[Any]] = deque()

    def put(self, work: Callable[[Connection], _Result]) -> Write[_Result]:
        """Queue this work. Somebody has to `finish` it, in the order of the queue."""
        write = Write(work)
        self._waiting.append(write)
        return write

    def finish(self, write: Write[Any]) -> None:
        """Do this work and what waits behind it, unless it was done together with work before it."""
        if write.is_done:
            return
        together = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]

        def do_all(connection: Connection) -> None:
            for each in together:
                each.do(connection)

        error = self._try(do_all)
        is_fault_of_one = len(together) > 1 and any(each.has_failed for each in together)
        for each in together:
            # The fault of one of them is not that of the others.
            each.error = self._try(each.do) if is_fault_of_one else error
            each.is_done = True

    def _try(self, work: Callable[[Connection], None]) -> Exception | None:
        try:
            self._transact(work)
        except Exception as error:
            return error
        return None
