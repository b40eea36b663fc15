"""A call that cannot be served is handed on at once, and later each time that it fails here again."""

from runner.serve.fleet.unserved_calls import MOST, UnservedCalls


def waits(calls: UnservedCalls, times: int) -> list[float]:
    """How long a call waits each time that it fails."""
    waited = []
    for _ in range(times):
        calls.add_failed("rtc_1", 100.0)
        seconds = next(s for s in range(1000) if calls.due(100.0 + s))
        calls.handed_on(["rtc_1"])
        waited.append(float(seconds))
    return waited


def test_a_call_that_fails_again_waits_longer_each_time_up_to_a_bound() -> None:
    calls = UnservedCalls()
    assert waits(calls, 8) == [0, 1, 2, 4, 8, 16, 30, 30]
    calls.forget("rtc_1")
    assert waits(calls, 2) == [0, 1]


def test_a_store_that_fails_makes_no_call_wait() -> None:
    calls = UnservedCalls()
    waits(calls, 5)
    calls.add("rtc_1", 100.0)
    assert calls.due(100.0) == ["rtc_1"]
    calls.handed_on(["rtc_1"])
    assert waits(calls, 1) == [16]


def test_a_call_stays_due_until_it_is_handed_on() -> None:
    calls = UnservedCalls()
    calls.add_failed("rtc_1", 100.0)
    assert calls.due(100.0) == calls.due(101.0) == ["rtc_1"]
    calls.forget("rtc_1")
    assert calls.due(101.0) == []


def test_so_many_attempts_are_remembered() -> None:
    calls = UnservedCalls()
    waits(calls, 3)
    for number in range(MOST):
        calls.add_failed(f"rtc_0{number}", 100.0)
    assert waits(calls, 1) == [0]
