"""The SQLite store on real files: what is wrong with a file is told, and harms no record that comes later."""

import asyncio
import json
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from runner.call.records.record_json import of_json
from runner.errors import CannotRunError, StoreError
from runner.model.job import Backlog, JobCapacity
from runner.model.stored_call import CallFilter
from runner.store.migrations import Migration, migrations
from runner.store.opening import open_store
from runner.store.sqlite import database
from runner.store.sqlite.inspection import APPLICATION_ID
from runner.store.sqlite.sqlite_store import SqliteStore
from runner.store.store import Store
from tests.store.engines import call_record


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite:calls.db")
    yield opened
    await opened.close()


def query(sql: str, path: str = "calls.db") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


def ids(path: str = "calls.db") -> list[str]:
    return [row[0] for row in query("SELECT id FROM calls ORDER BY id", path)]


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def is_open(name: str) -> bool:
    """Whether this process has the file open."""
    file = Path(name).stat()
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError):  # the descriptor of the listing itself is gone
            if os.path.samestat(file, os.fstat(int(descriptor.name))):
                return True
    return False


def modes() -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path().iterdir()}


def write(path: str, content: bytes, at: int = 0) -> None:
    with Path(path).open("r+b") as file:
        file.seek(at)
        file.write(content)


def remove(*paths: str) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)


@contextmanager
def locked() -> Iterator[None]:
    """Another program is in the midst of writing to the file."""
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


async def test_a_record_is_in_the_file_whole_and_by_column(store: Store) -> None:
    saved = call_record(caller="+1415", ended_at=9.5, cost_usd=0.25, ended="hangup")
    await store.save(saved)
    [row] = query(
        "SELECT id, agent, caller, called, started_at, ended_at, ended, cost_usd, outcome FROM calls"
    )
    assert row == ("rtc_1", "desk", "+1415", None, 0.0, 9.5, "hangup", 0.25, None)
    [(text,)] = query("SELECT record FROM calls")
    assert of_json(json.loads(text)) == saved


async def test_many_runners_may_open_the_same_new_file_at_once() -> None:
    for name in range(5):
        stores = await asyncio.gather(*(open_store(f"sqlite:{name}.db") for _ in range(8)))
        await asyncio.gather(*(store.save(call_record(f"rtc_{at}")) for at, store in enumerate(stores)))
        for store in stores:
            await store.close()
        assert ids(f"{name}.db") == [f"rtc_{number}" for number in range(8)]


async def test_the_file_is_written_ahead_and_leaves_no_other_behind() -> None:
    store = await open_store("sqlite:calls.db")
    await store.save(call_record())
    assert files() == ["calls.db", "calls.db-shm", "calls.db-wal"]
    await store.close()
    assert files() == ["calls.db"]


async def test_only_the_owner_may_read_what_callers_said() -> None:
    store = await open_store("sqlite:calls.db")
    await store.save(call_record())
    assert modes() == {"calls.db": 0o600, "calls.db-shm": 0o600, "calls.db-wal": 0o600}
    await store.close()
    Path("calls.db").chmod(0o644)
    store = await open_store("sqlite:calls.db")
    await store.save(call_record("rtc_2"))
    assert modes() == {"calls.db": 0o600, "calls.db-shm": 0o600, "calls.db-wal": 0o600}
    await store.close()


async def test_memory_is_a_store_too() -> None:
    store = await open_store("sqlite::memory:")
    await store.save(call_record())
    assert [found.id for found in await store.find(CallFilter(), 9)] == ["rtc_1"]
    await store.close()
    assert files() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:", 'store "sqlite:" names no file; write "sqlite:calls.db"'),
        ("sqlite:///calls.db", 'store "sqlite:///calls.db" names no file; write "sqlite:calls.db"'),
        (
            "sqlite:none/calls.db",
            'store "sqlite:none/calls.db" cannot be used: "none" is not a directory; '
            "create it, or name another file",
        ),
        (
            "sqlite:file/calls.db",
            'store "sqlite:file/calls.db" cannot be used: "file" is not a directory; '
            "create it, or name another file",
        ),
        ("sqlite:folder", 'store "sqlite:folder" cannot be used: it is a directory; name a file in it'),
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
            'store "sqlite:newer.db" was written by a newer phone-agents (schema 99, this one knows 8); '
            "use that one or name another file",
        ),
    ],
)
async def test_a_store_that_cannot_be_used_stops_us_with_one_sentence(url: str, message: str) -> None:
    Path("file").touch()
    Path("folder").mkdir()
    Path("garbage.db").write_bytes(b"no database at all, " * 100)
    for name, script in (
        ("foreign.db", "CREATE TABLE users (id); PRAGMA user_version = 1"),
        ("newer.db", f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99"),
    ):
        connection = sqlite3.connect(name)
        connection.executescript(script)
        connection.close()
    before = files(), modes(), {path.name: path.read_bytes() for path in Path().glob("*.db")}
    with pytest.raises(CannotRunError) as caught:
        await open_store(url)
    assert str(caught.value) == message
    assert (files(), modes(), {path.name: path.read_bytes() for path in Path().glob("*.db")}) == before


async def test_a_database_that_is_damaged_in_the_middle_stops_us(store: Store) -> None:
    for number in range(200):
        await store.save(call_record(f"rtc_{number:03}", why="x" * 2000))
    await store.close()
    write("calls.db", b"\xff" * 4096, at=40 * 4096)
    with pytest.raises(CannotRunError) as caught:
        await open_store("sqlite:calls.db")
    start, reason = str(caught.value).split(" (", 1)
    assert start == 'store "sqlite:calls.db" is damaged'
    assert not reason.startswith("***"), "the heading of SQLite's report says nothing"
    assert reason.endswith("); restore a backup, or move it away and start anew")
    assert not is_open("calls.db")


async def test_the_look_for_damage_has_an_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CHECK_S", -1.0)
    for number in range(300):
        await store.save(call_record(f"rtc_{number:03}", why="x" * 2000))
    await store.close()
    again = await open_store("sqlite:calls.db")
    assert len(await again.find(CallFilter(), 999)) == 300
    await again.close()


async def test_an_sqlite_that_is_too_old_stops_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.0")
    with pytest.raises(
        CannotRunError, match=r"^this Python has SQLite 3.36.0, the store needs 3.37 or later$"
    ):
        await open_store("sqlite:calls.db")


async def test_a_file_of_the_first_version_is_brought_up_to_date() -> None:
    first = Path(database.__file__).parent / "migrations" / "0001_calls.sql"
    connection = sqlite3.connect("calls.db")
    connection.executescript(first.read_text())
    connection.executescript(
        f"""
        INSERT INTO calls (id, agent, started_at, ended, record)
            VALUES ('rtc_1', 'desk', 1, 'hangup', '{{"caller": "+1415", "called": "+1800", "x": "FRIDAY"}}'),
                ('rtc_2', 'desk', 2, 'hangup', 'no JSON');
        INSERT INTO after_call (id, call_id, kind, state, created_at, due_at, attempts, work)
            VALUES ('a', 'rtc_1', 'delivery', 'queued', 1, 1, 0, '{{}}'),
                ('b', 'rtc_1', 'delivery', 'parked', 1, 1, 0, '{{}}');
        PRAGMA application_id = {APPLICATION_ID};
        PRAGMA user_version = 1;
        """
    )
    connection.close()
    store = await open_store("sqlite:calls.db")
    assert [found.id for found in await store.find(CallFilter(number="+1800"), 9)] == ["rtc_1"]
    assert [found.id for found in await store.find(CallFilter(text="friday"), 9)] == ["rtc_1"]
    assert await store.backlog() == Backlog(open=1, parked=1, next_due_at=1.0)
    await store.close()


async def test_who_stops_waiting_does_not_stop_the_writing(store: Store) -> None:
    with locked():
        for call_id in ("rtc_1", "rtc_2"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await store.save(call_record(call_id))
    await store.backlog()
    assert ids() == ["rtc_1", "rtc_2"]


async def test_a_store_that_is_locked_says_so_and_works_again_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.01)
    await store.close()
    again = await open_store("sqlite:calls.db")
    with locked():
        for attempt in (
            again.save(call_record()),
            again.take(JobCapacity(most=9, per_receiver=9), now=100.0, lease_s=60.0),
            again.release([]),
            again.delete("rtc_1"),
        ):
            with pytest.raises(StoreError, match=r"^database is locked$"):
                await attempt
    await again.save(call_record())
    assert ids() == ["rtc_1"]
    await again.close()


async def test_a_full_disk_is_told_as_that_and_works_again_later(store: Store) -> None:
    assert isinstance(store, SqliteStore)
    await store._database.read(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
    with pytest.raises(StoreError, match=r"^its disk is full; make room$"):
        await store.save(call_record(why="x" * 100_000))
    await store.save(call_record())
    assert ids() == ["rtc_1"]


async def test_one_look_at_a_locked_file_is_enough_for_all_who_wait(store: Store) -> None:
    with locked():
        began = time.monotonic()
        saving = [store.save(call_record(f"rtc_{number}")) for number in range(40)]
        told = await asyncio.gather(*saving, return_exceptions=True)
        assert {str(error) for error in told} == {"database is locked"}
        assert time.monotonic() - began < 30
    await store.save(call_record("rtc_free"))
    assert ids() == ["rtc_free"]
    assert await patience_of(store) == 1000


async def patience_of(store: Store) -> int:
    """How long it waits for a locked file, in milliseconds."""
    assert isinstance(store, SqliteStore)
    milliseconds: int = await store._database.read(
        lambda connection: connection.execute("PRAGMA busy_timeout").fetchone()[0]
    )
    return milliseconds


async def test_reading_does_not_wait_for_another_program_that_writes(store: Store) -> None:
    await store.save(call_record())
    with locked():
        assert len(await store.find(CallFilter(), 9)) == 1
        assert await store.backlog() == Backlog()
        assert await store.count_calls(0.0) == {"desk": 1}


async def test_opening_a_file_of_this_version_does_not_wait_for_it_either(store: Store) -> None:
    await store.save(call_record())
    await store.close()
    with locked():
        again = await open_store("sqlite:calls.db")
        assert len(await again.find(CallFilter(), 9)) == 1
        await again.close()


async def test_opening_a_file_that_another_makes_at_the_same_time_makes_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both find no table, and the second finds all of them once it may write."""
    look = database._missing_migrations
    seen: list[int] = []

    def looks(connection: sqlite3.Connection, path: str) -> tuple[Migration, ...]:
        missing = look(connection, path)
        seen.append(len(missing))
        if len(seen) == 1:
            connection.execute("COMMIT")
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                database._prepare(other, path)
            connection.execute("BEGIN")
        return missing

    monkeypatch.setattr(database, "_missing_migrations", looks)
    store = await open_store("sqlite:calls.db")
    await store.save(call_record())
    await store.close()
    steps = len(migrations("runner.store.sqlite"))
    assert (seen, ids()) == ([steps, steps, steps, 0], ["rtc_1"])


async def test_closing_waits_for_no_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the queue is not begun, and who waits for it is told."""
    with locked():
        saving = [asyncio.create_task(store.save(call_record(f"rtc_{number}"))) for number in range(50)]
        await asyncio.sleep(0)
        monkeypatch.setattr(database, "CLOSE_S", 0.05)
        async with asyncio.timeout(20):
            await store.close()
    told = {str(error) for error in await asyncio.gather(*saving, return_exceptions=True)}
    assert told <= {"None", "database is locked", "the store is closed"}
    assert "the store is closed" in told


async def test_a_full_disk_costs_no_record_that_fits_later(store: Store) -> None:
    """A limit on the size of files makes the real write fail, as a full disk does."""
    await store.save(call_record("rtc_1"))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, unlimited[1]))
    try:
        with pytest.raises(StoreError):
            await store.save(call_record("rtc_2", detail="x" * 1024 * 1024))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await store.save(call_record("rtc_3"))
    assert ids() == ["rtc_1", "rtc_3"]


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
async def test_a_file_that_is_gone_is_noticed_once_and_made_anew(store: Store, how: str) -> None:
    await store.save(call_record("rtc_1"))
    match how:
        case "deleted":
            remove("calls.db", "calls.db-shm", "calls.db-wal")
        case "moved":
            Path("calls.db").rename("elsewhere.db")
        case _:
            Path("new.db").touch()
            Path("new.db").replace("calls.db")
    with pytest.raises(StoreError) as caught:
        await store.save(call_record("rtc_2"))
    assert str(caught.value) == "the file was deleted or moved while it was in use; a new one takes its place"
    await store.save(call_record("rtc_2"))
    assert ids() == ["rtc_2"]
    if how == "moved":
        assert ids("elsewhere.db") == ["rtc_1"]


async def test_a_slow_store_does_not_hold_up_the_event_loop(store: Store) -> None:
    with locked():
        saving = asyncio.create_task(store.save(call_record("rtc_1")))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not saving.done()
    await saving


WRITER = """
import asyncio
from runner.model.record import CallRecord
from runner.store.opening import open_store

async def main():
    store = await open_store("sqlite:calls.db")
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
async def test_a_process_that_is_killed_loses_nothing_that_it_had_saved(count: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(count)]
        os.kill(writer.pid, signal.SIGKILL)
        told += writer.stdout.read().split()
    store = await open_store("sqlite:calls.db")
    await store.save(call_record("rtc_0"))
    await store.close()
    assert {*told, "rtc_0"} <= set(ids())
    assert query("PRAGMA integrity_check") == [("ok",)]
