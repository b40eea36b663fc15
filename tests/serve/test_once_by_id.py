"""Each event is carried out once, however often and however close together it is delivered."""

import asyncio

import pytest

from runner.serve.once_by_id import OnceById


class Work:
    """Counts how often it is done and gives the results of a list, waiting for `go` if it is closed."""

    def __init__(self, *results: str) -> None:
        self.results = list(results)
        self.done = 0
        self.began = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> str:
        self.done += 1
        self.began.set()
        await self.go.wait()
        result = self.results.pop(0)
        if result == "bug":
            raise RuntimeError(result)
        return result


def remembering(most: int = 100) -> OnceById[str]:
    return OnceById(lambda result: result != "again", most)


async def test_a_second_delivery_gets_the_first_ones_result() -> None:
    work, deliveries = Work("one", "two"), remembering()
    assert await deliveries.once(["a"], work) == ("one", False)
    assert await deliveries.once(["a"], work) == ("one", True)
    assert await deliveries.once(["b"], work) == ("two", False)


async def test_any_id_in_common_makes_it_the_same() -> None:
    work, deliveries = Work("one", "two"), remembering()
    await deliveries.once(["webhook 1", "call 1"], work)
    assert await deliveries.once(["webhook 2", "call 1"], work) == ("one", True)
    assert await deliveries.once(["webhook 1"], work) == ("one", True)
    assert await deliveries.once(["webhook 2"], work) == ("two", False)


async def test_copies_wait_for_the_one_that_is_being_carried_out() -> None:
    work, deliveries = Work("one"), remembering()
    work.go.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(deliveries.once(["a"], work))
        await work.began.wait()
        second = group.create_task(deliveries.once(["a"], work))
        work.go.set()
    assert (first.result(), second.result(), work.done) == (("one", False), ("one", True), 1)


async def test_a_result_that_is_not_final_is_forgotten() -> None:
    work, deliveries = Work("again", "one"), remembering()
    assert await deliveries.once(["a", "b"], work) == ("again", False)
    assert await deliveries.once(["b", "a"], work) == ("one", False)


async def test_a_failure_is_raised_to_all_and_forgotten() -> None:
    work, deliveries = Work("bug", "one"), remembering()
    with pytest.raises(RuntimeError, match="bug"):
        await deliveries.once(["a"], work)
    assert await deliveries.once(["a"], work) == ("one", False)


async def test_a_sender_who_hangs_up_does_not_stop_the_work() -> None:
    work, deliveries = Work("one"), remembering()
    work.go.clear()
    impatient = asyncio.create_task(deliveries.once(["a"], work))
    await work.began.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    work.go.set()
    assert await deliveries.once(["a"], work) == ("one", True)


async def test_a_copy_that_hangs_up_does_not_stop_the_work() -> None:
    work, deliveries = Work("one"), remembering()
    work.go.clear()
    first = asyncio.create_task(deliveries.once(["a"], work))
    await work.began.wait()
    copy = asyncio.create_task(deliveries.once(["a"], work))
    await asyncio.wait([copy], timeout=0)
    copy.cancel()
    work.go.set()
    assert await first == ("one", False)


async def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    work, deliveries = Work("one", "two", "three", "four"), remembering(most=2)
    for key in "abc":
        await deliveries.once([key], work)
    assert await deliveries.once(["b"], work) == ("two", True)
    assert await deliveries.once(["a"], work) == ("four", False)


async def test_settling_waits_for_what_is_being_carried_out() -> None:
    work, deliveries = Work("one"), remembering()
    await deliveries.settle()
    work.go.clear()
    delivery = asyncio.create_task(deliveries.once(["a"], work))
    await work.began.wait()
    settling = asyncio.create_task(deliveries.settle())
    await asyncio.wait([settling], timeout=0)
    assert not settling.done()
    work.go.set()
    await settling
    assert (await delivery) == ("one", False)


async def test_a_failure_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    work, deliveries = Work("bug"), remembering()
    work.go.clear()
    impatient = asyncio.create_task(deliveries.once(["a"], work))
    await work.began.wait()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    work.go.set()
    await deliveries.settle()
    await asyncio.sleep(0)
    assert [entry.message for entry in caplog.records] == ["background task failed"]


async def test_a_failure_that_somebody_waits_for_is_not_logged_here(caplog: pytest.LogCaptureFixture) -> None:
    work, deliveries = Work("bug"), remembering()
    with pytest.raises(RuntimeError, match="bug"):
        await deliveries.once(["a"], work)
    assert caplog.records == []
    assert not deliveries._waiting
