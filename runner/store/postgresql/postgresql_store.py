"""A store in a PostgreSQL database."""

import asyncio
from collections.abc import Sequence

from runner.model.job import Backlog, DueJob, Job, JobResult
from runner.model.record import CallRecord
from runner.model.stored_call import CallFilter, CallSummary, StoredCall, StoredJob
from runner.model.values import Instant
from runner.store import rows
from runner.store.postgresql import jobs, records
from runner.store.postgresql.database import Connection, Database


class PostgresqlStore:
    """A `runner.store.store.Store` that any number of runners share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, url: str) -> "PostgresqlStore":
        """Connect to the database, and bring its schema up to date. Raises CannotRunError."""
        return cls(await Database.open(url))

    async def save(self, record: CallRecord, jobs_after: Sequence[Job] = ()) -> None:
        """See `Records.save`."""

        async def write(connection: Connection) -> None:
            await records.save(connection, rows.call_row(record))
            await jobs.add(connection, map(rows.job_row, jobs_after))

        await asyncio.shield(self._database.run(write))

    async def read(self, call_id: str) -> StoredCall | None:
        """See `Records.read`."""
        return await self._database.run(lambda connection: records.read(connection, call_id))

    async def find(self, where: CallFilter, most: int) -> list[CallSummary]:
        """See `Records.find`."""
        return await self._database.run(lambda connection: records.find(connection, where, most))

    async def count_calls(self, since: Instant) -> dict[str, int]:
        """See `Records.count_calls`."""
        return await self._database.run(lambda connection: records.count_calls(connection, since))

    async def delete(self, call_id: str) -> bool:
        """See `Records.delete`."""
        return await self._database.run(lambda connection: records.delete(connection, call_id))

    async def delete_before(self, instant: Instant, most: int) -> int:
        """See `Records.delete_before`."""
        return await self._database.run(lambda connection: records.delete_before(connection, instant, most))

    async def take(self, most: int, *, now: Instant, lease_s: float) -> list[DueJob]:
        """See `Jobs.take`."""
        return await self._database.run(lambda connection: jobs.take(connection, most, now, lease_s))

    async def settle(self, due: DueJob, result: JobResult, now: Instant) -> None:
        """See `Jobs.settle`."""
        await self._database.run(lambda connection: jobs.settle(connection, due, result, now))

    async def release(self, due: Sequence[DueJob]) -> None:
        """See `Jobs.release`."""
        await self._database.run(lambda connection: jobs.release(connection, due))

    async def backlog(self) -> Backlog:
        """See `Jobs.backlog`."""
        return await self._database.run(jobs.backlog)

    async def parked(self, most: int) -> list[StoredJob]:
        """See `Jobs.parked`."""
        return await self._database.run(lambda connection: jobs.parked(connection, most))

    async def retry_parked(self, call_id: str, now: Instant) -> int:
        """See `Jobs.retry_parked`."""
        return await self._database.run(lambda connection: jobs.retry_parked(connection, call_id, now))

    async def close(self) -> None:
        """See `Store.close`."""
        await self._database.close()
