"""How many jobs may be taken, with so many of each receiver under way."""

import pytest

from runner.call.afterwards.capacity import MOST_AT_ONCE, MOST_HELD, MOST_PER_RECEIVER, job_capacity


@pytest.mark.parametrize(
    ("held", "most", "of_a", "of_another"),
    [
        ({}, 8, 8, 8),
        ({"a": 10}, 8, 6, 8),
        ({"a": 16}, 8, 0, 8),
        ({"a": 16, "b": 16, "c": 16, "d": 13}, 3, 0, 3),
        ({"a": 16, "b": 16, "c": 16, "d": 16}, 8, 0, 1),
        ({"a": 1, "b": 80}, 8, 0, 1),
        ({"b": 125}, 3, 1, 1),
        ({"b": 128}, 0, 0, 0),
    ],
)
def test_what_is_taken_goes_by_what_is_held(
    held: dict[str, int], most: int, of_a: int, of_another: int
) -> None:
    capacity = job_capacity(held)
    assert (capacity.most, capacity.of("a"), capacity.of("z")) == (most, of_a, of_another)


def test_who_may_have_none_is_busy() -> None:
    assert job_capacity({"a": 16, "b": 15}).busy == ("a",)
    assert job_capacity({"a": 16, "b": 47, "c": 1}).busy == ("a", "b", "c")


def test_receivers_that_hang_leave_a_hand_for_many_others() -> None:
    held: dict[str, int] = {}
    for number in range(1000):
        while job_capacity(held).of(f"{number}"):
            held[f"{number}"] = held.get(f"{number}", 0) + 1
    assert (len(held), max(held.values()), sum(held.values())) == (68, MOST_PER_RECEIVER, MOST_HELD)
    assert MOST_AT_ONCE < MOST_PER_RECEIVER
