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
        ([float(n) for n in range(200, 0, -1)], (200, 100.0, 180.0, 198.0)),
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


def test_calls_are_summed_by_hour_end_agent_and_tool() -> None:
    day = Day(0.0, 7200.0)
    tools = [
        {"name": "book", "status": "ok", "took_s": 0.25},
        {"name": "book", "status": "error"},
        {"name": "ask", "status": "refused", "took_s": 0.0},
    ]
    first = {"created_at": 10.0, "cost_usd": 0.5, "ended": "hangup", "agent": "desk", "tools": tools}
    day.add({**first, "turns": [{"waited_s": 1.0}, {"waited_s": None}]})
    day.add({"created_at": 3700.0, "ended": "hangup", "agent": "sales", "turns": [{"waited_s": 3.0}]})

    def once(value: float) -> dict[str, Any]:
        return {"count": 1, "p50": value, "p90": value, "p99": value}

    assert day.as_json(is_whole=False) == {
        "from": 0.0,
        "to": 7200.0,
        "calls": 2,
        "priced": 1,
        "cost_usd": 0.5,
        "response_s": {"count": 2, "p50": 1.0, "p90": 3.0, "p99": 3.0},
        "hours": [
            {"from": 0.0, "calls": 1, "cost_usd": 0.5, "response_s": once(1.0)},
            {"from": 3600.0, "calls": 1, "cost_usd": 0.0, "response_s": once(3.0)},
        ],
        "ended": {"hangup": 2},
        "agents": {"desk": 1, "sales": 1},
        "tools": {
            "ask": {"calls": 1, "failed": 0, "took_s": once(0.0)},
            "book": {"calls": 2, "failed": 1, "took_s": once(0.25)},
        },
        "is_whole": False,
    }


def test_names_are_bounded() -> None:
    day = Day(0.0, 100.0)
    for number in range(MOST_NAMES + 50):
        day.add({"created_at": 1.0, "ended": f"end {number}", "agent": "a", "tools": []})
    assert len(day.as_json(is_whole=True)["ended"]) == MOST_NAMES + 1
    assert day.as_json(is_whole=True)["ended"]["others"] == 50
