"""A store in a PostgreSQL database."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

from runner.model.job import Backlog, DueJob, Job, JobCapacity, JobResult
from runner.model.live_call import Claim, ClaimLimits, FleetCall, HeldCall, Lease, Owner, RunnerInfo
from runner.model.record import CallRecord
from runner.model.stored_call import CallFilter, CallSummary, StoredCall, StoredJob
from runner.model.values import Instant
from runner.store import rows
from runner.store.journal.sealed import HeldPiece, SealedEntries
from runner.store.postgresql import claims, jobs, journal, leases, live_calls, records
from runner.store.postgresql.database import Connection, PostgresqlDatabase
from runner.store.settlement import settlement

_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"


class PostgresqlStore:
    """A store that any number of runners share. `runner.store.store.Store` says what each method does."""

    is_exclusive = False

    def __init__(self, database: PostgresqlDatabase, clock: Callable[[], Instant] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._server: object = None
        """The server that granted the lease."""

    @classmethod
    async def open(cls, url: str, clock: Callable[[], Instant] = time.time) -> "PostgresqlStore":
        """Connect to the database, and bring its schema up to date. Raises CannotRunError."""
        return cls(await PostgresqlDatabase.open(url), clock)

    async def save(
        self, record: CallRecord, jobs_after: Sequence[Job] = (), *, owner: Owner | None = None
    ) -> None:
        async def write(connection: Connection) -> None:
            if await records.save(connection, rows.call_row(record), owner):
                await jobs.add(connection, map(rows.job_row, jobs_after))

        writing = asyncio.create_task(self._database.run(write))
        # Whoever waits no more does not hear of its failure.
        writing.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(writing)

    async def read(self, call_id: str) -> StoredCall | None:
        return await self._database.run(lambda connection: records.read(connection, call_id))

    async def find(self, where: CallFilter, most: int) -> list[CallSummary]:
        return await self._database.run(lambda connection: records.find(connection, where, most))

    async def texts(self, where: CallFilter, most: int) -> list[str]:
        return await self._database.run(lambda connection: records.texts(connection, where, most))

    async def count_calls(self, since: Instant) -> dict[str, int]:
        return await self._database.run(lambda connection: records.count_calls(connection, since))

    async def delete(self, call_id: str) -> bool:
        return await self._database.run(lambda connection: records.delete(connection, call_id))

    async def delete_before(self, instant: Instant, most: int) -> int:
        async def delete(connection: Connection) -> int:
            # One runner with a wrong clock would delete what all of them keep.
            live_calls.check_clock(self._clock(), await connection.fetchval(_NOW))
            return await records.delete_before(connection, instant, most)

        return await self._database.run(delete)

    async def take(self, capacity: JobCapacity, *, now: Instant, lease_s: float) -> list[DueJob]:
        return await self._database.run(lambda connection: jobs.take(connection, capacity, now, lease_s))

    async def settle(self, due: DueJob, result: JobResult, now: Instant) -> None:
        settled = settlement(due, result, now)
        await self._database.run(lambda connection: jobs.settle(connection, settled))

    async def release(self, due: Sequence[DueJob]) -> None:
        await self._database.run(lambda connection: jobs.release(connection, due))

    async def backlog(self, busy: Collection[str] = ()) -> Backlog:
        return await self._database.run(lambda connection: jobs.backlog(connection, busy))

    async def parked(self, most: int) -> list[StoredJob]:
        return await self._database.run(lambda connection: jobs.parked(connection, most))

    async def retry_parked(self, call_id: str, now: Instant) -> int:
        return await self._database.run(lambda connection: jobs.retry_parked(connection, call_id, now))

    async def join(self, runner: RunnerInfo, lease_s: float) -> Lease:
        async def write(connection: Connection) -> tuple[Lease, object]:
            lease = await leases.join(connection, runner, lease_s)
            return lease, await leases.server_started_at(connection)

        lease, self._server = await self._database.run(write)
        return lease

    async def renew(self, lease: Lease) -> bool:
        server = await self._database.run(
            lambda connection: leases.renew(connection, lease), is_one_statement=True, is_urgent=True
        )
        return server is not None and server == self._server

    async def assert_calls(
        self, runner: RunnerInfo, lease: Lease, calls: Callable[[], Sequence[HeldCall]], lease_s: float
    ) -> tuple[Lease, dict[str, int]]:
        async def write(connection: Connection) -> tuple[Lease, dict[str, int], object]:
            new = await leases.join(connection, runner, lease_s, lease.epoch)
            fences = await live_calls.assert_calls(connection, new, calls())
            return new, fences, await leases.server_started_at(connection)

        new, fences, self._server = await self._database.run(write, is_urgent=True)
        return new, fences

    async def leave(self, lease: Lease) -> None:
        await self._database.run(lambda connection: leases.leave(connection, lease))

    async def claim(
        self, lease: Lease, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None = None
    ) -> Claim:
        if limits == ClaimLimits() and call.api_call_id is None:
            claim = await self._database.run(
                lambda connection: claims.claim_new(connection, lease, call, ring), is_one_statement=True
            )
            if claim is not None:
                return claim
        return await self._database.run(
            lambda connection: claims.claim(connection, lease, call, limits, ring)
        )

    async def set_state(self, lease: Lease, call: HeldCall) -> int:
        return await self._database.run(
            lambda connection: live_calls.set_state(connection, lease, call), is_one_statement=True
        )

    async def unclaim(self, lease: Lease, call: HeldCall) -> None:
        await self._database.run(lambda connection: claims.unclaim(connection, lease, call))

    async def retire(self, lease: Lease) -> None:
        await self._database.run(lambda connection: leases.retire(connection, lease))

    async def hand_over(self, lease: Lease, call_ids: Sequence[str]) -> None:
        await self._database.run(lambda connection: live_calls.hand_over(connection, lease, call_ids))

    async def take_over(self, lease: Lease) -> list[HeldCall]:
        now = self._clock()
        # Several times a second at each runner, and there is nearly never one.
        if not await self._database.run(
            lambda connection: live_calls.has_left_calls(connection, now), is_one_statement=True
        ):
            return []
        return await self._database.run(lambda connection: live_calls.take_over(connection, lease))

    async def live_calls(self) -> list[FleetCall]:
        return await self._database.run(live_calls.live_calls, is_one_statement=True)

    async def live_call(self, call_id: str) -> FleetCall | None:
        return await self._database.run(
            lambda connection: live_calls.live_call(connection, call_id), is_one_statement=True
        )

    async def runners(self) -> list[RunnerInfo]:
        return await self._database.run(leases.runners, is_one_statement=True)

    async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
        return await self._database.run(
            lambda connection: journal.append(connection, lease, pieces), is_one_statement=True
        )

    async def append_late(self, pieces: Sequence[HeldPiece], *, were_lost: bool = False) -> set[str]:
        return await self._database.run(
            lambda connection: journal.append_late(connection, pieces, were_lost=were_lost)
        )

    async def late(self, lease: Lease) -> list[SealedEntries]:
        return await self._database.run(
            lambda connection: journal.late(connection, lease), is_one_statement=True
        )

    async def forget_late(self, lease: Lease, pieces: Sequence[SealedEntries]) -> None:
        await self._database.run(
            lambda connection: journal.forget_late(connection, lease, pieces), is_one_statement=True
        )

    async def journals(self, call_ids: Sequence[str]) -> dict[str, list[SealedEntries]]:
        return await self._database.run(
            lambda connection: journal.read(connection, call_ids), is_one_statement=True
        )

    async def publish(self, lease: Lease, configuration: str, texts: str) -> None:
        await self._database.run(lambda connection: journal.publish(connection, lease, configuration, texts))

    async def configuration(self, configuration: str) -> str | None:
        return await self._database.run(
            lambda connection: journal.configuration(connection, configuration), is_one_statement=True
        )

    async def sweep(self) -> None:
        await self._database.run(journal.sweep)

    async def close(self) -> None:
        await self._database.close()
