"""Waits differ from call to call, and are the same for the same call."""

import pytest

from runner.serve.jitter import jittered


def test_the_same_call_and_attempt_wait_as_long_every_time() -> None:
    assert jittered(2.0, "rtc_1", 3) == jittered(2.0, "rtc_1", 3)


def test_calls_are_spread_over_as_much_as_the_delay() -> None:
    waits = sorted(jittered(2.0, f"rtc_{n}", 0) for n in range(1000))
    assert 1.0 <= waits[0] < 1.01
    assert 2.99 < waits[-1] < 3.0
    assert all(len([wait for wait in waits if low <= wait < low + 0.2]) > 50 for low in (1.0, 1.9, 2.8))


@pytest.mark.parametrize("call_id", ["rtc_1", "\ud83d", ""])
def test_attempts_of_one_call_differ(call_id: str) -> None:
    assert len({jittered(1.0, call_id, attempt) for attempt in range(10)}) == 10
