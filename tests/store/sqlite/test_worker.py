"""The thread of an SQLite file."""

import asyncio
import threading
from functools import partial

import pytest

from runner.errors import StoreError
from runner.store.sqlite.worker import Worker
from tests.patience import PATIENCE_S


async def test_work_is_done_in_order_on_one_other_thread() -> None:
    worker, done = Worker("store"), []

    def work(number: int) -> int:
        done.append((number, threading.current_thread().name))
        return number

    results = [worker.do(partial(work, number)) for number in range(3)]
    assert await asyncio.gather(*results) == [0, 1, 2]
    assert done == [(0, "store"), (1, "store"), (2, "store")]
    worker.stop()


async def test_a_failure_is_raised_and_the_thread_lives_on() -> None:
    worker = Worker("store")
    with pytest.raises(ZeroDivisionError):
        await worker.do(lambda: 1 / 0)
    assert await worker.do(lambda: "next") == "next"
    worker.stop()


async def test_work_that_nobody_waits_for_any_more_is_finished() -> None:
    worker, may_end, ended = Worker("store"), threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait(PATIENCE_S)
        ended.set()

    done = worker.do(work)
    await asyncio.sleep(0)
    done.cancel()
    may_end.set()
    assert await worker.do(ended.is_set)
    worker.stop()


async def test_what_has_not_begun_when_the_worker_stops_fails() -> None:
    worker, has_begun, may_end = Worker("store"), threading.Event(), threading.Event()

    def work() -> str:
        has_begun.set()
        may_end.wait(PATIENCE_S)
        return "finished"

    first, second = worker.do(work), worker.do(lambda: "never")
    await asyncio.to_thread(has_begun.wait, PATIENCE_S)
    worker.stop()
    may_end.set()
    with pytest.raises(StoreError, match=r"^the store is closed$"):
        await second
    assert await first == "finished"
