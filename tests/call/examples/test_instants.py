"""Instants at which schedules stand differently, found from a moment on that is passed in."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from runner.call.examples.instants import Instants
from runner.call.routes.schedule import is_open
from runner.model.schedule import Closed, ClosedDays, DayOfYear, OpenHours, Schedule, YearlyClosedDays

MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


def schedule(name: str, start: int, end: int, *closed: date) -> Schedule:
    hours = (OpenHours(start=time(start), end=time(end)),)
    return Schedule(
        name=name,
        timezone=ZoneInfo("UTC"),
        week=(hours,) * 5 + ((), ()),
        closed=tuple(ClosedDays(day, day) for day in closed),
    )


DAY, LATE, NIGHT = schedule("day", 9, 17), schedule("late", 15, 20), schedule("night", 22, 6)
ALL = {one.name: one for one in (DAY, LATE, NIGHT)}


def when(found: list[float]) -> list[str]:
    return [f"{datetime.fromtimestamp(at, UTC):%a %H:%M}" for at in found]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ["Mon 12:00"]),
        (("day",), ["Mon 12:00", "Mon 17:00"]),
        (("late",), ["Mon 15:00", "Mon 12:00"]),
        (("late", "day"), ["Mon 15:00", "Mon 17:00", "Mon 12:00", "Mon 20:00"]),
        (("night",), ["Mon 22:00", "Mon 12:00"]),
        (("nobody's",), ["Mon 12:00"]),
    ],
)
def test_there_is_one_instant_for_each_way_in_which_schedules_stand(
    names: tuple[str, ...], expected: list[str]
) -> None:
    assert when(Instants((ALL,), MONDAY_NOON).about(names)) == expected


def test_two_sides_differ_on_a_day_that_only_one_has_closed() -> None:
    closed = {"day": schedule("day", 9, 17, date(2026, 11, 25), date(2026, 11, 1))}
    assert when(Instants((ALL, closed), MONDAY_NOON).about(["day"])) == [
        "Mon 12:00",
        "Wed 09:00",
        "Mon 17:00",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            ClosedDays(date(2027, 8, 1), date(2027, 8, 20)),
            ClosedDays(date(2027, 8, 1), date(2027, 8, 10)),
            "2027-08-11",
        ),
        (
            YearlyClosedDays(DayOfYear(12, 24), DayOfYear(1, 1)),
            YearlyClosedDays(DayOfYear(12, 24), DayOfYear(12, 24)),
            "2026-12-25",
        ),
        (ClosedDays(date(1, 1, 1), date.max), ClosedDays(date(1, 1, 1), date(2030, 1, 1)), "2030-01-02"),
    ],
)
def test_two_sides_differ_where_only_one_range_of_closed_days_goes_on(
    old: Closed, new: Closed, expected: str
) -> None:
    sides = [{"day": replace(DAY, closed=(days,))} for days in (old, new)]
    found = [datetime.fromtimestamp(at, UTC) for at in Instants(sides, MONDAY_NOON).about(["day"])]
    days = {
        at.date().isoformat()
        for at in found
        if len({is_open(side["day"], at.timestamp()) for side in sides}) > 1
    }
    assert days == {expected}


@pytest.mark.parametrize(
    ("names", "expected"),
    [((), ["Mon 12:00"]), (("day", "late"), ["Mon 15:00", "Tue 15:00"]), (("day", "night"), [])],
)
def test_instants_at_which_all_are_open_come_soonest_first(
    names: tuple[str, ...], expected: list[str]
) -> None:
    assert when(list(Instants((ALL,), MONDAY_NOON).when_open(names)))[:2] == expected
