"""The log of a followed call: places, bounds, and readers that come back."""

import asyncio

import pytest

from runner.serve.admin.event_log import EventLog
from tests.patience import PATIENCE_S


def filled(count: int, **bounds: int) -> EventLog:
    log = EventLog(**bounds)
    for number in range(1, count + 1):
        log.append("turn", {"n": number})
    return log


def seqs(log: EventLog, place: int) -> list[int] | None:
    entries = log.after(place)
    return None if entries is None else [entry.seq for entry in entries]


async def test_a_reader_goes_on_where_it_was() -> None:
    log = filled(3)
    assert seqs(log, 0) == [1, 2, 3]
    assert seqs(log, 2) == [3]
    assert seqs(log, 3) == []
    assert seqs(log, 4) is None
    assert seqs(EventLog(), 0) == []


async def test_a_reader_that_is_too_slow_loses_its_place_and_the_log_stays_small() -> None:
    log = filled(10, most_entries=4)
    assert seqs(log, 5) is None
    assert seqs(log, 6) == [7, 8, 9, 10]
    log = filled(10, most_bytes=25)
    assert seqs(log, 7) == [8, 9, 10]
    assert seqs(log, 6) is None


@pytest.mark.parametrize(
    "event_id", [None, "", "1", ".1", "other.1", "{}.", "{}.-1", "{}.x", "{}.4", "{}.1.1", "{}.²"]
)
async def test_what_names_no_place_of_this_log_is_none(event_id: str | None) -> None:
    log = filled(3)
    assert log.place(None if event_id is None else event_id.format(log.epoch)) is None


async def test_the_id_of_an_event_names_its_place() -> None:
    log = filled(3)
    assert log.place(log.event_id(2)) == 2
    assert EventLog().place(log.event_id(2)) is None


async def test_readers_wait_for_what_comes() -> None:
    log = filled(1)
    waiting = asyncio.create_task(log.grown(1, 10.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    log.append("turn", {})
    await asyncio.wait_for(waiting, PATIENCE_S)
    await log.grown(0, 10.0)
    await log.grown(2, 0.001)
    log.close()
    await log.grown(2, 10.0)
