"""The measure of the event loop's lag."""

import asyncio
import logging
import time

import pytest

from runner.serve.loop_lag import watch_loop
from tests.serve.lag import again_if_late, no_lag


async def test_what_holds_up_the_loop_is_measured_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    lags: list[float] = []
    watch = asyncio.create_task(watch_loop(lags.append, every_s=0.01))
    await asyncio.sleep(0.02)
    time.sleep(0.6)  # noqa: ASYNC251 - this is what must not happen
    await asyncio.sleep(0.02)
    watch.cancel()
    assert max(lags) > 0.55
    # A busy machine may stall it as well.
    assert {(r.levelno, r.message) for r in caplog.records} == {(logging.WARNING, "event loop stalled")}


async def test_a_loop_that_is_free_is_not_late() -> None:
    lags: list[float] = []
    enough = asyncio.Event()

    def observe(lag_s: float) -> None:
        lags.append(lag_s)
        if len(lags) == 20:
            enough.set()

    watch = asyncio.create_task(watch_loop(observe, every_s=0.001))
    await enough.wait()
    watch.cancel()
    assert min(lags) < 0.05


async def test_what_tests_hold_the_loop_to_fails_when_it_is_held_up() -> None:
    with pytest.raises(AssertionError, match=r"^the event loop was \d+\.\d\d\d s late$"):
        # A machine that is many times slower than a usual one is given as many times longer.
        async with no_lag(0.01):
            time.sleep(0.3)  # noqa: ASYNC251 - this is what must not happen


@again_if_late
async def test_what_tests_hold_the_loop_to_lets_a_free_one_pass() -> None:
    async with no_lag():
        await asyncio.sleep(0.3)
