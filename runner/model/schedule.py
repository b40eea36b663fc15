"""Opening hours: named in runner.yaml, asked for by a route's `during`."""

from dataclasses import dataclass
from datetime import date, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHours:
    """From `start` up to, not including, `end`, local time. An `end` not after `start` is on the next day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Weekly opening hours in one time zone, with whole days that are closed."""

    name: str
    timezone: ZoneInfo
    week: tuple[tuple[OpenHours, ...], ...]
    """Seven entries, Monday first."""
    closed: frozenset[date] = frozenset()
