"""The store in service: its trouble shows, the end is bounded, and what it did not take is not lost."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.errors import CannotRunError
from runner.model.stored_call import CallFilter
from runner.serve.metrics import Metrics
from runner.serve.storage import Storage
from runner.store import record_saver
from runner.store.opening import open_store
from runner.store.waiting_record import encoded
from tests.patience import PATIENCE_S
from tests.store.engines import call_record, delivery

DAY_S = 24 * 3600.0
JOB = delivery(work={})


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(record_saver, "FIRST_RETRY_S", 0.01)


@contextmanager
def locked() -> Iterator[None]:
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@asynccontextmanager
async def opened(metrics: Metrics | None = None, **fields: Any) -> AsyncIterator[Storage]:
    storage = await Storage.open(
        "sqlite:calls.db",
        keep_s=fields.get("keep_s"),
        metrics=metrics or Metrics(),
        clock=fields.get("clock", lambda: 0.0),
        on_jobs=fields.get("on_jobs", lambda: None),
    )
    try:
        yield storage
    finally:
        await storage.close()


async def until_saved(storage: Storage) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(storage.saver):  # noqa: ASYNC110 - it tells nobody when it is empty
            await asyncio.sleep(0.01)


async def test_a_store_that_is_locked_shows_and_a_record_saved_late_wakes_the_jobs() -> None:
    metrics, woken = Metrics(), asyncio.Event()
    async with opened(metrics, on_jobs=woken.set) as storage:
        with locked():
            await storage.saver.save(call_record("rtc_1"), [JOB])
            assert storage.troubles == ["the store fails: database is locked; records that wait: 1"]
            assert b"phone_agents_unsaved_records 1.0" in metrics.text()
            assert not woken.is_set()
        async with asyncio.timeout(PATIENCE_S):
            await woken.wait()
        await until_saved(storage)
        assert storage.troubles == []
        assert await storage.store.read("rtc_1") is not None
        assert b"phone_agents_unsaved_records 0.0" in metrics.text()


async def test_a_locked_store_ends_soon_and_what_it_did_not_take_is_there_after_the_next_start() -> None:
    names = [f"rtc_{number:02}" for number in range(60)]
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(opened())
        stack.enter_context(locked())
        # A second for each would be a minute.
        async with asyncio.timeout(30):
            await asyncio.gather(*(storage.saver.save(call_record(name)) for name in names))
            await storage.close()
        assert Path("calls.db.unsaved").exists()
    async with opened() as storage:
        await until_saved(storage)
        assert sorted(found.id for found in await storage.store.find(CallFilter(), 99)) == names
    assert not Path("calls.db.unsaved").exists()


async def test_records_that_another_leaves_are_saved_while_this_one_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record_saver, "ADOPT_S", 0.001)
    async with opened() as storage:
        Path("calls.db.unsaved").write_text(encoded(call_record("rtc_1"), [], None) + "\n")
        async with asyncio.timeout(PATIENCE_S):
            while await storage.store.read("rtc_1") is None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)


async def test_a_file_that_is_deleted_is_told_and_made_anew_with_the_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    async with opened(metrics) as storage:
        Path("calls.db").unlink()
        await storage.saver.save(call_record("rtc_1"))
        await until_saved(storage)
        assert await storage.store.read("rtc_1") is not None
    assert b"phone_agents_store_failures_total 1.0" in metrics.text()
    assert [entry.__dict__["error"] for entry in caplog.records if entry.levelname == "ERROR"] == [
        "the file was deleted or moved while it was in use; a new one takes its place"
    ]


async def test_records_are_deleted_when_they_are_older_than_they_may_be() -> None:
    store = await open_store("sqlite:calls.db")
    await store.save(call_record("old", created_at=0.0))
    await store.save(call_record("new", created_at=2 * DAY_S))
    await store.close()
    async with opened(keep_s=2 * DAY_S, clock=lambda: 3 * DAY_S) as storage:
        async with asyncio.timeout(PATIENCE_S):
            while await storage.store.read("old") is not None:  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(0.01)
        assert await storage.store.read("new") is not None


async def test_calls_that_cannot_be_counted_stop_us_with_one_sentence() -> None:
    async with opened() as storage:
        with closing(sqlite3.connect("calls.db")) as connection:
            connection.execute("DROP TABLE calls")
        with pytest.raises(CannotRunError) as caught:
            await storage.count_calls(0.0)
    assert str(caught.value) == 'store "sqlite:calls.db" cannot be read: no such table: calls'
