"""Picks instants at which schedules differ from each other, or from what they were. `now` is passed in."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import islice

from runner.call.routes.schedule import is_open
from runner.model.schedule import Schedule
from runner.model.values import Instant

_DAYS = 15
"""Hours are weekly; two weeks show each of them with a holiday in one."""

_MOST_INSTANTS = 24

Schedules = Mapping[str, Schedule]


class Moments:
    """Instants for calls whose answer depends on the schedules of two configurations."""

    def __init__(self, old: Schedules, new: Schedules, now: Instant) -> None:
        self._sides = (old, new)
        self._now = now
        self._found: dict[frozenset[str], list[Instant]] = {}

    def about(self, names: Iterable[str]) -> list[Instant]:
        """One instant for each way in which these schedules, old and new, can stand; never none.

        The first schedule is open at the first instant where it ever is, so that a route which asks for it
        matches then.
        """
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return [self._now]
        key = frozenset(wanted)
        if key not in self._found:
            self._found[key] = list(self._distinct(sorted(key)))
        first = wanted[0]
        return sorted(self._found[key], key=lambda now: not any(self._states([first], now)))

    def _distinct(self, names: list[str]) -> Iterator[Instant]:
        seen: dict[tuple[bool | None, ...], Instant] = {}
        for now in [self._now, *self._boundaries(names)]:
            seen.setdefault(self._states(names, now), now)
        return islice(seen.values(), _MOST_INSTANTS)

    def _states(self, names: Iterable[str], now: Instant) -> tuple[bool | None, ...]:
        return tuple(
            is_open(side[name], now) if name in side else None for name in names for side in self._sides
        )

    def _boundaries(self, names: Iterable[str]) -> list[Instant]:
        """Where hours begin and end in the days to come, and on the days that only one side has closed."""
        found: set[Instant] = set()
        for name in names:
            there = [side[name] for side in self._sides if name in side]
            closed = {day for schedule in there for day in schedule.closed}
            for schedule in there:
                today = datetime.fromtimestamp(self._now, schedule.timezone).date()
                days = {today + timedelta(days=day) for day in range(_DAYS)}
                days |= {day for day in closed if any(day not in other.closed for other in there)}
                found.update(_edges(schedule, days))
        upcoming = sorted(now for now in found if now >= self._now)
        return upcoming + sorted(found - set(upcoming), reverse=True)


def _edges(schedule: Schedule, days: Iterable[date]) -> Iterator[Instant]:
    for day in days:
        # A closed day ends at midnight what began the evening before.
        yield _instant(schedule, day, time())
        for hours in schedule.week[day.weekday()]:
            yield _instant(schedule, day, hours.start)
            reaches_past_midnight = hours.end <= hours.start
            yield _instant(schedule, day + timedelta(days=1) if reaches_past_midnight else day, hours.end)


def _instant(schedule: Schedule, day: date, clock: time) -> Instant:
    return datetime.combine(day, clock, schedule.timezone).timestamp()
