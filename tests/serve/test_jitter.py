"""Waits differ from call to call, and are the same for the same call."""

from collections.abc import Callable

import pytest

from runner.serve.jitter import jittered, staggered

Varies = Callable[[float, str, int], float]


@pytest.mark.parametrize("varies", [jittered, staggered])
def test_the_same_call_and_attempt_wait_as_long_every_time(varies: Varies) -> None:
    assert varies(2.0, "rtc_1", 3) == varies(2.0, "rtc_1", 3)


@pytest.mark.parametrize(("varies", "least", "most"), [(jittered, 1.0, 3.0), (staggered, 2.0, 3.0)])
def test_calls_are_spread_evenly(varies: Varies, least: float, most: float) -> None:
    waits = sorted(varies(2.0, f"rtc_{n}", 0) for n in range(1000))
    tenth = (most - least) / 10
    assert least <= waits[0] < waits[-1] <= most
    assert all(
        len([wait for wait in waits if low <= wait < low + tenth]) > 50
        for low in (least, least + 4.5 * tenth, most - tenth)
    )


@pytest.mark.parametrize("varies", [jittered, staggered])
@pytest.mark.parametrize("call_id", ["rtc_1", "\ud83d", ""])
def test_attempts_of_one_call_differ(varies: Varies, call_id: str) -> None:
    assert len({varies(1.0, call_id, attempt) for attempt in range(10)}) == 10
