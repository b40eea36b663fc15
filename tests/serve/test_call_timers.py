"""The timers of a call fire once, in their order, however often each was set before."""

import asyncio
import time
from collections.abc import Callable

import pytest

from runner.model.action import Timer, TimerKind
from runner.serve.alarms import MOST_STALE, Alarms
from runner.serve.call_timers import CallTimers

A, B, C, D = (Timer(TimerKind.WAITING, key) for key in "abcd")
HOUR_S = 3600.0


class Fired:
    """What has fired so far. `then` is done when a timer fires."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        self.then: dict[Timer, Callable[[], None]] = {}
        self._more = asyncio.Event()
        self.by = CallTimers(self._add, time.time, Alarms(), call_id="rtc_1")

    def _add(self, timer: Timer) -> None:
        self.timers.append(timer)
        self._more.set()
        self.then.get(timer, lambda: None)()

    async def wait_for(self, timer: Timer, times: int = 1) -> list[Timer]:
        """Wait until this one has fired so often; everything that has fired by then."""
        async with asyncio.timeout(30):
            while self.timers.count(timer) < times:
                self._more.clear()
                await self._more.wait()
        return self.timers


async def test_timers_fire_in_their_order_and_past_ones_at_once() -> None:
    fired, now = Fired(), time.time()
    for timer, at in ((A, now + 0.05), (B, now - 5), (C, now + 0.02)):
        fired.by.set(timer, at)
    assert fired.timers == [], "never while one is set"
    assert await fired.wait_for(A) == [B, C, A]


async def test_a_timer_fires_as_it_was_set_last() -> None:
    fired, now = Fired(), time.time()
    fired.by.set(A, now + 0.01)
    fired.by.set(A, now + HOUR_S)
    fired.by.set(B, now + HOUR_S)
    fired.by.set(B, now + 0.03)
    fired.by.set(C, now + 0.02)
    fired.by.clear(C)
    assert await fired.wait_for(B) == [B]
    fired.by.cancel()


async def test_one_that_fires_may_clear_and_set_others() -> None:
    fired, now = Fired(), time.time()

    def change_all() -> None:
        fired.by.clear(B)
        fired.by.set(C, now + HOUR_S)
        fired.by.set(A, now)

    fired.then = {A: change_all, D: lambda: fired.then.clear()}  # noqa: PLW0108 - not this dictionary
    for timer, at in ((A, now - 3), (B, now - 2), (C, now - 1), (D, now + 0.02)):
        fired.by.set(timer, at)
    await fired.wait_for(D)
    # It is set anew each time, and fires once more after the other where both are due at once.
    await fired.wait_for(A, times=2)
    assert B not in fired.timers
    assert C not in fired.timers
    fired.by.cancel()


async def test_nothing_fires_once_all_are_cancelled() -> None:
    fired, other, now = Fired(), Fired(), time.time()
    fired.by.set(A, now)
    fired.by.cancel()
    other.by.set(B, now + 0.01)
    await other.wait_for(B)
    assert fired.timers == []


class StillLoop:
    """An event loop in which no time passes."""

    def __init__(self) -> None:
        self.alarms: list[float] = []

    def time(self) -> float:
        return 0.0

    def call_at(self, at: float, _: Callable[[], None]) -> None:
        self.alarms.append(at)


@pytest.mark.parametrize("kind", TimerKind)
def test_calls_that_failed_together_do_not_retry_together(
    kind: TimerKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = StillLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    for n in range(20):
        timers = CallTimers(lambda timer: None, lambda: 1000.0, Alarms(), call_id=f"rtc_{n}")
        timers.set(Timer(kind), 1002.0)
        timers.set(Timer(kind, "more"), 990.0)
    waits, past = loop.alarms[::2], loop.alarms[1::2]
    assert past == [0.0] * 20
    retries = {TimerKind.RETRY, TimerKind.LOOKUP_RETRY, TimerKind.MODEL_RETRY, TimerKind.HANG_UP_AGAIN}
    if kind in retries:
        assert len(set(waits)) == 20
        assert all(2.0 <= wait <= 3.0 for wait in waits)
    else:
        assert waits == [2.0] * 20


class Sleeper:
    """Is woken, and may fail."""

    def __init__(self, woken: list["Sleeper"]) -> None:
        self.wakes_at: float | None = None
        self._woken = woken

    def wake(self) -> None:
        self._woken.append(self)
        if len(self._woken) == 1:
            raise ValueError("a bug of ours")


async def test_calls_share_alarms_and_one_that_fails_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    alarms, loop = Alarms(), asyncio.get_running_loop()
    woken: list[Sleeper] = []
    first, later, moved, cancelled, last = sleepers = [Sleeper(woken) for _ in range(5)]
    for sleeper, after_s in zip(sleepers, (0.0, 0.01, HOUR_S, 0.0, 0.03), strict=True):
        alarms.set(sleeper, loop.time() + after_s)
    alarms.set(moved, loop.time() + 0.02)
    alarms.cancel(cancelled)
    async with asyncio.timeout(30):
        while last not in woken:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert woken == [first, later, moved, last]
    assert [sleeper.wakes_at for sleeper in sleepers] == [None] * 5
    assert "a bug of ours" in caplog.text


async def test_alarms_keep_nothing_of_calls_that_are_over() -> None:
    alarms, loop = Alarms(), asyncio.get_running_loop()
    stays = Sleeper([])
    alarms.set(stays, loop.time() + HOUR_S)
    for _ in range(10 * MOST_STALE):
        over = Sleeper([])
        alarms.set(over, loop.time() + HOUR_S)
        alarms.set(over, loop.time() + HOUR_S / 2)
        alarms.cancel(over)
    assert len(alarms._waiting) <= 2 * MOST_STALE
    alarms.cancel(stays)
