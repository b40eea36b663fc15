"""What waits to be written is written in one transaction, and the fault of one is its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from sqlite3 import Connection

import pytest

from runner.errors import StoreError, StoreRefusedError
from runner.store.sqlite.database import SqliteDatabase
from runner.store.sqlite.write_queue import MOST_TOGETHER

INSERT = "INSERT INTO configurations (hash, texts) VALUES (?, '')"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(str(tmp_path / "calls.db"))
    await database.open()
    yield database
    await database.close()


def inserts(number: int) -> Callable[[Connection], int]:
    def write(connection: Connection) -> int:
        connection.execute(INSERT, (f"{number}",))
        return number

    return write


def fails(connection: Connection) -> int:
    connection.execute(INSERT, ("half",))
    connection.execute("INSERT INTO configurations (hash, texts) VALUES ('0', NULL)")
    return 0


async def together(
    database: SqliteDatabase,
    *works: Callable[[Connection], int],
    meanwhile: Callable[[], None] = lambda: None,
) -> tuple[list[object], list[str]]:
    """What comes of work that waits together, and the statements of all."""
    statements: list[str] = []
    has_begun, goes_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        has_begun.set()
        goes_on.wait()
        connection.set_trace_callback(lambda statement: statements.append(statement.partition(" (")[0]))

    held = asyncio.create_task(database.read(hold))
    waiting = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.to_thread(has_begun.wait)
    meanwhile()
    goes_on.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    await held
    return list(results), statements[1:]  # without the end of what held the thread


async def test_what_waits_is_written_in_one_transaction(database: SqliteDatabase) -> None:
    results, statements = await together(database, inserts(1), inserts(2), inserts(3))
    assert results == [1, 2, 3]
    assert statements == ["BEGIN IMMEDIATE", *["INSERT INTO configurations"] * 3, "COMMIT"]


async def test_work_that_fails_costs_the_others_nothing(database: SqliteDatabase) -> None:
    results, _ = await together(database, inserts(1), fails, inserts(2))
    assert (results[0], results[2]) == (1, 2)
    assert isinstance(results[1], StoreRefusedError)
    rows = await database.read(
        lambda connection: connection.execute("SELECT hash FROM configurations").fetchall()
    )
    assert sorted(rows) == [("1",), ("2",)]


async def test_a_file_that_is_gone_is_told_to_all(database: SqliteDatabase) -> None:
    results, statements = await together(
        database, inserts(1), inserts(2), meanwhile=Path(database.path).unlink
    )
    assert [type(result) for result in results] == [StoreError, StoreError]
    assert "BEGIN IMMEDIATE" not in statements


async def test_no_transaction_grows_without_bound(database: SqliteDatabase) -> None:
    results, statements = await together(database, *(inserts(n) for n in range(MOST_TOGETHER + 1)))
    assert results == list(range(MOST_TOGETHER + 1))
    assert statements.count("COMMIT") == 2
