"""Durations as people write them: `200ms`, `5s`, `1.5s`, `15m`, `2h`."""

from runner.config.node import Node
from runner.config.problem import Problems

LONGEST_S = 366 * 24 * 3600.0
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Of each unit of a duration."""


def duration_s(node: Node | None, problems: Problems, *, at_least_s: float = 0.001) -> float | None:
    """The seconds of a duration with a correct form; None where there is none, or after noting a problem with
    its value.
    """
    if node is None:
        return None
    text = node.text
    unit = text.lstrip("0123456789.")
    seconds = round(float(text.removesuffix(unit)) * SECONDS[unit], 6)
    if seconds < at_least_s:
        problems.error(node.place, "value", f'"{text}" is too short; write at least "{_written(at_least_s)}"')
        return None
    if seconds > LONGEST_S:
        problems.error(node.place, "value", f'"{text}" is longer than a year; write a shorter time')
        return None
    return seconds


def _written(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
