"""Opening hours: named in runner.yaml, used by a route's `during`."""

from dataclasses import dataclass
from datetime import date, time
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHours:
    """From `start` up to, not including, `end`, local time. An `end` not after `start` is on the next day."""

    start: time
    end: time


class DayOfYear(NamedTuple):
    """A day of every year. February 29 comes in leap years only."""

    month: int
    day: int

    @classmethod
    def of(cls, day: date) -> "DayOfYear":
        """The day of the year that a date is."""
        return cls(day.month, day.day)

    def __str__(self) -> str:
        return f"{self.month:02}-{self.day:02}"


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """From `first` to `last`, both included."""

    first: date
    last: date

    def covers(self, day: date) -> bool:
        """Whether this day is one of them."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return _range(self.first, self.last)


@dataclass(frozen=True, slots=True)
class YearlyClosedDays:
    """From `first` to `last` of every year, both included. A `last` before `first` is in the next year."""

    first: DayOfYear
    last: DayOfYear

    def covers(self, day: date) -> bool:
        """Whether this day is one of them."""
        of_year = DayOfYear.of(day)
        if self.first <= self.last:
            return self.first <= of_year <= self.last
        return of_year >= self.first or of_year <= self.last

    def __str__(self) -> str:
        return _range(self.first, self.last)


Closed: TypeAlias = ClosedDays | YearlyClosedDays


def _range(first: date | DayOfYear, last: date | DayOfYear) -> str:
    return str(first) if first == last else f"{first}..{last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Weekly opening hours in one time zone, with whole days that are closed."""

    name: str
    timezone: ZoneInfo
    week: tuple[tuple[OpenHours, ...], ...]
    """Seven entries, Monday first."""
    closed: tuple[Closed, ...] = ()

    def is_closed_on(self, day: date) -> bool:
        """Whether this whole day is closed."""
        return any(days.covers(day) for days in self.closed)
