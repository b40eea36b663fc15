"""Where the records of calls, and what is owed after them, are kept. Knows of no database itself."""

from collections.abc import Sequence
from typing import Protocol

from runner.errors import CannotRunError
from runner.model.job import Backlog, DueJob, Job, JobResult
from runner.model.record import CallRecord
from runner.model.values import Instant
from runner.serve.sqlite_store import SqliteStore


class Store(Protocol):
    """Keeps the record of each call, and what is owed after it."""

    async def save(self, record: CallRecord, jobs: Sequence[Job] = ()) -> None:
        """Write a record and what its call owes, both or neither; a record of the same call is replaced.

        Raises StoreError when it cannot be written now. It is kept then, and tried again with each
        further record and at `close`. Cancelling the wait does not cancel the writing.
        """

    async def take(self, most: int, *, now: Instant, until: Instant) -> list[DueJob]:
        """What is due, the longest due first. It is due again at `until` unless it is settled before, so that
        nobody else takes it meanwhile, and that it is not lost with whoever has taken it.

        Raises StoreError, and then nothing is taken.
        """

    async def settle(self, job: Job, result: JobResult, now: Instant) -> None:
        """Write down what came of an attempt. Once an outcome is done or parked, the deliveries that wait
        for it are due.

        Raises StoreError when it cannot be written; then the job is due again as `take` said.
        """

    async def release(self, jobs: Sequence[Job]) -> None:
        """These were taken and not attempted to the end: they are due as they were. Raises StoreError."""

    async def backlog(self) -> Backlog:
        """How much is owed. Raises StoreError."""

    async def count_calls(self, since: Instant) -> dict[str, int]:
        """How many calls that began to ring at `since` or later have a record, by the agent that answered.

        Raises CannotRunError when the store cannot be read: who starts without the count may take too many.
        """

    async def close(self) -> None:
        """Write what is still kept and let go. The log names the records that are lost."""


def open_store(url: str) -> Store:
    """Open the store that `store` in runner.yaml names, and create it where there is none.

    `sqlite:PATH` is a file, relative to the working directory; `sqlite::memory:` forgets everything at the
    end. Raises CannotRunError, with what would help, when the store cannot be written.
    """
    scheme, _, path = url.partition(":")
    if scheme != "sqlite":
        # Only the scheme is shown: the rest may hold a password.
        raise CannotRunError(f'a store of the kind "{scheme}" is not supported; write "sqlite:calls.db"')
    if not path or path.startswith("//"):
        raise CannotRunError(f'store "{url}" names no file; write "sqlite:calls.db"')
    return SqliteStore(path)
