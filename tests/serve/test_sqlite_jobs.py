"""What is owed after calls is kept with their records: all or nothing, once, and until it is settled."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.model.job import Backlog, Done, Job, JobKind, JobResult, Later, Parked
from runner.model.record import CallRecord
from runner.serve import sqlite_store
from runner.serve.store import Store, open_store

RECORD = CallRecord(
    id="rtc_1",
    agent="desk",
    route=None,
    why="",
    caller=None,
    called=None,
    transport="sip",
    created_at=0.0,
)
QUESTION = Job(
    id="q", call_id="rtc_1", kind=JobKind.OUTCOME, created_at=100.0, due_at=100.0, work={"model": "m"}
)
DELIVERY = Job(
    id="d", call_id="rtc_1", kind=JobKind.DELIVERY, created_at=100.0, due_at=None, work={"http": {"a": [1]}}
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect("calls.db")) as connection:
        return connection.execute(query).fetchall()


def states() -> list[tuple[object, ...]]:
    return rows("SELECT id, state, due_at, attempts, error FROM after_call ORDER BY id")


async def stored(*jobs: Job, record: CallRecord = RECORD) -> Store:
    store = open_store("sqlite:calls.db")
    await store.save(record, jobs)
    return store


async def test_a_duty_comes_back_when_it_is_due_with_its_record() -> None:
    store = await stored(QUESTION)
    assert await store.take(9, now=99.9, until=200.0) == []
    [due] = await store.take(9, now=100.0, until=200.0)
    assert (due.job, due.record["id"], due.outcome) == (QUESTION, "rtc_1", None)
    await store.close()


async def test_what_is_taken_is_due_again_only_at_the_end_of_its_time() -> None:
    store = await stored(QUESTION)
    await store.take(9, now=100.0, until=220.0)
    other = open_store("sqlite:calls.db")
    assert await other.take(9, now=219.9, until=300.0) == []
    [again] = await other.take(9, now=220.0, until=300.0)
    assert (again.job.id, again.job.attempts) == ("q", 0)
    await store.close()
    await other.close()


async def test_the_longest_due_come_first_and_no_more_than_are_wanted() -> None:
    jobs = [replace(QUESTION, id=f"q{at}", due_at=float(at)) for at in (30, 10, 20)]
    store = await stored(*jobs)
    assert [due.job.id for due in await store.take(2, now=100.0, until=200.0)] == ["q10", "q20"]
    await store.close()


async def test_what_waits_for_the_outcome_is_due_when_there_is_one() -> None:
    other_call = replace(DELIVERY, id="other", call_id="rtc_2")
    store = await stored(QUESTION, DELIVERY)
    await store.save(replace(RECORD, id="rtc_2"), [other_call])
    assert [due.job.id for due in await store.take(9, now=1000.0, until=2000.0)] == ["q"]
    await store.settle(QUESTION, Done(outcome={"booked": True}), 1001.0)
    assert rows("SELECT id, outcome FROM calls ORDER BY id") == [
        ("rtc_1", '{"booked": true}'),
        ("rtc_2", None),
    ]
    [due] = await store.take(9, now=1001.0, until=2000.0)
    assert (due.job.id, due.outcome) == ("d", {"booked": True})
    await store.close()


@pytest.mark.parametrize(
    ("result", "states_after"),
    [
        (Done(), [("d", "queued", 500.0, 0, None)]),
        (Parked(error="refused"), [("d", "queued", 500.0, 0, None), ("q", "parked", None, 1, "refused")]),
        (
            Later(due_at=600.0, error="busy"),
            [("d", "queued", None, 0, None), ("q", "queued", 600.0, 1, "busy")],
        ),
    ],
)
async def test_what_becomes_of_a_question_and_of_what_waits_for_it(
    result: JobResult, states_after: list[tuple[object, ...]]
) -> None:
    store = await stored(QUESTION, DELIVERY)
    await store.settle(QUESTION, result, 500.0)
    assert states() == states_after
    await store.close()


@pytest.mark.parametrize(
    ("result", "states_after"),
    [
        (Done(), []),
        (Parked(error="gone"), [("d", "parked", None, 3, "gone")]),
        (Later(due_at=600.0, error="busy"), [("d", "queued", 600.0, 3, "busy")]),
    ],
)
async def test_what_becomes_of_a_delivery(result: JobResult, states_after: list[tuple[object, ...]]) -> None:
    store = await stored(replace(DELIVERY, due_at=100.0))
    await store.settle(replace(DELIVERY, attempts=2), result, 500.0)
    assert states() == states_after
    assert rows("SELECT outcome FROM calls") == [(None,)]
    await store.close()


async def test_what_is_parked_is_never_taken() -> None:
    store = await stored(QUESTION)
    await store.settle(QUESTION, Parked(error="no"), 500.0)
    assert await store.take(9, now=1e12, until=2e12) == []
    await store.close()


async def test_what_is_given_back_is_due_as_it_was() -> None:
    store = await stored(QUESTION)
    [due] = await store.take(9, now=150.0, until=999.0)
    await store.release([due.job])
    assert states() == [("q", "queued", 100.0, 0, None)]
    await store.close()


async def test_the_backlog_counts_and_knows_the_next_time() -> None:
    store = await stored(
        QUESTION, DELIVERY, replace(QUESTION, id="p"), replace(QUESTION, id="l", due_at=50.0)
    )
    await store.settle(replace(QUESTION, id="p"), Parked(error="no"), 100.0)
    assert await store.backlog() == Backlog(queued=3, parked=1, next_due_at=50.0)
    await store.close()


async def test_nothing_owed_is_an_empty_backlog() -> None:
    store = await stored()
    assert await store.backlog() == Backlog()
    await store.close()


async def test_a_call_that_a_person_has_removed_is_owed_no_more() -> None:
    store = await stored(QUESTION)
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM calls")
    assert await store.backlog() == Backlog()
    assert await store.take(9, now=100.0, until=200.0) == []
    await store.close()


async def test_a_record_saved_twice_owes_what_it_owes_once() -> None:
    store = await stored(QUESTION)
    await store.settle(QUESTION, Later(due_at=600.0, error="busy"), 500.0)
    await store.save(RECORD, [QUESTION])
    assert states() == [("q", "queued", 600.0, 1, "busy")]
    await store.close()


async def test_a_record_and_what_it_owes_are_written_together_or_not_at_all() -> None:
    """The second of two jobs, which the table refuses, takes the first and the record with it."""
    store = await stored()
    broken = replace(QUESTION, id="b", created_at=None)  # type: ignore[arg-type] # what the table refuses
    with pytest.raises(StoreError):
        await store.save(replace(RECORD, id="rtc_2"), [replace(QUESTION, call_id="rtc_2"), broken])
    assert rows("SELECT id FROM calls") == [("rtc_1",)]
    assert states() == []
    await store.close()


async def test_what_is_owed_by_a_record_that_is_saved_late_is_saved_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite_store, "BUSY_S", 0.01)
    store = open_store("sqlite:calls.db")
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            await store.save(RECORD, [QUESTION])
    await store.close()
    assert [state[0] for state in states()] == ["q"]


async def test_a_store_that_fails_says_so_and_works_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "BUSY_S", 0.01)
    store = await stored(QUESTION)
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        for attempt in (
            store.take(9, now=100.0, until=200.0),
            store.settle(QUESTION, Done(), 100.0),
            store.release([QUESTION]),
            store.backlog(),
        ):
            with pytest.raises(StoreError, match=r"^database is locked$"):
                await attempt
    [due] = await store.take(9, now=100.0, until=200.0)
    assert due.job.id == "q"
    await store.close()
