"""The time of day for tests in which time goes on. Where it can stand still, `NOW` is passed in."""

import time

NOW = 1_795_453_200.0
"""Monday, 2026-11-23, 17:00 in UTC: far from the ends of every zone's day."""

_BEGAN = time.monotonic()


def clock() -> float:
    """From `NOW` on as time passes."""
    return NOW + time.monotonic() - _BEGAN
