"""A store in one SQLite file."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from sqlite3 import Connection

from runner.errors import LeaseLostError
from runner.model.job import Backlog, DueJob, Job, JobCapacity, JobResult
from runner.model.live_call import Claim, ClaimLimits, FleetCall, HeldCall, Lease, Owner, RunnerInfo
from runner.model.record import CallRecord
from runner.model.stored_call import CallFilter, CallSummary, StoredCall, StoredJob
from runner.model.values import Instant
from runner.store import rows
from runner.store.journal.sealed import HeldPiece, SealedEntries
from runner.store.settlement import settlement
from runner.store.sqlite import fleet, jobs, journal, journal_log, records
from runner.store.sqlite.database import SqliteDatabase
from runner.store.sqlite.left_journals import LeftJournals
from runner.store.sqlite.lock import ProcessLock


class SqliteStore:
    """A store in one file. `runner.store.store.Store` says what each method does."""

    is_exclusive = True

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._lock = ProcessLock(database.path)
        self._runner: RunnerInfo | None = None
        self._may_have_free = True
        """Whether calls may be without a runner: nobody else makes one free."""
        self._left = LeftJournals()
        """The journals of calls that were taken over, until each is read. To find one takes as long as to
        find all.
        """

    @classmethod
    async def open(cls, path: str) -> "SqliteStore":
        """Open the file, or create it. Raises CannotRunError."""
        database = SqliteDatabase(path)
        await database.open()
        return cls(database)

    async def save(
        self, record: CallRecord, jobs_after: Sequence[Job] = (), *, owner: Owner | None = None
    ) -> None:
        def write(connection: Connection) -> None:
            if records.save(connection, rows.call_row(record), owner):
                jobs.add(connection, map(rows.job_row, jobs_after))

        await self._database.write(write)

    async def read(self, call_id: str) -> StoredCall | None:
        return await self._database.read(lambda connection: records.read(connection, call_id))

    async def find(self, where: CallFilter, most: int) -> list[CallSummary]:
        return await self._database.read(lambda connection: records.find(connection, where, most))

    async def texts(self, where: CallFilter, most: int) -> list[str]:
        return await self._database.read(lambda connection: records.texts(connection, where, most))

    async def count_calls(self, since: Instant) -> dict[str, int]:
        return await self._database.read(lambda connection: records.count_calls(connection, since))

    async def delete(self, call_id: str) -> bool:
        return await self._database.write(lambda connection: records.delete(connection, call_id))

    async def delete_before(self, instant: Instant, most: int) -> int:
        return await self._database.write(lambda connection: records.delete_before(connection, instant, most))

    async def take(self, capacity: JobCapacity, *, now: Instant, lease_s: float) -> list[DueJob]:
        return await self._database.write(lambda connection: jobs.take(connection, capacity, now, lease_s))

    async def settle(self, due: DueJob, result: JobResult, now: Instant) -> None:
        settled = settlement(due, result, now)
        await self._database.write(lambda connection: jobs.settle(connection, settled))

    async def release(self, due: Sequence[DueJob]) -> None:
        await self._database.write(lambda connection: jobs.release(connection, due))

    async def backlog(self, busy: Collection[str] = ()) -> Backlog:
        return await self._database.read(lambda connection: jobs.backlog(connection, busy))

    async def parked(self, most: int) -> list[StoredJob]:
        return await self._database.read(lambda connection: jobs.parked(connection, most))

    async def retry_parked(self, call_id: str, now: Instant) -> int:
        return await self._database.write(lambda connection: jobs.retry_parked(connection, call_id, now))

    async def join(self, runner: RunnerInfo, lease_s: float) -> Lease:
        """See `FleetStore.join`. The lease lasts as long as the process, since no other can take it."""
        self._lock.take()
        self._runner = runner
        return Lease(runner=runner.id, epoch=self._database.files_opened)

    async def renew(self, lease: Lease) -> bool:
        """See `FleetStore.renew`. A file that replaced a deleted one knows no call."""
        await self._database.read(lambda connection: connection.execute("SELECT 1").fetchone())
        return lease.epoch == self._database.files_opened

    async def assert_calls(
        self, runner: RunnerInfo, lease: Lease, calls: Callable[[], Sequence[HeldCall]], lease_s: float
    ) -> tuple[Lease, dict[str, int]]:
        self._may_have_free = True  # in a file that has taken the place of another
        held = calls()
        fences = await self._database.write(
            lambda connection: fleet.assert_calls(connection, lease.runner, held)
        )
        return Lease(runner=lease.runner, epoch=self._database.files_opened), fences

    async def leave(self, lease: Lease) -> None:
        self._lock.release()

    async def claim(
        self, lease: Lease, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None = None
    ) -> Claim:
        return await self._database.write(
            lambda connection: fleet.claim(connection, self._holder(lease), call, limits, ring)
        )

    async def set_state(self, lease: Lease, call: HeldCall) -> int:
        return await self._database.write(lambda connection: fleet.set_state(connection, lease.runner, call))

    async def unclaim(self, lease: Lease, call: HeldCall) -> None:
        await self._database.write(lambda connection: fleet.unclaim(connection, lease.runner, call))

    async def retire(self, lease: Lease) -> None:
        """See `FleetStore.retire`. There is no other runner that could stay."""

    async def hand_over(self, lease: Lease, call_ids: Sequence[str]) -> None:
        self._may_have_free = True
        await self._database.write(lambda connection: fleet.hand_over(connection, lease.runner, call_ids))

    async def take_over(self, lease: Lease) -> list[HeldCall]:
        """See `FleetStore.take_over`. The calls of another process are free at once."""

        def take(connection: Connection) -> list[HeldCall]:
            calls = fleet.take_over(connection, self._holder(lease))
            if calls:
                self._left = journal_log.left_journals(connection, [call.id for call in calls])
            return calls

        if not self._may_have_free and self._holder(lease):
            return []  # This is asked twice a second, and to look at all calls takes time.
        self._may_have_free = False
        try:
            return await self._database.write(take)
        except BaseException:
            self._may_have_free = True
            raise

    async def live_calls(self) -> list[FleetCall]:
        return await self._database.read(lambda connection: fleet.live_calls(connection, self._address))

    async def live_call(self, call_id: str) -> FleetCall | None:
        return await self._database.read(
            lambda connection: fleet.live_call(connection, call_id, self._address)
        )

    async def runners(self) -> list[RunnerInfo]:
        """See `FleetStore.runners`. There is no other."""
        return [self._runner] if self._runner is not None else []

    async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
        self._forget(piece.call_id for piece in pieces)
        return await self._database.write(
            lambda connection: journal.append(connection, self._holder(lease), pieces)
        )

    async def append_late(self, pieces: Sequence[HeldPiece], *, were_lost: bool = False) -> set[str]:
        self._forget(piece.call.id for piece in pieces)
        self._may_have_free = True
        return await self._database.write(
            lambda connection: journal.append_late(connection, pieces, were_lost=were_lost)
        )

    async def late(self, lease: Lease) -> list[SealedEntries]:
        """See `JournalStore.late`. Nobody writes beside this process."""
        return []

    async def forget_late(self, lease: Lease, pieces: Sequence[SealedEntries]) -> None:
        """See `JournalStore.forget_late`. There are none."""

    async def journals(self, call_ids: Sequence[str]) -> dict[str, list[SealedEntries]]:
        known = {call_id: self._left.take(call_id) for call_id in call_ids if call_id in self._left}
        others = [call_id for call_id in call_ids if call_id not in known]
        if not others:
            return known
        return known | await self._database.read(lambda connection: journal_log.read(connection, others))

    async def publish(self, lease: Lease, configuration: str, texts: str) -> None:
        await self._database.write(lambda connection: journal.publish(connection, configuration, texts))
        if self._runner is not None:
            self._runner = replace(self._runner, configuration=configuration)

    async def configuration(self, configuration: str) -> str | None:
        return await self._database.read(lambda connection: journal.configuration(connection, configuration))

    async def sweep(self) -> None:
        own = self._runner.configuration if self._runner is not None else None
        await self._database.write(lambda connection: journal.sweep(connection, own))

    async def close(self) -> None:
        await self._database.close()
        self._lock.release()

    def _forget(self, call_ids: Iterable[str]) -> None:
        """These journals are about to change."""
        if self._left:
            for call_id in call_ids:
                self._left.forget(call_id)

    @property
    def _address(self) -> str | None:
        return self._runner.address if self._runner is not None else None

    def _holder(self, lease: Lease) -> str:
        """The runner of this lease. Raises LeaseLostError when the file that granted it is gone."""
        if lease.epoch != self._database.files_opened:
            raise LeaseLostError("the lease is over")
        return lease.runner
