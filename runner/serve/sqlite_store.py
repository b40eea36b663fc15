"""Keeps the records of calls in an SQLite file, on a thread of its own. Decides nothing about a record."""

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from runner.call.record_json import encode
from runner.errors import CannotRunError, StoreError
from runner.model.record import CallRecord

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
        record TEXT NOT NULL
    )""",
    "CREATE INDEX calls_by_start ON calls (started_at)",
    "CREATE INDEX calls_by_agent ON calls (agent, started_at)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_SAVE = """INSERT INTO calls (id, agent, started_at, ended_at, ended, cost_usd, record)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        agent = excluded.agent, started_at = excluded.started_at, ended_at = excluded.ended_at,
        ended = excluded.ended, cost_usd = excluded.cost_usd, record = excluded.record"""

_Row: TypeAlias = tuple[str, str, float, float | None, str, float | None, str]
_DISK_FAILS = (sqlite3.Error, OSError, CannotRunError)


class SqliteStore:
    """A `runner.serve.store.Store` in one file.

    Everything but the public methods runs on the one worker thread: it owns the connection and the
    records that are still to be written, so that neither needs a lock and a slow disk delays no call.
    """

    def __init__(self, path: str) -> None:
        """Raises CannotRunError when the file cannot be written or is not ours."""
        self._path = path
        self._unwritten: dict[str, _Row] = {}
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

    async def save(self, record: CallRecord) -> None:
        """See `Store.save`."""
        running = asyncio.get_running_loop().run_in_executor(self._worker, self._write, record)
        await asyncio.shield(running)

    async def close(self) -> None:
        """See `Store.close`."""
        running = asyncio.get_running_loop().run_in_executor(self._worker, self._finish)
        self._worker.shutdown(wait=False)
        await asyncio.shield(running)

    def _write(self, record: CallRecord) -> None:
        row = _row(record)
        self._unwritten[record.id] = row
        try:
            self._put(row)
        except _DISK_FAILS as error:
            if len(self._unwritten) > KEEP:
                self._lose(next(iter(self._unwritten)))
            raise StoreError(self._reason(error)) from None
        self._catch_up()

    def _catch_up(self) -> None:
        """Try what failed before, until something fails again."""
        for row in tuple(self._unwritten.values()):
            try:
                self._put(row)
            except _DISK_FAILS:
                return
            log.info("record was saved late", extra={"call_id": row[0]})

    def _put(self, row: _Row) -> None:
        try:
            self._connected().execute(_SAVE, row)
        except sqlite3.Error:
            self._disconnect()
            raise
        del self._unwritten[row[0]]

    def _lose(self, call_id: str) -> None:
        del self._unwritten[call_id]
        log.error("record is lost", extra={"call_id": call_id})

    def _finish(self) -> None:
        self._catch_up()
        for call_id in tuple(self._unwritten):
            self._lose(call_id)
        self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        """The connection, opened anew after a failure: a disk may have come back."""
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
