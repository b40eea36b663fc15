"""One SQLite file: created or checked when it is opened, and used on a thread of its own.

Only that thread touches the connection, so that it needs no lock and a slow disk delays no call.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from runner.errors import CannotRunError, StoreError, StoreRefusedError
from runner.store.migrations import Migration, migrations
from runner.store.sqlite.inspection import APPLICATION_ID, damage_of, state_of
from runner.store.sqlite.obstacle import Obstacle, obstacle_of
from runner.store.sqlite.worker import Worker
from runner.store.sqlite.write_queue import WriteQueue

NEEDED = (3, 37)
"""The first SQLite with STRICT tables; RETURNING is older."""
BUSY_S = 1.0
"""How long to wait for another process that is writing to the file. After one wait in vain all work fails at
once until the file is free: it is in one queue, so all calls would wait for each other.
"""
CHECK_S = 5.0
"""How long the check for damage may take when the file is opened: some GB. No more than that is checked."""
CLOSE_S = 3.0
"""How long closing may wait for work in progress."""
CACHE_KIB = 256
"""SQLite's page cache. Its default of 2 MB saves no CPU here."""
MEMORY = ":memory:"

_Result = TypeVar("_Result")
_FAILURES = (sqlite3.Error, OSError, CannotRunError)
_REFUSALS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, ValueError, OverflowError)
"""Errors that the row causes, and not the disk."""


class SqliteDatabase:
    """Runs work in transactions. `open` it first, and `close` it at the end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """Device and inode of the file that is open."""
        self.files_opened = 0
        """How many files were opened at this path: one, unless the file was deleted or moved meanwhile."""
        self._is_closed = False
        self._is_locked = False
        """Whether the last attempt failed because another process was writing."""
        self._thread = Worker("store")
        self._writes = WriteQueue(self._write)

    async def open(self) -> None:
        """Create the file if necessary; else check that it is ours, undamaged, and writable.

        Raises CannotRunError, which says what would help.
        """
        try:
            await self._on_thread(self._open)
        except (sqlite3.Error, OSError) as error:
            self._thread.stop()
            raise CannotRunError(
                f'store "sqlite:{self.path}" cannot be used: {self._reason(error)}'
            ) from None
        except BaseException:
            self._thread.stop()
            raise

    async def read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run work that changes nothing and return its result. Raises StoreError."""
        return await self._on_thread(lambda: self._run(work, "BEGIN"))

    async def write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run work in a transaction and return its result. Raises StoreError, and then nothing is done.

        Work that has begun is finished, whether or not anybody waits for it.
        """
        if self._is_closed:
            raise StoreError("the store is closed")
        write = self._writes.put(work)
        await self._thread.do(lambda: self._writes.finish(write))
        return write.result()

    async def close(self) -> None:
        """Close the file, after at most `CLOSE_S`. Queued work fails with StoreError."""
        if self._is_closed:
            return
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._thread.do(self._disconnect)
        self._thread.stop()

    async def _on_thread(self, work: Callable[[], _Result]) -> _Result:
        if self._is_closed:
            raise StoreError("the store is closed")
        return await self._thread.do(work)

    # On the thread

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        self._run(work, "BEGIN IMMEDIATE")

    def _run(self, work: Callable[[sqlite3.Connection], _Result], begin: str) -> _Result:
        if self._is_closed:
            raise StoreError("the store is closed")
        try:
            return self._transaction(work, begin)
        except _REFUSALS as error:
            raise StoreRefusedError(str(error)) from None
        except _FAILURES as error:
            self._is_locked = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            raise StoreError(self._reason(error)) from None

    def _open(self) -> None:
        connection = self._connected()
        try:
            _check_whole(connection, self.path)
        except BaseException:
            self._disconnect()
            raise

    def _transaction(self, work: Callable[[sqlite3.Connection], _Result], begin: str) -> _Result:
        """Do all of the work or nothing. A failure closes the connection, and the next work opens another: a
        disk may come back.
        """
        self._check_place()
        connection = self._connected()
        try:
            connection.execute(begin)
            result = work(connection)
            connection.execute("COMMIT")
            if self._is_locked:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
                self._is_locked = False
        except BaseException:
            # Closing rolls back what was not committed.
            self._disconnect()
            raise
        return result

    def _check_place(self) -> None:
        """Raise StoreError, once, when the file was deleted or moved: SQLite would go on writing to it.

        The next transaction opens, or creates, the file at its path.
        """
        if self._connection is not None and self._file != _identity(self.path):
            with suppress(sqlite3.Error):
                # The write-ahead log belongs to the file that was moved; closing would leave it behind.
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._disconnect()
            self._file = None  # the next file may get the number of this one
            raise StoreError("the file was deleted or moved while it was in use; a new one takes its place")

    def _connected(self) -> sqlite3.Connection:
        """The connection, opened when there is none."""
        if self._connection is None:
            if (obstacle := self._obstacle()) is not None:
                # SQLite would open a file that may only be read, and fail when a call is over.
                raise OSError(str(obstacle))
            _create_private(self.path)
            patience_s = 0.0 if self._is_locked else BUSY_S
            connection = sqlite3.connect(self.path, timeout=patience_s, isolation_level=None)
            try:
                _prepare(connection, self.path)
                _make_private(self.path)
            except BaseException:
                connection.close()
                raise
            if (file := _identity(self.path)) != self._file or not self.files_opened:
                self.files_opened += 1
            self._connection, self._file = connection, file
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _obstacle(self) -> Obstacle | None:
        return None if self.path == MEMORY else obstacle_of(self.path)

    def _reason(self, error: Exception) -> str:
        if (obstacle := self._obstacle()) is not None:
            return str(obstacle)
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            return "the file is not an SQLite database; name another file"
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            return "its disk is full; make room"
        if isinstance(error, OSError):
            return error.strerror or str(error)
        return str(error)


def _identity(path: str) -> tuple[int, int] | None:
    """The identity of the file; None when there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a path of SQLite's, e.g. ":memory:"
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _create_private(path: str) -> None:
    """Records hold what callers said: only we may read the file. Raises OSError."""
    # An existing file is not opened: closing it would drop the locks of SQLite's own (fcntl(2)).
    if path != MEMORY:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _make_private(path: str) -> None:
    """The same of a file that was there, once it is known to be ours, and of SQLite's files beside it."""
    for suffix in ("", "-wal", "-shm") if path != MEMORY else ():
        with suppress(FileNotFoundError):
            if os.stat(path + suffix).st_mode & 0o077:  # noqa: PTH116 - a path of SQLite's
                os.chmod(path + suffix, 0o600)  # noqa: PTH101 - a path of SQLite's


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Check that the file is ours or new, before anything in it is changed."""
    if sqlite3.sqlite_version_info < NEEDED:
        needed = ".".join(map(str, NEEDED))
        raise CannotRunError(
            f"this Python has SQLite {sqlite3.sqlite_version}, the store needs {needed} or later"
        )
    # Whoever only reads does not wait for a process that writes.
    connection.execute("BEGIN")
    missing = _missing_migrations(connection, path)
    connection.execute("COMMIT")
    if missing:
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection, path)
        connection.execute("COMMIT")
    # The mode stays with the file. Changing it does not wait for others, so when it is refused another
    # process is using it, and the next to open the file tries again.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    # With WAL a crash of the process loses nothing; a power cut may lose the last records, and never
    # harms the file (https://www.sqlite.org/pragma.html#pragma_synchronous).
    connection.execute("PRAGMA synchronous = NORMAL")
    # Thousands of calls write and hardly anybody reads: what the system caches anyway is not kept twice.
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    # Deleted data is overwritten: a copy of the file reveals no deleted call.
    connection.execute("PRAGMA secure_delete = ON")


def _missing_migrations(connection: sqlite3.Connection, path: str) -> tuple[Migration, ...]:
    """What the file lacks to be of this version. Raises CannotRunError for a file that is not ours."""
    state = state_of(connection)
    if state.is_foreign:
        raise CannotRunError(f'store "sqlite:{path}" is the database of another program; name another file')
    if state.version > state.known:
        raise CannotRunError(
            f'store "sqlite:{path}" was written by a newer phone-agents (schema {state.version}, '
            f"this one knows {state.known}); use that one or name another file"
        )
    return migrations("runner.store.sqlite")[state.version :]


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    # Another process may have done it since we looked.
    for step in _missing_migrations(connection, path):
        if step.version == 1:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in _statements(step.sql):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {step.version}")


def _statements(script: str) -> list[str]:
    """The statements of a script. `executescript` would commit before it begins."""
    statements, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return statements


def _check_whole(connection: sqlite3.Connection, path: str) -> None:
    """Raises CannotRunError when the file is damaged: it would fail later, when a call is over."""
    try:
        damage = damage_of(connection, CHECK_S)
    except sqlite3.DatabaseError as error:
        damage = str(error)
    if damage is not None:
        raise CannotRunError(
            f'store "sqlite:{path}" is damaged ({damage}); restore a backup, or move it away and start anew'
        )
