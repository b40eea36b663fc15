"""Picks instants at which schedules differ, from each other or from an earlier version. `now` is passed
in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import assert_never

from runner.call.routes.schedule import is_open
from runner.model.schedule import ClosedDays, DayOfYear, Schedule, YearlyClosedDays
from runner.model.values import Instant

_DAYS = 15
"""Hours are weekly; two weeks of days that are not closed show all of them."""

_LONGEST_CLOSED_DAYS = 400
_MOST_INSTANTS = 24

Schedules = Mapping[str, Schedule]


class Instants:
    """Instants for calls whose answer depends on the schedules of one configuration, or of two."""

    def __init__(self, schedules: Sequence[Schedules], now: Instant) -> None:
        """`schedules`: those of each configuration. `now` is where the search begins."""
        self._sides = tuple(schedules)
        self._now = now
        self._distinct: dict[frozenset[str], list[Instant]] = {}

    def about(self, names: Iterable[str]) -> list[Instant]:
        """One instant for each combination of open and closed on each side; at least one.

        Instants at which the first schedule is open come first, so that a route which asks for it matches.
        """
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return [self._now]
        key = frozenset(wanted)
        if key not in self._distinct:
            self._distinct[key] = list(self._one_of_each(sorted(key)))
        first = wanted[0]
        return sorted(self._distinct[key], key=lambda now: not any(self._states([first], now)))

    def when_open(self, names: Iterable[str]) -> Iterator[Instant]:
        """Instants at which all of these schedules are open on every side, the earliest first.

        Hours overlap only if they do where one of them begins.
        """
        wanted = list(dict.fromkeys(names))
        for now in [self._now, *self._boundaries(wanted)]:
            if all(self._states(wanted, now)):
                yield now

    def _one_of_each(self, names: list[str]) -> Iterator[Instant]:
        seen: dict[tuple[bool | None, ...], Instant] = {}
        for now in [self._now, *self._boundaries(names)]:
            seen.setdefault(self._states(names, now), now)
        return islice(seen.values(), _MOST_INSTANTS)

    def _states(self, names: Iterable[str], now: Instant) -> tuple[bool | None, ...]:
        return tuple(
            is_open(side[name], now) if name in side else None for name in names for side in self._sides
        )

    def _boundaries(self, names: Iterable[str]) -> list[Instant]:
        """Where hours begin and end in the days to come, and on days that are not closed on every side."""
        instants: set[Instant] = set()
        for name in names:
            there = [side[name] for side in self._sides if name in side]
            edges = {day for schedule in there for day in _days_at_edges(schedule, self._now)}
            differing = {day for day in edges if len({other.is_closed_on(day) for other in there}) > 1}
            for schedule in there:
                days = differing.union(_upcoming(schedule, self._now))
                instants.update(_edges(schedule, days))
        upcoming = sorted(now for now in instants if now >= self._now)
        return upcoming + sorted(instants - set(upcoming), reverse=True)


def _upcoming(schedule: Schedule, now: Instant) -> Iterator[date]:
    """The days to come, until enough of them were not closed: after a summer's holidays come the hours."""
    today = datetime.fromtimestamp(now, schedule.timezone).date()
    usual = 0
    for day in (today + timedelta(days=days) for days in range(_LONGEST_CLOSED_DAYS)):
        yield day
        usual += not schedule.is_closed_on(day)
        if usual == _DAYS:
            return


def _days_at_edges(schedule: Schedule, now: Instant) -> Iterator[date]:
    """The first and the last day of each run of closed days, and the days around it: partly overlapping runs
    differ there.

    Yearly ones count in this year and in the next.
    """
    this_year = datetime.fromtimestamp(now, schedule.timezone).year
    for closed in schedule.closed:
        match closed:
            case ClosedDays(first=first, last=last):
                ends = [first, last]
            case YearlyClosedDays(first=first, last=last):
                years = (this_year, this_year + 1)
                ends = [_date(year, day) for year in years for day in (first, last)]
            case _:
                assert_never(closed)
        for end in ends:
            yield from (end + timedelta(days=days) for days in (-1, 0, 1) if _can_move(end))


def _date(year: int, day: DayOfYear) -> date:
    """This day of the year. February 29 is the day after the 28th where there is none."""
    return date(year, day.month, 1) + timedelta(days=day.day - 1)


def _can_move(day: date) -> bool:
    return date.min.year < day.year < date.max.year


def _edges(schedule: Schedule, days: Iterable[date]) -> Iterator[Instant]:
    for day in days:
        # A closed day ends, at midnight, hours that began the evening before.
        yield _instant(schedule, day, time())
        for hours in schedule.week[day.weekday()]:
            yield _instant(schedule, day, hours.start)
            reaches_past_midnight = hours.end <= hours.start
            yield _instant(schedule, day + timedelta(days=1) if reaches_past_midnight else day, hours.end)


def _instant(schedule: Schedule, day: date, clock: time) -> Instant:
    return datetime.combine(day, clock, schedule.timezone).timestamp()
