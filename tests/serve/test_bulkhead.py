"""Places are shared so that a host that hangs leaves some to every other."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from runner.serve.bulkhead import Bulkhead


class Crowd:
    """Requests that enter, wait, and hold their places until they are told to leave."""

    def __init__(self, bulkhead: Bulkhead, stack: AsyncExitStack) -> None:
        self.bulkhead = bulkhead
        self.entered: list[str] = []
        self._leaving: dict[str, list[asyncio.Event]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(self.end)

    async def come(self, host: str, count: int = 1) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._hold(host)) for _ in range(count)]
        self._tasks += tasks
        await settle()
        return tasks

    async def leave(self, host: str, count: int = 1) -> None:
        for _ in range(count):
            self._leaving[host].pop(0).set()
        await settle()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hold(self, host: str) -> None:
        async with self.bulkhead.place(host):
            self.entered.append(host)
            leave = asyncio.Event()
            self._leaving.setdefault(host, []).append(leave)
            await leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_host_gets_half_and_more_hosts_get_equal_shares_with_one_left_over() -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(20), stack)
        await crowd.come("a", 30)
        assert crowd.bulkhead.held() == {"a": 10}
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(20), stack)
        for _ in range(30):
            for host in "abcd":
                await crowd.come(host)
        assert crowd.bulkhead.held() == {"a": 4, "b": 4, "c": 4, "d": 4}
        await crowd.come("e")
        assert crowd.bulkhead.held()["e"] == 1


async def test_hosts_that_come_one_after_the_other_always_leave_a_place() -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(1024), stack)
        for number in range(9):
            await crowd.come(str(number), 1024)
            assert crowd.bulkhead.held()[str(number)] > 0


async def test_who_waits_gets_the_next_place_of_its_share_in_order() -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(4), stack)
        first, second, third, fourth = await crowd.come("a", 4)
        assert crowd.entered == ["a", "a"]
        await crowd.leave("a")
        assert (crowd.entered, first.done(), third.done()) == (["a"] * 3, True, False)
        await crowd.leave("a", 2)
        assert len(crowd.entered) == 4
        await crowd.leave("a")
        assert all(task.done() for task in (first, second, third, fourth))
        assert crowd.bulkhead.held() == {}


async def test_a_place_of_one_host_can_be_anothers_next() -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(3), stack)
        await crowd.come("a", 2)
        await crowd.come("b", 2)
        assert crowd.bulkhead.held() == {"a": 2, "b": 1}
        await crowd.leave("a", 2)
        assert crowd.bulkhead.held() == {"b": 2}


@pytest.mark.parametrize("waiting", [1, 2, 5])
async def test_who_stops_waiting_leaves_the_place_to_the_others(waiting: int) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(2), stack)
        (holder,) = await crowd.come("a")
        tasks = await crowd.come("a", waiting + 1)
        for task in tasks[:-1]:
            task.cancel()
        holder.cancel()  # In the same turn of the loop: the place must not go to one who has left.
        await settle()
        assert crowd.entered == ["a", "a"]
        await crowd.leave("a", 2)
        assert (tasks[-1].done(), crowd.bulkhead.held()) == (True, {})


async def test_who_is_cancelled_with_a_place_just_given_gives_it_back() -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(2), stack)
        await crowd.come("a")
        next_one, last = await crowd.come("a", 2)
        crowd._leaving["a"][0].set()
        await asyncio.sleep(0)  # The place is given, and its new owner has not run yet.
        next_one.cancel()
        await settle()
        assert crowd.bulkhead.held() == {"a": 1}
        assert not last.done()


async def test_who_has_to_wait_is_told() -> None:
    told: list[str] = []
    async with AsyncExitStack() as stack:
        crowd = Crowd(Bulkhead(2, on_wait=told.append), stack)
        await crowd.come("a", 3)
        await crowd.come("b")
    assert told == ["a", "a"]
