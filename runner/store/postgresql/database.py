"""A pool of connections to one PostgreSQL database, and its schema.

Nothing is kept in a session between two transactions, and no statement is prepared by name, so that
PgBouncer may give each transaction another server connection.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias, TypeVar

import asyncpg

from runner.errors import CannotRunError, StoreError, StoreRefusedError
from runner.store.migrations import migrations
from runner.store.url import without_password

CONNECTIONS = 8
"""Most connections of one runner. Each is held for a transaction of some milliseconds."""
CONNECT_S = 5.0
STATEMENT_S = 5.0
"""For one statement; the longest is a step of deleting old records."""
CLOSE_S = 3.0
IDLE_S = 3.0
"""For a transaction to go on, before the server ends it and its locks: shorter than a lease, since a runner
that stands still in the middle of one would keep others from taking its calls."""
MIGRATION_LOCK = 0x70616773
"""The advisory lock under which the schema is brought up to date."""

Connection: TypeAlias = Any
"""`asyncpg.Connection`, which has no types."""
_Result = TypeVar("_Result")

_REFUSALS = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.exceptions.DataError,
    ValueError,
    OverflowError,
)
"""Errors that the row causes, and not the database."""
_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


class _Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """Leaves nothing behind in its session, so there is nothing to reset."""

    def get_reset_query(self) -> str:
        return ""


class PostgresqlDatabase:
    """Runs work in transactions. Made by `open`."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._others = asyncio.Semaphore(CONNECTIONS - 1)
        """One connection is left for what is urgent."""
        self._given_up: set[asyncio.Task[Any]] = set()
        """Work that nobody waits for any more, until its connection can be used again."""
        self._is_closed = False

    @classmethod
    async def open(cls, url: str) -> "PostgresqlDatabase":
        """Connect, and bring the schema up to date. Raises CannotRunError, with what would help."""
        shown = without_password(url)
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=CONNECTIONS,
                timeout=CONNECT_S,
                command_timeout=STATEMENT_S,
                statement_cache_size=0,
                connection_class=_Connection,
            )
            # No connection is made before one is needed: this one tells whether the server can be reached.
            await pool.release(await pool.acquire(timeout=CONNECT_S))
        except (*_FAILURES, ValueError) as error:
            raise CannotRunError(f'store "{shown}" cannot be reached: {_reason(error)}') from None
        try:
            async with pool.acquire() as connection, connection.transaction():
                await _migrate(connection, shown)
        except _FAILURES as error:
            await _close(pool)
            raise CannotRunError(f'store "{shown}" cannot be used: {_reason(error)}') from None
        except BaseException:
            await _close(pool)
            raise
        return cls(pool)

    async def run(
        self,
        work: Callable[[Connection], Awaitable[_Result]],
        *,
        is_one_statement: bool = False,
        is_urgent: bool = False,
    ) -> _Result:
        """The result of work that is done wholly or not at all. Raises StoreError.

        `is_one_statement`: each statement of it is a transaction by itself, which saves two round trips.
        `is_urgent`: it never waits for other work, which may take all connections of a slow database.
        """
        if self._is_closed:
            raise StoreError("the store is closed")
        running = asyncio.create_task(self._run(work, is_one_statement, is_urgent))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # Whoever has no more time does not wait until a server that hangs has heard of it.
            running.cancel()
            self._given_up.add(running)
            running.add_done_callback(self._forget)
            raise

    async def _run(
        self, work: Callable[[Connection], Awaitable[_Result]], is_one_statement: bool, is_urgent: bool
    ) -> _Result:
        try:
            async with self._turn(is_urgent), self._pool.acquire(timeout=CONNECT_S) as connection:
                try:
                    return await (work(connection) if is_one_statement else _transact(connection, work))
                except BaseException:
                    if is_urgent:
                        # The next one must not wait until this connection can be used again.
                        connection.terminate()
                    elif not is_one_statement:
                        with suppress(*_FAILURES):
                            await connection.execute("ROLLBACK")
                    raise
        except _REFUSALS as error:
            raise StoreRefusedError(_reason(error)) from None
        except _FAILURES as error:
            raise StoreError(_reason(error)) from None

    @asynccontextmanager
    async def _turn(self, is_urgent: bool) -> AsyncIterator[None]:
        if is_urgent:
            yield
            return
        async with asyncio.timeout(CONNECT_S):
            await self._others.acquire()
        try:
            yield
        finally:
            self._others.release()

    def _forget(self, given_up: asyncio.Task[Any]) -> None:
        self._given_up.discard(given_up)
        if not given_up.cancelled():
            given_up.exception()

    async def close(self) -> None:
        """Close the connections, those in use after a moment."""
        if self._is_closed:
            return
        self._is_closed = True
        await _close(self._pool)


async def _transact(connection: Connection, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
    # In one message, so that it takes no longer than the first alone.
    await connection.execute(f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = {round(IDLE_S * 1000)}")
    result = await work(connection)
    await connection.execute("COMMIT")
    return result


async def _close(pool: Any) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await pool.close()
    except _FAILURES:
        pool.terminate()


async def _migrate(connection: Connection, shown: str) -> None:
    """Bring the schema up to date; runners that start together do it one after the other."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
    await connection.execute("CREATE TABLE IF NOT EXISTS phone_agents_schema (version integer NOT NULL)")
    version = await connection.fetchval("SELECT max(version) FROM phone_agents_schema") or 0
    steps = migrations("runner.store.postgresql")
    if version > steps[-1].version + 1:
        # One version ahead is what a rolling update needs; each migration keeps to that.
        raise CannotRunError(
            f'store "{shown}" was written by a newer phone-agents (schema {version}, '
            f"this one knows {steps[-1].version}); use that one or name another database"
        )
    for step in steps[version:]:
        try:
            await connection.execute(step.sql)
        except asyncpg.DuplicateTableError as error:
            raise CannotRunError(
                f'store "{shown}" holds a table of another program ({_reason(error)}); name another database'
            ) from None
        await connection.execute("INSERT INTO phone_agents_schema (version) VALUES ($1)", step.version)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        # asyncio writes the address into the text, which the message has already.
        number = error.errno or 0  # negative: of a name that does not resolve
        return (os.strerror(number) if number > 0 else error.strerror).lower()
    return str(error).split("\n", 1)[0] or type(error).__name__
