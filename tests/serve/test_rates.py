"""So many times in a sliding minute, and nobody's count is anybody else's."""

from runner.serve.rates import MOST_KEYS, Rate


def act(rate: Rate, key: str, now: float) -> float:
    """Act if the key may; returns how long it has to wait."""
    wait_s = rate.wait_s(key, now)
    if not wait_s:
        rate.note(key, now)
    return wait_s


def test_a_minute_slides() -> None:
    rate = Rate(2)
    assert [act(rate, "a", at) for at in (0.0, 10.0, 20.0)] == [0.0, 0.0, 40.0]
    assert act(rate, "b", 20.0) == 0.0
    assert [act(rate, "a", at) for at in (60.0, 61.0, 70.0)] == [0.0, 9.0, 0.0]


def test_who_was_refused_has_not_used_up_more() -> None:
    rate = Rate(1)
    act(rate, "a", 0.0)
    assert [act(rate, "a", at) for at in (30.0, 59.0, 60.0)] == [30.0, 1.0, 0.0]


def test_a_clock_that_is_set_back_keeps_nobody_waiting() -> None:
    rate = Rate(1)
    assert [act(rate, "a", at) for at in (5000.0, 1400.0, 1401.0, 1460.0)] == [0.0, 0.0, 59.0, 0.0]


def test_of_too_many_those_are_forgotten_who_did_nothing_for_longest() -> None:
    rate = Rate(1)
    for number in range(MOST_KEYS + 1):
        act(rate, str(number), 0.0)
    assert (act(rate, "0", 1.0), act(rate, str(MOST_KEYS), 1.0)) == (0.0, 59.0)
