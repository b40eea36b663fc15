"""Receivers that hang, bursts and bugs delay nobody else's jobs."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest

from runner.call.afterwards.capacity import MOST_HELD, MOST_PER_RECEIVER
from runner.errors import StoreError
from runner.model.job import JobCapacity
from runner.serve import background
from runner.store.store import Store
from tests.serve.jobs.desk import SHORTER_THAN_AN_ATTEMPT_S, Desk, Receiver, rows, serving


@pytest.fixture
async def hanging() -> AsyncIterator[Receiver]:
    """A receiver that takes deliveries and never answers."""
    receiver = Receiver()
    receiver.gate.clear()
    async with serving(receiver):
        yield receiver


async def test_receivers_that_hang_do_not_delay_one_that_is_well(desk: Desk, hanging: Receiver) -> None:
    """Each of them has more deliveries than hands, and all of them were due before."""
    for number in range(6):
        for call in range(MOST_PER_RECEIVER + 2):
            await desk.call_ends(f"rtc_{number}_{call}", url=hanging.url(number))
    await desk.start()
    await hanging.until(lambda: len(hanging.got) == MOST_HELD // 2)
    desk.now += 1
    await desk.call_ends("rtc_quick")
    desk.worker.wake()
    async with asyncio.timeout(SHORTER_THAN_AN_ATTEMPT_S):
        await desk.receiver.until(lambda: desk.receiver.got)
    assert len(hanging.got) == MOST_HELD // 2


async def test_receivers_that_hang_do_not_delay_the_next_process(desk: Desk, hanging: Receiver) -> None:
    """The process was killed with all of its share of hands busy."""
    for call in range(MOST_PER_RECEIVER * 3):
        await desk.call_ends(f"rtc_{call}", url=hanging.url())
    await desk.store.take(JobCapacity(most=20, per_receiver=20), now=desk.now, lease_s=120.0)
    await desk.call_ends("rtc_quick")
    await desk.start()
    async with asyncio.timeout(SHORTER_THAN_AN_ATTEMPT_S):
        await desk.receiver.until(lambda: desk.receiver.got)


async def test_a_burst_to_one_receiver_gets_its_share_of_hands_until_all_is_delivered(desk: Desk) -> None:
    desk.receiver.gate.clear()
    for number in range(MOST_PER_RECEIVER * 2 + 3):
        await desk.call_ends(f"rtc_{number}")
    await desk.start()
    await desk.receiver.until(lambda: len(desk.receiver.got) == MOST_PER_RECEIVER)
    assert rows("SELECT count(*) FROM jobs WHERE taken_until > 1000") == [(MOST_PER_RECEIVER,)]
    held = {"receiver": f"127.0.0.2:{desk.receiver.port}"}
    metric = "phone_agents_jobs_held"
    assert desk.metrics._registry.get_sample_value(metric, held) == MOST_PER_RECEIVER
    desk.receiver.gate.set()
    await desk.passes(0)
    assert len(set(desk.receiver.ids)) == MOST_PER_RECEIVER * 2 + 3
    assert desk.metrics._registry.get_sample_value(metric, held) is None


class Counted:
    """The store, and how often it was asked for its backlog."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += name == "backlog"
        return getattr(self._store, name)


@pytest.mark.parametrize(
    ("receivers", "most"),
    [(1, MOST_PER_RECEIVER), (MOST_HELD + 3, MOST_HELD)],
    ids=["of one receiver", "in all"],
)
async def test_no_more_are_under_way_than_there_are_hands_and_the_worker_waits_for_one(
    desk: Desk, hanging: Receiver, receivers: int, most: int
) -> None:
    store = Counted(desk.store)
    for number in range(most + 3):
        await desk.call_ends(f"rtc_{number}", url=hanging.url(number % receivers))
    await desk.start(store)
    await hanging.until(lambda: len(hanging.got) == most)
    for _ in range(20):
        # What asks the store takes its turn: a worker that asks again and again would be heard here.
        await desk.store.backlog()
    assert store.asked <= 2
    assert rows("SELECT count(*) FROM jobs WHERE taken_until > 1000") == [(most,)]


async def test_what_is_under_way_at_the_end_is_due_again_at_once(desk: Desk) -> None:
    desk.receiver.gate.clear()
    await desk.call_ends()
    await desk.start()
    await desk.receiver.until(lambda: desk.receiver.got)
    await desk.worker.close()
    assert rows("SELECT state, due_at, attempts FROM jobs") == [("open", 1000.0, 0)]
    desk.receiver.gate.set()
    await desk.start()
    await desk.passes(0)
    assert len(set(desk.receiver.ids)) == 1
    assert len(desk.receiver.got) == 2


class Trouble:
    """The store, which fails at some of what it is asked."""

    def __init__(self, store: Store, *failing: str, error: Exception | None = None) -> None:
        self._error = error or StoreError("disk full")
        self._store = store
        self.failing = list(failing)

    def __getattr__(self, name: str) -> Any:
        if name in self.failing:
            self.failing.remove(name)
            return self._fail
        return getattr(self._store, name)

    async def _fail(self, *_: object, **__: object) -> None:
        raise self._error


async def test_a_worker_that_a_bug_ends_is_told_and_started_again(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "RESTART_S", 0.0)
    store = Trouble(desk.store, "take", error=RuntimeError("a bug"))
    await desk.call_ends()
    await desk.start(store)
    await desk.receiver.until(lambda: desk.receiver.got)
    assert desk.worker.trouble == "the job worker failed and was restarted: RuntimeError"
    assert [r.message for r in caplog.records] == ["the job worker failed and is started again"]


async def test_a_row_that_nobody_can_read_is_parked_and_the_others_are_delivered(desk: Desk) -> None:
    await desk.call_ends("rtc_1")
    await desk.call_ends("rtc_2")
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as connection:
        connection.execute("UPDATE jobs SET kind = 'letter' WHERE call_id = 'rtc_1'")
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT call_id, state FROM jobs") == [("rtc_1", "parked")]
    assert len(desk.receiver.got) == 1


@pytest.mark.parametrize("failing", ["take", "backlog"])
async def test_a_store_that_cannot_be_read_is_read_again(
    desk: Desk, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.start(Trouble(desk.store, failing))
    await desk.passes(0)
    await desk.call_ends()
    await desk.passes(0)
    assert len(desk.receiver.got) == 1
    assert [r.message for r in caplog.records] == ["jobs cannot be read"]


async def test_a_result_that_cannot_be_written_down_means_that_it_is_done_once_more(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.call_ends()
    await desk.start(Trouble(desk.store, "settle"))
    await desk.passes(0)
    await desk.passes(119)
    assert len(desk.receiver.got) == 1
    await desk.passes(1)
    assert len(desk.receiver.got) == 2
    assert len(set(desk.receiver.ids)) == 1
    assert rows("SELECT * FROM jobs") == []
    assert [r.message for r in caplog.records] == ["job's result was not saved"]


async def test_a_bug_in_one_attempt_is_told_and_the_job_tried_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.call_ends()
    desk.secrets = None  # type: ignore[assignment] # a bug of ours
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT state, attempts, error FROM jobs") == [
        ("open", 1, "a bug of ours; the log has its traceback")
    ]
    assert [r.message for r in caplog.records] == ["job failed by a bug of ours", "job was attempted"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("'{}'", """it has no 'names'"""),
        ("json_remove(work, '$.http.url')", """it has no 'url'"""),
        (
            "json_set(work, '$.http.auth', json('{\"kind\": \"mtls\"}'))",
            '"mtls" is not a kind of auth that this version knows',
        ),
        (
            "json_set(work, '$.http.url', 'https://[::1')",
            '"[::1" is not a host, such as api.maple.example',
        ),
    ],
)
async def test_a_row_that_somebody_has_changed_is_parked_and_delays_no_other(
    desk: Desk, change: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.call_ends()
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as connection:
        connection.execute(f"UPDATE jobs SET work = {change}")
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT state, error FROM jobs") == [("parked", f"the job cannot be read: {error}")]
    assert [r.message for r in caplog.records] == [
        "job cannot be read and is parked",
        "job was attempted",
    ]
    await desk.call_ends(call_id="rtc_2")
    await desk.passes(0)
    assert len(desk.receiver.got) == 1
