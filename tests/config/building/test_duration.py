"""Durations as people write them."""

import pytest

from runner.config.building.duration import duration_s
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.values import Place


def seconds(text: str, **bounds: float) -> tuple[float | None, list[str]]:
    problems = Problems()
    found = duration_s(Node(value=text, text=text, place=Place("f", 1, 1)), problems, **bounds)
    return found, [problem.message for problem in problems.sorted()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200ms", 0.2),
        ("5s", 5.0),
        ("1.5s", 1.5),
        ("15m", 900.0),
        ("2h", 7200.0),
        ("1ms", 0.001),
        ("0.1s", 0.1),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, expected: float) -> None:
    assert seconds(text) == (expected, [])


def test_a_senseless_duration_is_refused() -> None:
    assert seconds("0s") == (None, ['"0s" is too short; write at least "1ms"'])
    assert seconds("0s", at_least_s=0.0) == (0.0, [])
    assert seconds("500ms", at_least_s=1.0) == (None, ['"500ms" is too short; write at least "1s"'])
    assert seconds("8785h") == (None, ['"8785h" is longer than a year; write a shorter time'])
    assert seconds("9" * 400 + "h") == (None, [f'"{"9" * 400}h" is longer than a year; write a shorter time'])
