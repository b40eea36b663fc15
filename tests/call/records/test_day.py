"""Sums over records, whatever is in them."""

from typing import Any

import pytest

from runner.call.records.day import MOST_NAMES, Day, percentiles


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (0, None, None, None)),
        ([3.0], (1, 3.0, 3.0, 3.0)),
        ([2.0, 1.0], (2, 1.0, 2.0, 2.0)),
        ([float(n) for n in range(100, 0, -1)], (100, 50.0, 90.0, 99.0)),
    ],
)
def test_percentiles_are_values_that_were_measured(values: list[float], expected: tuple[Any, ...]) -> None:
    found = percentiles(values)
    assert (found["count"], found["p50"], found["p90"], found["p99"]) == expected


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"created_at": "yesterday"},
        {"created_at": float("nan")},
        {"created_at": 10.0, "turns": [None, {"waited_s": "long"}, {"waited_s": True}], "tools": {"a": 1}},
        {"created_at": 10.0, "cost_usd": float("inf"), "ended": 3, "agent": None, "tools": [{"name": []}]},
    ],
)
def test_what_a_record_lacks_is_passed_over(record: dict[str, Any]) -> None:
    day = Day(0.0, 100.0)
    day.add(record)
    summed = day.as_json(is_whole=True)
    assert summed["calls"] == (record.get("created_at") == 10.0)
    assert (summed["priced"], summed["cost_usd"], summed["response_s"]["count"]) == (0, 0.0, 0)


def test_names_are_bounded() -> None:
    day = Day(0.0, 100.0)
    for number in range(MOST_NAMES + 50):
        day.add({"created_at": 1.0, "ended": f"end {number}", "agent": "a", "tools": []})
    assert len(day.as_json(is_whole=True)["ended"]) == MOST_NAMES + 1
    assert day.as_json(is_whole=True)["ended"]["others"] == 50
