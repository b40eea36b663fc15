"""The store on real files: what is saved is there, and what cannot be saved harms nobody."""

import asyncio
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.call.records.record_json import decode
from runner.errors import CannotRunError, StoreError
from runner.model.record import CallRecord
from runner.serve import sqlite_store
from runner.serve.store import Store, open_store


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def record(call_id: str, **fields: object) -> CallRecord:
    given: dict[str, object] = {"agent": "front-desk", "created_at": 1.0, "ended": "hangup", **fields}
    return CallRecord(id=call_id, route=None, why="", caller=None, called=None, transport="sip", **given)  # type: ignore[arg-type] # keywords as a mapping


def rows(path: str = "calls.db") -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT id, ended FROM calls ORDER BY id").fetchall()
    finally:
        connection.close()


def ids(path: str = "calls.db") -> list[str]:
    return [row[0] for row in rows(path)]


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def write(path: str, content: bytes) -> None:
    with Path(path).open("r+b") as file:
        file.write(content)


def remove(*paths: str) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)


class Lock:
    """Another program that is in the midst of writing to the file."""

    def __enter__(self) -> None:
        self._connection = sqlite3.connect("calls.db", isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *error: object) -> None:
        self._connection.close()


async def test_calls_are_counted_by_agent_since_an_instant() -> None:
    store = open_store("sqlite:calls.db")
    assert await store.count_calls(0.0) == {}
    for number, (agent, created_at) in enumerate([("a", 9.9), ("a", 10.0), ("a", 11.0), ("b", 10.5)]):
        await store.save(record(f"rtc_{number}", agent=agent, created_at=created_at))
    await store.save(record("rtc_1", agent="a", created_at=10.0, ended="again"))
    assert await store.count_calls(10.0) == {"a": 2, "b": 1}
    await store.close()
    again = open_store("sqlite:calls.db")
    assert await again.count_calls(10.0) == {"a": 2, "b": 1}
    await again.close()


async def test_a_store_whose_calls_cannot_be_counted_says_so() -> None:
    store = open_store("sqlite:calls.db")
    connection = sqlite3.connect("calls.db")
    connection.execute("DROP TABLE calls")
    connection.close()
    with pytest.raises(CannotRunError) as caught:
        await store.count_calls(0.0)
    assert str(caught.value) == 'store "sqlite:calls.db" cannot be read: no such table: calls'
    await store.close()


async def test_a_record_is_in_the_file_whole_and_by_column() -> None:
    store = open_store("sqlite:calls.db")
    saved = record("rtc_1", ended_at=9.5, cost_usd=0.25)
    await store.save(saved)
    await store.close()
    connection = sqlite3.connect("calls.db")
    row = connection.execute("SELECT * FROM calls").fetchone()
    connection.close()
    *columns, kept, outcome = row
    assert columns == ["rtc_1", "front-desk", 1.0, 9.5, "hangup", 0.25]
    assert (decode(kept), outcome) == (saved, None)


async def test_it_is_there_before_the_store_is_closed() -> None:
    store = open_store("sqlite:calls.db")
    await store.save(record("rtc_1"))
    assert ids() == ["rtc_1"]
    await store.close()


async def test_the_same_call_saved_again_is_replaced() -> None:
    store = open_store("sqlite:calls.db")
    await store.save(record("rtc_1", ended="failed"))
    await store.save(record("rtc_1", ended="hangup"))
    await store.close()
    assert rows() == [("rtc_1", "hangup")]


async def test_a_file_is_opened_again_with_what_it_holds() -> None:
    for call_id in ("rtc_1", "rtc_2"):
        store = open_store("sqlite:calls.db")
        await store.save(record(call_id))
        await store.close()
    assert ids() == ["rtc_1", "rtc_2"]


async def test_records_saved_at_once_are_all_there() -> None:
    store = open_store("sqlite:calls.db")
    names = [f"rtc_{number:03}" for number in range(200)]
    await asyncio.gather(*(store.save(record(name)) for name in names))
    await store.close()
    assert ids() == names


def test_many_runners_may_open_the_same_new_file_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        for name in range(20):
            opened = list(threads.map(open_store, [f"sqlite:{name}.db"] * 8))
            asyncio.run(_save_and_close_all(opened))
            assert ids(f"{name}.db") == [f"rtc_{number}" for number in range(8)]


async def _save_and_close_all(stores: list[Store]) -> None:
    await asyncio.gather(*(store.save(record(f"rtc_{number}")) for number, store in enumerate(stores)))
    for store in stores:
        await store.close()


async def test_the_file_is_written_ahead_and_leaves_no_other_behind() -> None:
    store = open_store("sqlite:calls.db")
    await store.save(record("rtc_1"))
    assert files() == ["calls.db", "calls.db-shm", "calls.db-wal"]
    await store.close()
    assert files() == ["calls.db"]


async def test_memory_is_a_store_too() -> None:
    store = open_store("sqlite::memory:")
    await store.save(record("rtc_1"))
    await store.close()
    assert files() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:", 'store "sqlite:" names no file; write "sqlite:calls.db"'),
        ("sqlite:///calls.db", 'store "sqlite:///calls.db" names no file; write "sqlite:calls.db"'),
        (
            "postgresql://ada:hidden@db.example/calls",
            'a store of the kind "postgresql" is not supported; write "sqlite:calls.db"',
        ),
        ("sqlite:none/calls.db", 'store "sqlite:none/calls.db" cannot be used: "none" is not a directory'),
        (
            "sqlite:file/calls.db",
            'store "sqlite:file/calls.db" cannot be used: "file" is not a directory',
        ),
        ("sqlite:folder", 'store "sqlite:folder" cannot be used: unable to open database file'),
        (
            "sqlite:garbage.db",
            'store "sqlite:garbage.db" cannot be used: the file is not an SQLite database; name another file',
        ),
        (
            "sqlite:foreign.db",
            'store "sqlite:foreign.db" is the database of another program; name another file',
        ),
        (
            "sqlite:newer.db",
            'store "sqlite:newer.db" was written by a newer phone-agents (schema 2, this one knows 1); '
            "use that one or name another file",
        ),
    ],
)
def test_a_store_that_cannot_be_used_stops_us_with_one_sentence(url: str, message: str) -> None:
    Path("file").touch()
    Path("folder").mkdir()
    Path("garbage.db").write_bytes(b"no database at all, " * 100)
    for name, script in (
        ("foreign.db", "CREATE TABLE users (id); PRAGMA user_version = 1"),
        ("newer.db", f"PRAGMA application_id = {sqlite_store.APPLICATION_ID}; PRAGMA user_version = 2"),
    ):
        connection = sqlite3.connect(name)
        connection.executescript(script)
        connection.close()
    before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    with pytest.raises(CannotRunError) as caught:
        open_store(url)
    assert str(caught.value) == message
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


async def test_a_record_that_could_not_be_written_is_written_with_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_store, "BUSY_S", 0.01)
    caplog.set_level(logging.INFO, "runner.serve.store")
    store = open_store("sqlite:calls.db")
    with Lock():
        for call_id in ("rtc_1", "rtc_2"):
            with pytest.raises(StoreError, match=r"^database is locked$"):
                await store.save(record(call_id))
    await store.save(record("rtc_3"))
    assert ids() == ["rtc_1", "rtc_2", "rtc_3"]
    await store.close()
    assert [(entry.message, entry.__dict__["call_id"]) for entry in caplog.records] == [
        ("record was saved late", "rtc_1"),
        ("record was saved late", "rtc_2"),
    ]


async def test_a_record_that_could_not_be_written_is_written_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite_store, "BUSY_S", 0.01)
    store = open_store("sqlite:calls.db")
    with Lock(), pytest.raises(StoreError):
        await store.save(record("rtc_1"))
    await store.close()
    assert ids() == ["rtc_1"]


async def test_what_is_lost_in_the_end_is_named_without_its_content(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_store, "BUSY_S", 0.01)
    store = open_store("sqlite:calls.db")
    with Lock():
        with pytest.raises(StoreError):
            await store.save(record("rtc_1", detail="hidden"))
        await store.close()
    assert [(entry.message, entry.__dict__["call_id"]) for entry in caplog.records] == [
        ("record is lost", "rtc_1")
    ]
    assert "hidden" not in str([entry.__dict__ for entry in caplog.records])


async def test_only_so_many_records_are_kept_while_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_store, "BUSY_S", 0.0)
    monkeypatch.setattr(sqlite_store, "KEEP", 2)
    store = open_store("sqlite:calls.db")
    with Lock():
        for call_id in ("rtc_1", "rtc_2", "rtc_3"):
            with pytest.raises(StoreError):
                await store.save(record(call_id))
    await store.close()
    assert ids() == ["rtc_2", "rtc_3"]
    assert [entry.__dict__["call_id"] for entry in caplog.records] == ["rtc_1"]


async def test_who_stops_waiting_does_not_stop_the_writing() -> None:
    store = open_store("sqlite:calls.db")
    with Lock():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await store.save(record("rtc_1"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await store.save(record("rtc_2"))
    await store.close()
    assert ids() == ["rtc_1", "rtc_2"]


async def test_a_full_disk_costs_no_record_that_fits_later() -> None:
    """A limit on the size of files makes the real write fail, as a full disk does."""
    store = open_store("sqlite:calls.db")
    await store.save(record("rtc_1"))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, unlimited[1]))
    try:
        with pytest.raises(StoreError):
            await store.save(record("rtc_2", detail="x" * 1024 * 1024))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await store.save(record("rtc_3"))
    await store.close()
    assert ids() == ["rtc_1", "rtc_2", "rtc_3"]


async def test_a_file_that_went_bad_and_was_taken_away_is_made_anew() -> None:
    store = open_store("sqlite:calls.db")
    await store.save(record("rtc_1"))
    await store.close()
    store = open_store("sqlite:calls.db")
    write("calls.db", b"no database at all, " * 1000)
    with pytest.raises(StoreError):
        await store.save(record("rtc_2"))
    remove("calls.db", "calls.db-shm", "calls.db-wal")
    await store.save(record("rtc_3"))
    await store.close()
    assert ids() == ["rtc_2", "rtc_3"]


async def test_a_slow_store_does_not_hold_up_the_event_loop() -> None:
    store = open_store("sqlite:calls.db")
    with Lock():
        saving = asyncio.create_task(store.save(record("rtc_1")))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not saving.done()
    await saving
    await store.close()


WRITER = """
import asyncio, sys
from runner.model.record import CallRecord
from runner.serve.store import open_store

async def main():
    store = open_store("sqlite:calls.db")
    number = 0
    while True:
        call_id = f"rtc_{number:06}"
        await store.save(CallRecord(id=call_id, agent="a", route=None, why="x" * 5000, caller=None,
            called=None, transport="sip", created_at=1.0))
        print(call_id, flush=True)
        number += 1

asyncio.run(main())
"""


@pytest.mark.parametrize("count", [1, 40, 400])
def test_a_process_that_is_killed_loses_nothing_that_it_had_saved(count: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(count)]
        os.kill(writer.pid, signal.SIGKILL)
        told += writer.stdout.read().split()
    asyncio.run(_save_and_close_all([open_store("sqlite:calls.db")]))
    assert {*told, "rtc_0"} <= set(ids())
    connection = sqlite3.connect("calls.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
