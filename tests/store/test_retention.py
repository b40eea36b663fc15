"""Records leave the store when their time is over, in small steps."""

import asyncio

import pytest

from runner.model.stored_call import CallFilter
from runner.store import retention
from runner.store.retention import Retention
from tests.patience import PATIENCE_S
from tests.store.engines import Engine, call_record

DAY_S = 24 * 3600.0


async def test_what_is_older_than_it_may_be_is_deleted_step_by_step(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    store = await engine.open()
    for day in range(10):
        await store.save(call_record(f"day {day}", created_at=day * DAY_S))
    old = Retention(store, 4 * DAY_S, lambda: 9 * DAY_S)
    assert await old.sweep() == 5
    assert [found.id for found in await store.find(CallFilter(), 99)] == [
        f"day {day}" for day in range(9, 4, -1)
    ]
    assert await old.sweep() == 0


async def test_a_store_that_fails_is_swept_another_time(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await engine.open()
    await store.close()
    monkeypatch.setattr(retention, "SWEEP_EVERY_S", 0.0)
    sweeping = asyncio.create_task(Retention(store, DAY_S, lambda: 0.0).run())
    async with asyncio.timeout(PATIENCE_S):
        while len(caplog.records) < 2:  # noqa: ASYNC110 - the log tells nobody
            await asyncio.sleep(0)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
    assert {(entry.message, entry.__dict__["error"]) for entry in caplog.records} == {
        ("old records are not deleted yet", "the store is closed")
    }
