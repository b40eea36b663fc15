"""What a store promises. Every engine fulfils it, held to it by the same tests; none of it decides anything.

Every method raises StoreError when the database cannot do it now, and then nothing of it is done.
"""

from collections.abc import Sequence
from typing import Protocol

from runner.model.job import Backlog, DueJob, Job, JobResult
from runner.model.record import CallRecord
from runner.model.stored_call import CallFilter, CallSummary, StoredCall, StoredJob
from runner.model.values import Instant


class Records(Protocol):
    """The records of calls that are over."""

    async def save(self, record: CallRecord, jobs: Sequence[Job] = ()) -> None:
        """Write a record and the jobs after its call, both or neither; a record of the same call is replaced.

        A job that is there already stays as it is. Cancelling the wait does not cancel the writing.
        """

    async def read(self, call_id: str) -> StoredCall | None:
        """One call with its outcome and its open and parked jobs."""

    async def find(self, where: CallFilter, most: int) -> list[CallSummary]:
        """The newest calls that fit, at most so many, newest first."""

    async def count_calls(self, since: Instant) -> dict[str, int]:
        """How many calls that began to ring at `since` or later have a record, by the agent that answered."""

    async def delete(self, call_id: str) -> bool:
        """Delete the record of a call with all its jobs. Whether there was one."""

    async def delete_before(self, instant: Instant, most: int) -> int:
        """Delete at most so many calls that began to ring before this instant, the oldest first; how many.

        A call whose jobs are still tried stays until they are done or parked.
        """


class Jobs(Protocol):
    """The jobs after calls."""

    async def take(self, most: int, *, now: Instant, lease_s: float) -> list[DueJob]:
        """The jobs that are due at `now`, the longest due first.

        Nobody else gets one of them for `lease_s`, and then it is due again, so that it is not lost with
        whoever took it. A job that cannot be read is parked, and the log says so.
        """

    async def settle(self, due: DueJob, result: JobResult, now: Instant) -> None:
        """Write down the result of an attempt. Once an outcome is done or parked, the deliveries that wait
        for it are due. When another has taken the job meanwhile, only `Done` counts.
        """

    async def release(self, jobs: Sequence[DueJob]) -> None:
        """Give back jobs that were taken and not attempted to the end: they are due as they were."""

    async def backlog(self) -> Backlog:
        """How many jobs there are."""

    async def parked(self, most: int) -> list[StoredJob]:
        """The jobs that were given up, the newest first."""

    async def retry_parked(self, call_id: str, now: Instant) -> int:
        """Open the parked jobs of a call again, due at `now`, as if they were new; how many."""


class Store(Records, Jobs, Protocol):
    """Keeps what calls leave behind."""

    async def close(self) -> None:
        """Let go of the database. Bounded in time, and safe to call twice."""
