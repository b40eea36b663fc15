"""Keeps calls, and what is owed after them, in an SQLite file, on a thread of its own. Decides nothing."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

from runner.call.records.record_json import encode
from runner.errors import CannotRunError, StoreError
from runner.model.job import Backlog, DueJob, Job, JobResult
from runner.model.record import CallRecord
from runner.model.values import Instant
from runner.serve import sqlite_jobs

log = logging.getLogger("runner.serve.store")

APPLICATION_ID = 0x70616773
"""Marks the file as ours among all SQLite files (PRAGMA application_id)."""
SCHEMA_VERSION = 1
BUSY_S = 3.0
"""How long to wait for another process that is writing to the file."""
KEEP = 1000
"""How many records are kept in memory while the disk fails; then the oldest is given up."""

_SCHEMA = (
    """CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        agent TEXT NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        ended TEXT NOT NULL,
        cost_usd REAL,
        record TEXT NOT NULL,
        outcome TEXT
    )""",
    "CREATE INDEX calls_by_start ON calls (started_at)",
    "CREATE INDEX calls_by_agent ON calls (agent, started_at)",
    *sqlite_jobs.SCHEMA,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_SAVE = """INSERT INTO calls (id, agent, started_at, ended_at, ended, cost_usd, record)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        agent = excluded.agent, started_at = excluded.started_at, ended_at = excluded.ended_at,
        ended = excluded.ended, cost_usd = excluded.cost_usd, record = excluded.record"""

_COUNT = "SELECT agent, count(*) FROM calls WHERE started_at >= ? GROUP BY agent"

_Row: TypeAlias = tuple[str, str, float, float | None, str, float | None, str]
_Result = TypeVar("_Result")
_DISK_FAILS = (sqlite3.Error, OSError, CannotRunError)


class SqliteStore:
    """A `runner.serve.store.Store` in one file.

    Everything but the public methods runs on the one worker thread: it owns the connection and the
    records that are still to be written, so that neither needs a lock and a slow disk delays no call.
    """

    def __init__(self, path: str) -> None:
        """Raises CannotRunError when the file cannot be written or is not ours."""
        self._path = path
        self._unwritten: dict[str, tuple[_Row, list[sqlite_jobs.Row]]] = {}
        self._connection: sqlite3.Connection | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            self._worker.submit(self._connected).result()
        except (sqlite3.Error, OSError) as error:
            self._worker.shutdown()
            raise CannotRunError(f'store "sqlite:{path}" cannot be used: {self._reason(error)}') from None
        except CannotRunError:
            self._worker.shutdown()
            raise

    async def save(self, record: CallRecord, jobs: Sequence[Job] = ()) -> None:
        """See `Store.save`."""
        await self._on_thread(lambda: self._write(record, jobs))

    async def take(self, most: int, *, now: Instant, until: Instant) -> list[DueJob]:
        """See `Store.take`."""
        return await self._in_transaction(lambda connection: sqlite_jobs.take(connection, most, now, until))

    async def settle(self, job: Job, result: JobResult, now: Instant) -> None:
        """See `Store.settle`."""
        await self._in_transaction(lambda connection: sqlite_jobs.settle(connection, job, result, now))

    async def release(self, jobs: Sequence[Job]) -> None:
        """See `Store.release`."""
        await self._in_transaction(lambda connection: sqlite_jobs.release(connection, jobs))

    async def backlog(self) -> Backlog:
        """See `Store.backlog`."""
        return await self._in_transaction(sqlite_jobs.backlog)

    async def count_calls(self, since: Instant) -> dict[str, int]:
        """See `Store.count_calls`."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._count, since)

    async def close(self) -> None:
        """See `Store.close`."""
        running = asyncio.get_running_loop().run_in_executor(self._worker, self._finish)
        self._worker.shutdown(wait=False)
        await asyncio.shield(running)

    async def _on_thread(self, work: Callable[[], _Result]) -> _Result:
        """What was begun is brought to its end, whether anybody waits for it or not."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._worker, work))

    async def _in_transaction(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        def run() -> _Result:
            try:
                with self._transaction() as connection:
                    return work(connection)
            except _DISK_FAILS as error:
                raise StoreError(self._reason(error)) from None

        return await self._on_thread(run)

    def _write(self, record: CallRecord, jobs: Sequence[Job]) -> None:
        row = _row(record)
        self._unwritten[record.id] = row, [sqlite_jobs.row_of(job) for job in jobs]
        try:
            self._put(record.id)
        except _DISK_FAILS as error:
            if len(self._unwritten) > KEEP:
                self._lose(next(iter(self._unwritten)))
            raise StoreError(self._reason(error)) from None
        self._catch_up()

    def _count(self, since: Instant) -> dict[str, int]:
        try:
            return dict(self._connected().execute(_COUNT, (since,)).fetchall())
        except (sqlite3.Error, OSError) as error:
            raise CannotRunError(
                f'store "sqlite:{self._path}" cannot be read: {self._reason(error)}'
            ) from None

    def _catch_up(self) -> None:
        """Try what failed before, until something fails again."""
        for call_id in tuple(self._unwritten):
            try:
                self._put(call_id)
            except _DISK_FAILS:
                return
            log.info("record was saved late", extra={"call_id": call_id})

    def _put(self, call_id: str) -> None:
        row, owed = self._unwritten[call_id]
        with self._transaction() as connection:
            connection.execute(_SAVE, row)
            sqlite_jobs.owe(connection, owed)
        del self._unwritten[call_id]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing. After a failure the connection is opened anew: a disk may come back."""
        connection = self._connected()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # Closing takes back what was not committed.
            self._disconnect()
            raise

    def _lose(self, call_id: str) -> None:
        del self._unwritten[call_id]
        log.error("record is lost", extra={"call_id": call_id})

    def _finish(self) -> None:
        self._catch_up()
        for call_id in tuple(self._unwritten):
            self._lose(call_id)
        self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        """The connection, opened when there is none."""
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Check that the file is ours or new and can be written, before anything in it is changed."""
        connection.execute("BEGIN IMMEDIATE")
        self._create(connection)
        connection.execute("COMMIT")
        # The mode stays with the file. Changing it does not wait for others, so when it is refused another
        # process is at it, and the next to open the file tries again.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
        # With WAL a crash of the process loses nothing; a power cut may lose the last records, and never
        # harms the file (https://www.sqlite.org/pragma.html#pragma_synchronous).
        connection.execute("PRAGMA synchronous = NORMAL")

    def _create(self, connection: sqlite3.Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not (application or version or tables):
            for statement in _SCHEMA:
                connection.execute(statement)
        elif application != APPLICATION_ID:
            raise CannotRunError(
                f'store "sqlite:{self._path}" is the database of another program; name another file'
            )
        elif version > SCHEMA_VERSION:
            raise CannotRunError(
                f'store "sqlite:{self._path}" was written by a newer phone-agents (schema {version}, '
                f"this one knows {SCHEMA_VERSION}); use that one or name another file"
            )

    def _reason(self, error: Exception) -> str:
        folder = Path(self._path).parent
        if not folder.is_dir():
            return f'"{folder}" is not a directory'
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            return "the file is not an SQLite database; name another file"
        return str(error)


def _row(record: CallRecord) -> _Row:
    return (
        record.id,
        record.agent,
        record.created_at,
        record.ended_at,
        record.ended,
        record.cost_usd,
        encode(record),
    )
