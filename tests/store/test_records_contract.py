"""What every store promises of records: saved is there, whatever is in it, and found, counted and deleted."""

import asyncio
import json
import logging
from typing import Any

import pytest

from runner.call.records.record_json import encode
from runner.errors import StoreError
from runner.model.job import Done, Job, JobCapacity, JobKind, JobState, Parked
from runner.model.record import CallRecord, ToolUse, Turn
from runner.model.stored_call import CallFilter, CallSummary, StoredCall, StoredJob
from runner.model.usage import Usage
from tests.store.engines import Engine, call_record

CAPACITY = JobCapacity(most=9, per_receiver=9)


def job(job_id: str, call_id: str = "rtc_1", **fields: Any) -> Job:
    given = {"kind": JobKind.DELIVERY, "receiver": "crm.example", "created_at": 100.0, "due_at": 100.0}
    return Job(id=job_id, call_id=call_id, **{"work": {}, **given, **fields})


def tool_use(arguments: Any) -> ToolUse:
    return ToolUse(name="find", call_id="c", arguments=arguments, started_at=1.0, took_s=None, status="ok")


def as_json(record: CallRecord) -> Any:
    return json.loads(encode(record))


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


async def test_a_record_is_read_as_it_was_saved(engine: Engine) -> None:
    store = await engine.open()
    record = call_record(
        caller="+14155550100",
        turns=(Turn(role="caller", text="Grüße \ud83d \0", at=1.5),),
        tools=(tool_use({"day": "Friday"}),),
        usage=Usage(text_in=3),
        cost_usd=0.25,
    )
    await store.save(record)
    assert await store.read("rtc_1") == StoredCall(record=as_json(record))
    assert await store.read("rtc_2") is None


async def test_a_record_outlives_the_store_that_took_it(engine: Engine) -> None:
    store = await engine.open()
    await store.save(call_record())
    await store.close()
    assert await (await engine.open()).read("rtc_1") is not None


async def test_a_record_of_the_same_call_is_replaced(engine: Engine) -> None:
    store = await engine.open()
    await store.save(call_record(ended="failed", caller="+1"))
    await store.save(call_record(ended="hangup", caller="+2"))
    [found] = await store.find(CallFilter(), 9)
    assert (found.ended, found.caller) == ("hangup", "+2")


async def test_records_of_many_calls_are_read_as_texts(engine: Engine) -> None:
    store = await engine.open()
    records = [call_record(id=f"rtc_{number}", created_at=float(number)) for number in range(1, 4)]
    for record in records:
        await store.save(record)
    found = await store.texts(CallFilter(since=2.0), 9)
    assert [json.loads(text) for text in found] == [as_json(records[2]), as_json(records[1])]
    assert await store.texts(CallFilter(), 1) == [encode(records[2])]


async def test_a_call_is_read_with_its_outcome_and_its_jobs(engine: Engine) -> None:
    store = await engine.open()
    await store.save(
        call_record(),
        [job("a"), job("b", due_at=None), job("q", kind=JobKind.OUTCOME), job("r", due_at=50.0)],
    )
    taken = {due.job.id: due for due in await store.take(CAPACITY, now=100.0, lease_s=60.0)}
    await store.settle(taken["a"], Parked(error="refused"), 110.0)
    await store.settle(taken["q"], Done(outcome={"booked": True}), 120.0)
    await store.settle(taken["r"], Done(), 120.0)
    stored = await store.read("rtc_1")
    assert stored is not None
    assert stored.outcome == {"booked": True}

    def shown(
        job_id: str, state: JobState, due_at: float | None, attempts: int, error: str | None
    ) -> StoredJob:
        return StoredJob(
            id=job_id,
            call_id="rtc_1",
            kind="delivery",
            state=state,
            created_at=100.0,
            due_at=due_at,
            attempts=attempts,
            error=error,
        )

    assert stored.jobs == (
        shown("a", JobState.PARKED, None, 1, "refused"),
        shown("b", JobState.OPEN, 120.0, 0, None),
    )


async def test_a_record_that_nobody_can_read_is_told(engine: Engine) -> None:
    store = await engine.open()
    await store.save(call_record())
    await engine.run("UPDATE calls SET record = '[1]'")
    with pytest.raises(StoreError) as caught:
        await store.read("rtc_1")
    assert str(caught.value) == "the record cannot be read: expected a JSON object, got list"


CALLS = [
    call_record("a", created_at=10.0, agent="desk", caller="+1415", called="+1800", ended="hangup"),
    call_record(
        "b",
        created_at=20.0,
        ended_at=25.5,
        agent="night",
        caller="+1416",
        called="+1800",
        ended="failed",
        cost_usd=0.5,
        turns=(
            Turn(role="caller", text="GRÜSSE, 100% sicher_", at=21.0),
            Turn(role="agent", text=None, at=22.0),
        ),
    ),
    call_record("c", created_at=30.0, agent="desk", caller="+1800", called="+1900", ended="failed"),
    call_record("d", created_at=30.0, agent="desk", ended="hangup"),
]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (CallFilter(), "dcba"),
        (CallFilter(agent="desk"), "dca"),
        (CallFilter(number="+1800"), "cba"),
        (CallFilter(number="+1416"), "b"),
        (CallFilter(ended="failed"), "cb"),
        (CallFilter(since=20.0), "dcb"),
        (CallFilter(until=30.0), "ba"),
        (CallFilter(since=20.0, until=30.0), "b"),
        (CallFilter(text="grüße"), "b"),
        (CallFilter(text="grüsset"), ""),
        (CallFilter(text="grüsse, 100%"), "b"),
        (CallFilter(text="100_"), ""),
        (CallFilter(text="sicher_"), "b"),
        (CallFilter(text="+180"), "cba"),
        (CallFilter(text="FAILED"), "cb"),
        (CallFilter(text="\0"), ""),
        (CallFilter(agent="\0"), ""),
        (CallFilter(ended="\ud83d"), ""),
        (CallFilter(before=(30.0, "d")), "cba"),
        (CallFilter(before=(30.0, "c"), agent="desk"), "a"),
        (CallFilter(agent="'; DROP TABLE calls; --"), ""),
        (CallFilter(agent="desk", ended="failed", number="+1900", since=0.0), "c"),
    ],
)
async def test_calls_are_found_newest_first(engine: Engine, where: CallFilter, ids: str) -> None:
    store = await engine.open()
    for call in CALLS:
        await store.save(call)
    assert "".join(found.id for found in await store.find(where, 9)) == ids


async def test_a_page_has_no_more_calls_than_are_wanted_and_each_in_a_line(engine: Engine) -> None:
    store = await engine.open()
    for call in CALLS:
        await store.save(call)
    assert [found.id for found in await store.find(CallFilter(), 2)] == ["d", "c"]
    [found] = await store.find(CallFilter(before=(30.0, "c")), 1)
    assert found == CallSummary(
        id="b",
        agent="night",
        caller="+1416",
        called="+1800",
        started_at=20.0,
        ended_at=25.5,
        ended="failed",
        cost_usd=0.5,
    )


async def test_calls_are_counted_by_agent_since_an_instant(engine: Engine) -> None:
    store = await engine.open()
    assert await store.count_calls(0.0) == {}
    for number, (agent, created_at) in enumerate([("a", 9.9), ("a", 10.0), ("a", 11.0), ("b", 10.5)]):
        await store.save(call_record(f"rtc_{number}", agent=agent, created_at=created_at))
    await store.save(call_record("rtc_1", agent="a", created_at=10.0, ended="again"))
    assert await store.count_calls(10.0) == {"a": 2, "b": 1}


async def test_a_deleted_call_leaves_nothing(engine: Engine) -> None:
    store = await engine.open()
    await store.save(call_record("rtc_1"), [job("a")])
    await store.save(call_record("rtc_2"), [job("b", "rtc_2")])
    piece = "''::bytea" if engine.is_shared else "x''"
    await engine.run(f"INSERT INTO journal (call_id, first_seq, entries) VALUES ('rtc_1', 1, {piece})")
    await engine.run(f"INSERT INTO journal (call_id, first_seq, entries) VALUES ('rtc_live', 1, {piece})")
    assert await store.delete("rtc_1") is True
    assert await store.delete("rtc_1") is False
    assert await store.delete("rtc_live") is False, "what a live call needs to be taken over stays"
    assert await engine.run("SELECT call_id FROM journal") == [("rtc_live",)]
    assert await engine.run("SELECT id FROM calls") == [("rtc_2",)]
    assert await engine.run("SELECT id FROM jobs") == [("b",)]


async def test_old_calls_are_deleted_in_steps_the_oldest_first(engine: Engine) -> None:
    store = await engine.open()
    for number in (3, 1, 2, 4):
        await store.save(call_record(f"rtc_{number}", created_at=float(number)))
    assert await store.delete_before(4.0, 2) == 2
    assert await engine.run("SELECT id FROM calls ORDER BY id") == [("rtc_3",), ("rtc_4",)]
    assert await store.delete_before(4.0, 2) == 1
    assert await store.delete_before(4.0, 2) == 0
    assert await engine.run("SELECT id FROM calls") == [("rtc_4",)]


async def test_an_old_call_stays_while_its_jobs_are_tried_and_takes_its_parked_ones_along(
    engine: Engine,
) -> None:
    store = await engine.open()
    await store.save(call_record(created_at=1.0), [job("a"), job("b")])
    first, second = await store.take(CAPACITY, now=100.0, lease_s=60.0)
    await store.settle(first, Parked(error="gone"), 100.0)
    assert await store.delete_before(50.0, 9) == 0
    await store.settle(second, Parked(error="gone"), 100.0)
    assert await store.delete_before(50.0, 9) == 1
    assert await engine.run("SELECT id FROM jobs") == []


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"tools": (tool_use(deep(100_000)),)}, {"tools": [None]}),
        ({"tools": (tool_use({1, 2}),)}, {"tools": [None]}),
        ({"usage": Usage(text_in=10**5000)}, {"usage": 0}),
    ],
)
async def test_what_cannot_be_written_does_not_cost_the_record_nor_its_jobs(
    engine: Engine, fields: dict[str, Any], kept: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    store = await engine.open()
    turns = (Turn(role="caller", text="Friday.", at=1.0),)
    await store.save(call_record(turns=turns, faults=("late",), **fields), [job("a")])
    stored = await store.read("rtc_1")
    assert stored is not None
    assert [turn["text"] for turn in stored.record["turns"]] == ["Friday."]
    assert [tool["arguments"] for tool in stored.record["tools"]] == kept.get("tools", [])
    assert stored.record["usage"]["text_in"] == 0
    first, second = stored.record["faults"]
    assert first == "late"
    assert second.startswith("arguments and usage were left out of the record: they cannot be written (")
    assert [found.state for found in stored.jobs] == [JobState.OPEN]
    assert [entry.message for entry in caplog.records] == ["record was saved without its unwritable parts"]


@pytest.mark.parametrize("arguments", [deep(500), 10**400, {"a": float("nan")}, "\ud83d\0"])
async def test_arguments_of_any_shape_are_kept(engine: Engine, arguments: Any) -> None:
    store = await engine.open()
    record = call_record(tools=(tool_use(arguments),), usage=Usage(text_in=10**400))
    await store.save(record)
    stored = await store.read("rtc_1")
    assert stored is not None
    assert stored.record == as_json(record)


async def test_numbers_that_are_no_numbers_do_not_cost_the_record(engine: Engine) -> None:
    store = await engine.open()
    await store.save(call_record(created_at=float("nan"), ended_at=float("inf"), cost_usd=float("nan")))
    [found] = await store.find(CallFilter(), 9)
    assert (found.started_at, found.ended_at, found.cost_usd) == (0.0, None, None)


async def test_a_job_that_cannot_be_written_is_parked_at_once(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    store = await engine.open()
    await store.save(call_record(), [job("a", work={"names": deep(100_000)})])
    [parked] = await store.parked(9)
    assert (parked.id, parked.state) == ("a", JobState.PARKED)
    assert str(parked.error).startswith("it cannot be written: maximum recursion depth exceeded")
    assert [entry.message for entry in caplog.records] == ["job cannot be written and is parked"]


async def test_records_saved_at_once_are_all_there(engine: Engine) -> None:
    store, other = await engine.open(), await engine.open()
    names = [f"rtc_{number:03}" for number in range(100)]
    await asyncio.gather(*((store, other)[at % 2].save(call_record(name)) for at, name in enumerate(names)))
    assert await engine.run("SELECT id FROM calls ORDER BY id") == [(name,) for name in names]


async def test_a_store_that_is_closed_says_so_and_may_be_closed_again(engine: Engine) -> None:
    store = await engine.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreError) as caught:
        await store.save(call_record())
    assert str(caught.value) == "the store is closed"
