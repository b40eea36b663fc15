"""What every store promises of jobs: one attempt at a time, none lost, and each until it is settled."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from runner.errors import StoreRefusedError
from runner.model.job import Backlog, Done, DueJob, Job, JobCapacity, JobKind, JobResult, Later, Parked
from runner.store.store import Store
from tests.store.engines import Engine, call_record

RECORD = call_record("rtc_1")
QUESTION = Job(
    id="q",
    call_id="rtc_1",
    kind=JobKind.OUTCOME,
    receiver="text model",
    created_at=100.0,
    due_at=100.0,
    work={"model": "m"},
)
DELIVERY = Job(
    id="d",
    call_id="rtc_1",
    kind=JobKind.DELIVERY,
    receiver="crm.maple.example:8443",
    created_at=100.0,
    due_at=None,
    work={"http": {"a": [1]}},
)
HOUR_S = 3600.0


async def stored(engine: Engine, *jobs: Job) -> Store:
    store = await engine.open()
    await store.save(RECORD, jobs)
    return store


async def states(engine: Engine) -> list[tuple[Any, ...]]:
    return await engine.run("SELECT id, state, due_at, attempts, error FROM jobs ORDER BY id")


async def take(store: Store, *, now: float = 1000.0, lease_s: float = HOUR_S) -> dict[str, DueJob]:
    return {due.job.id: due for due in await store.take(capacity(9), now=now, lease_s=lease_s)}


def capacity(most: int, per_receiver: int = 99, **held: int) -> JobCapacity:
    return JobCapacity(most=most, per_receiver=per_receiver, held=held)


def deliveries(receiver: str, *due_at: float) -> list[Job]:
    return [replace(DELIVERY, id=f"{receiver}{at:g}", receiver=receiver, due_at=at) for at in due_at]


async def ids(store: Store, capacity: JobCapacity) -> list[str]:
    return [due.job.id for due in await store.take(capacity, now=100.0, lease_s=HOUR_S)]


async def test_a_job_comes_when_it_is_due_with_its_record(engine: Engine) -> None:
    store = await stored(engine, QUESTION)
    assert await take(store, now=99.9) == {}
    due = (await take(store, now=100.0))["q"]
    assert (due.job, due.record["id"], due.outcome) == (QUESTION, "rtc_1", None)


async def test_nobody_else_gets_a_job_that_is_taken(engine: Engine) -> None:
    store, other = await stored(engine, QUESTION), await engine.open()
    assert list(await take(store)) == ["q"]
    assert await take(other) == {}
    assert await take(store) == {}


async def test_a_job_is_due_again_when_its_lease_is_over(engine: Engine) -> None:
    store = await stored(engine, QUESTION)
    first = (await take(store, lease_s=0.0))["q"]
    again = (await take(store))["q"]
    assert (again.job, again.fence) == (QUESTION, first.fence + 1)


async def test_racing_runners_never_take_the_same_job(engine: Engine) -> None:
    jobs = [replace(QUESTION, id=f"q{number:02}") for number in range(40)]
    stores = [await stored(engine, *jobs), await engine.open()]

    async def runner(store: Store) -> list[str]:
        """Takes until nothing is due: what another is just taking is passed over, and may be free again."""
        taken: list[str] = []
        while ((await store.backlog()).next_due_at or 0.0) <= 1000.0:
            batch = await store.take(capacity(3), now=1000.0, lease_s=HOUR_S)
            taken += (due.job.id for due in batch)
        return taken

    taken = await asyncio.gather(*map(runner, stores * 5))
    assert sorted(job_id for batch in taken for job_id in batch) == [job.id for job in jobs]


async def test_the_longest_due_come_first_and_no_more_than_are_wanted(engine: Engine) -> None:
    store = await stored(engine, *deliveries("a", 30, 10, 20))
    assert await ids(store, capacity(2)) == ["a10", "a20"]
    assert await ids(store, capacity(2)) == ["a30"]


async def test_a_receiver_gets_its_share_and_no_more(engine: Engine) -> None:
    store = await stored(engine, *deliveries("a", 1, 2, 3, 4), *deliveries("b", 5, 6))
    assert await ids(store, capacity(9, 3)) == ["a1", "b5", "a2", "b6", "a3"]
    assert await ids(store, capacity(9, 3, a=3, b=2)) == []
    assert await ids(store, capacity(9, 3, a=2)) == ["a4"]


async def test_receivers_with_fewer_jobs_under_way_come_first(engine: Engine) -> None:
    store = await stored(engine, *deliveries("a", 1, 2, 3), *deliveries("b", 4, 5), *deliveries("c", 6))
    assert await ids(store, capacity(3, a=1)) == ["b4", "c6", "a1"]
    assert await ids(store, capacity(9, a=2, b=1, c=1)) == ["b5", "a2", "a3"]


async def test_many_jobs_of_one_that_hangs_do_not_hide_the_job_of_another(engine: Engine) -> None:
    store = await stored(engine, *deliveries("a", *range(50)), *deliveries("b", 60))
    assert await ids(store, capacity(4, 2)) == ["a0", "b60", "a1"]
    assert await ids(store, capacity(4, 2, a=2, b=1)) == []


async def test_the_next_job_is_not_one_of_a_busy_receiver(engine: Engine) -> None:
    store = await stored(engine, *deliveries("a", 10), *deliveries("b", 20))
    assert await store.backlog(["a"]) == Backlog(open=2, parked=0, next_due_at=20.0)
    assert await store.backlog(["a", "b"]) == Backlog(open=2, parked=0, next_due_at=None)
    assert await store.backlog() == Backlog(open=2, parked=0, next_due_at=10.0)


async def test_a_job_of_an_older_version_has_a_receiver_too(engine: Engine) -> None:
    """A runner of the version before, which shares the database, writes none."""
    store = await stored(engine)
    await engine.run(
        "INSERT INTO jobs (id, call_id, kind, state, created_at, due_at, work)"
        " VALUES ('o', 'rtc_1', 'delivery', 'open', 1, 1, '{}')"
    )
    assert await ids(store, capacity(1)) == ["o"]


async def test_what_waits_for_the_outcome_is_due_when_there_is_one(engine: Engine) -> None:
    store = await stored(engine, QUESTION, DELIVERY)
    await store.save(call_record("rtc_2"), [replace(DELIVERY, id="other", call_id="rtc_2")])
    taken = await take(store)
    assert list(taken) == ["q"]
    await store.settle(taken["q"], Done(outcome={"booked": True}), 1001.0)
    assert await engine.run("SELECT id, outcome FROM calls ORDER BY id") == [
        ("rtc_1", '{"booked": true}'),
        ("rtc_2", None),
    ]
    taken = await take(store, now=1001.0)
    assert [(due.job.id, due.outcome) for due in taken.values()] == [("d", {"booked": True})]


@pytest.mark.parametrize(
    ("result", "states_after"),
    [
        (Done(), [("d", "open", 1500.0, 0, None)]),
        (Parked(error="refused"), [("d", "open", 1500.0, 0, None), ("q", "parked", None, 1, "refused")]),
        (
            Later(due_at=1600.0, error="busy"),
            [("d", "open", None, 0, None), ("q", "open", 1600.0, 1, "busy")],
        ),
    ],
)
async def test_the_result_of_a_question_and_what_waits_for_it(
    engine: Engine, result: JobResult, states_after: list[tuple[object, ...]]
) -> None:
    store = await stored(engine, QUESTION, DELIVERY)
    await store.settle((await take(store))["q"], result, 1500.0)
    assert await states(engine) == states_after


@pytest.mark.parametrize(
    ("result", "states_after"),
    [
        (Done(), []),
        (Parked(error="gone"), [("d", "parked", None, 3, "gone")]),
        (Later(due_at=1600.0, error="busy"), [("d", "open", 1600.0, 3, "busy")]),
    ],
)
async def test_the_result_of_a_delivery(
    engine: Engine, result: JobResult, states_after: list[tuple[object, ...]]
) -> None:
    store = await stored(engine, replace(DELIVERY, due_at=100.0, attempts=2))
    await store.settle((await take(store))["d"], result, 1500.0)
    assert await states(engine) == states_after
    assert await engine.run("SELECT outcome FROM calls") == [(None,)]


async def test_a_job_that_is_tried_later_is_free_at_once_then(engine: Engine) -> None:
    store = await stored(engine, QUESTION)
    await store.settle((await take(store))["q"], Later(due_at=1600.0, error="busy"), 1500.0)
    assert list(await take(store, now=1600.0)) == ["q"]


@pytest.mark.parametrize("result", [Parked(error="\ud83d\0"), Later(due_at=5.0, error="\ud83d\0")])
async def test_an_error_may_quote_anything(engine: Engine, result: JobResult) -> None:
    store = await stored(engine, QUESTION)
    await store.settle((await take(store))["q"], result, 1500.0)
    assert await engine.run("SELECT error FROM jobs") == [("?\ufffd",)]


async def test_what_is_parked_is_never_taken(engine: Engine) -> None:
    store = await stored(engine, QUESTION)
    await store.settle((await take(store))["q"], Parked(error="no"), 500.0)
    assert await take(store, now=1e12) == {}


async def test_what_is_given_back_is_due_as_it_was(engine: Engine) -> None:
    store = await stored(engine, QUESTION)
    await store.release(list((await take(store)).values()))
    assert await states(engine) == [("q", "open", 100.0, 0, None)]
    assert (await take(store))["q"].job == QUESTION


@pytest.mark.parametrize("result", [Later(due_at=5.0, error="slow"), Parked(error="slow"), None])
async def test_who_has_lost_a_job_to_another_changes_nothing(
    engine: Engine, result: JobResult | None
) -> None:
    store = await stored(engine, QUESTION, DELIVERY)
    late = (await take(store, lease_s=0.0))["q"]
    owner = (await take(store))["q"]
    before = await engine.run("SELECT * FROM jobs ORDER BY id")
    if result is None:
        await store.release([late])
    else:
        await store.settle(late, result, 1500.0)
    assert await engine.run("SELECT * FROM jobs ORDER BY id") == before
    await store.settle(owner, Done(), 1500.0)
    assert await states(engine) == [("d", "open", 1500.0, 0, None)]


async def test_what_was_parked_and_then_given_back_stays_parked_and_is_never_due(engine: Engine) -> None:
    """An unlucky end of the process: a job is settled while all jobs under way are given back."""
    store = await stored(engine, QUESTION)
    due = (await take(store))["q"]
    await store.settle(due, Parked(error="no"), 500.0)
    await store.release([due])
    assert await store.backlog() == Backlog(open=0, parked=1, next_due_at=None)


async def test_the_backlog_counts_and_knows_the_next_time(engine: Engine) -> None:
    store = await stored(
        engine,
        QUESTION,
        DELIVERY,
        replace(QUESTION, id="p", due_at=20.0),
        replace(QUESTION, id="l", due_at=50.0),
    )
    await store.settle((await take(store, now=20.0))["p"], Parked(error="no"), 100.0)
    await engine.run("UPDATE jobs SET due_at = 1 WHERE id = 'p'")
    assert await store.backlog() == Backlog(open=3, parked=1, next_due_at=50.0)


async def test_a_job_that_somebody_has_is_not_the_next(engine: Engine) -> None:
    store = await stored(engine, QUESTION, replace(QUESTION, id="l", due_at=1e12))
    await take(store)
    next_due_at = (await store.backlog()).next_due_at
    assert next_due_at is not None
    assert next_due_at > 1000.0


async def test_no_jobs_are_an_empty_backlog(engine: Engine) -> None:
    store = await stored(engine)
    assert await store.backlog() == Backlog()


async def test_a_job_that_has_lost_its_call_is_never_due(engine: Engine) -> None:
    store = await stored(engine, QUESTION)
    await engine.run("DELETE FROM calls")
    assert await store.backlog() == Backlog()
    assert await take(store) == {}


async def test_a_record_saved_twice_has_its_jobs_once(engine: Engine) -> None:
    store = await stored(engine, QUESTION)
    await store.settle((await take(store))["q"], Later(due_at=1600.0, error="busy"), 500.0)
    await store.save(RECORD, [QUESTION])
    assert await states(engine) == [("q", "open", 1600.0, 1, "busy")]


async def test_a_record_and_its_jobs_are_written_together_or_not_at_all(engine: Engine) -> None:
    """The second of two jobs, which the table refuses, takes the first and the record with it."""
    store = await stored(engine)
    broken = replace(QUESTION, id="b", created_at=None)  # type: ignore[arg-type] # what the table refuses
    with pytest.raises(StoreRefusedError):
        await store.save(call_record("rtc_2"), [replace(QUESTION, call_id="rtc_2"), broken])
    assert await engine.run("SELECT id FROM calls") == [("rtc_1",)]
    assert await states(engine) == []


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (
            "UPDATE jobs SET kind = 'letter' WHERE id = 'q'",
            "'letter' is not a valid JobKind",
        ),
        (
            "UPDATE jobs SET work = '[1]' WHERE id = 'q'",
            "expected a JSON object, got list",
        ),
        (
            "UPDATE jobs SET work = '{' WHERE id = 'q'",
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (
            "UPDATE calls SET outcome = 'x' WHERE id = 'rtc_1'",
            "Expecting value: line 1 column 1 (char 0)",
        ),
    ],
)
async def test_a_job_that_cannot_be_read_is_parked_and_keeps_no_other_from_being_done(
    engine: Engine, damage: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = await stored(engine, QUESTION)
    await store.save(call_record("rtc_2"), [replace(QUESTION, id="z", call_id="rtc_2")])
    await engine.run(damage)
    assert list(await take(store)) == ["z"]
    [parked] = await store.parked(9)
    assert (parked.id, parked.error) == ("q", f"it cannot be read: {error}")
    assert [(entry.message, entry.__dict__["job"]) for entry in caplog.records] == [
        ("job cannot be read and is parked", "q")
    ]


async def test_what_waits_for_an_outcome_that_cannot_be_read_waits_no_longer(engine: Engine) -> None:
    store = await stored(engine, QUESTION, DELIVERY)
    await engine.run("UPDATE jobs SET work = '{' WHERE id = 'q'")
    assert await take(store) == {}
    assert list(await take(store)) == ["d"]


async def test_parked_jobs_are_shown_the_newest_first(engine: Engine) -> None:
    store = await stored(engine, *(replace(QUESTION, id=f"q{at}", created_at=float(at)) for at in (1, 3, 2)))
    for due in (await take(store)).values():
        await store.settle(due, Parked(error="no"), 1000.0)
    assert [parked.id for parked in await store.parked(2)] == ["q3", "q2"]


async def test_parked_jobs_of_a_call_are_opened_again_as_if_they_were_new(engine: Engine) -> None:
    store = await stored(engine, replace(QUESTION, attempts=7), replace(DELIVERY, due_at=9999.0))
    await store.settle((await take(store))["q"], Parked(error="no"), 1000.0)
    assert await store.retry_parked("rtc_2", 5000.0) == 0
    assert await store.retry_parked("rtc_1", 5000.0) == 1
    due = (await take(store, now=5000.0))["q"]
    assert due.job == replace(QUESTION, created_at=5000.0, due_at=5000.0)
