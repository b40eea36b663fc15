"""Schedules, by the clock on the wall: ranges over midnight, clock changes, closed days."""

from dataclasses import replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from runner.call.routes.schedule import is_open
from runner.model.schedule import ClosedDays, DayOfYear, OpenHours, Schedule, YearlyClosedDays

NEW_YORK = ZoneInfo("America/New_York")


def hours(text: str) -> OpenHours:
    start, end = text.split("-")
    return OpenHours(start=time.fromisoformat(start), end=time.fromisoformat(end))


def schedule(*closed: str, **days: str) -> Schedule:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return Schedule(
        name="hours",
        timezone=NEW_YORK,
        week=tuple(tuple(hours(text) for text in days.get(name, "").split()) for name in names),
        closed=tuple(ClosedDays(day, day) for day in map(date.fromisoformat, closed)),
    )


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold).timestamp()


OFFICE = schedule(mon="09:00-12:00 13:00-17:00")
BAR = schedule(fri="22:00-02:00", sat="22:00-02:00")
ROUND_THE_CLOCK = schedule(sun="00:00-00:00")


@pytest.mark.parametrize(
    ("opening", "instant", "expected"),
    [
        # 2026-11-23 is a Monday.
        (OFFICE, "2026-11-23T08:59:59.999", False),
        (OFFICE, "2026-11-23T09:00", True),
        (OFFICE, "2026-11-23T11:59:59.999", True),
        (OFFICE, "2026-11-23T12:00", False),
        (OFFICE, "2026-11-23T16:59", True),
        (OFFICE, "2026-11-24T10:00", False),
        (BAR, "2026-11-27T21:59", False),
        (BAR, "2026-11-27T23:00", True),
        (BAR, "2026-11-28T01:59", True),
        (BAR, "2026-11-28T02:00", False),
        (BAR, "2026-11-29T01:00", True),
        (BAR, "2026-11-27T01:00", False),
        (ROUND_THE_CLOCK, "2026-11-29T00:00", True),
        (ROUND_THE_CLOCK, "2026-11-29T23:59:59.999", True),
        (ROUND_THE_CLOCK, "2026-11-30T00:00", False),
    ],
)
def test_hours_begin_at_their_start_and_end_before_their_end(
    opening: Schedule, instant: str, expected: bool
) -> None:
    assert is_open(opening, at(instant)) is expected


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2026-11-28T23:30", True),
        ("2026-11-28T01:00", True),
        ("2026-11-27T23:59", False),
        ("2026-11-28T00:30", True),
    ],
)
def test_a_schedule_without_closed_days_reaches_over_midnight(instant: str, expected: bool) -> None:
    late = schedule(fri="23:59:30-02:00", sat="22:00-02:00")
    assert is_open(late, at(instant)) is expected


def test_hours_that_began_the_evening_before_a_closed_day_end_at_midnight() -> None:
    closed_saturday = schedule("2026-11-28", fri="22:00-02:00", sat="22:00-02:00")
    assert is_open(closed_saturday, at("2026-11-27T23:59"))
    assert not is_open(closed_saturday, at("2026-11-28T00:00"))
    assert not is_open(closed_saturday, at("2026-11-28T23:00"))


def test_hours_of_a_closed_day_do_not_reach_into_the_next() -> None:
    closed_friday = schedule("2026-11-27", fri="22:00-02:00", sat="22:00-02:00")
    assert not is_open(closed_friday, at("2026-11-28T01:00"))
    assert is_open(closed_friday, at("2026-11-28T22:00"))


def test_the_hour_that_comes_twice_is_open_both_times() -> None:
    night = schedule(sun="01:00-01:45")
    assert [is_open(night, at("2026-11-01T01:30", fold)) for fold in (0, 1)] == [True, True]
    assert [is_open(night, at("2026-11-01T01:50", fold)) for fold in (0, 1)] == [False, False]


def test_the_hour_that_is_skipped_takes_its_opening_with_it() -> None:
    """On 2026-03-08 the clocks of New York go from 02:00 to 03:00."""
    night = schedule(sun="02:15-02:45 03:00-03:10")
    last_before, first_after = at("2026-03-08T01:59:59"), at("2026-03-08T01:59:59") + 1
    assert not is_open(night, last_before)
    assert is_open(night, first_after)
    assert not is_open(night, first_after + 600)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-07-31", False),
        ("2026-08-01", True),
        ("2026-08-10", True),
        ("2026-08-20", True),
        ("2026-08-21", False),
        ("2027-08-10", False),
        ("2026-12-23", False),
        ("2026-12-24", True),
        ("2031-12-31", True),
        ("2032-01-02", True),
        ("2032-01-03", False),
        ("2032-02-29", True),
        ("2031-02-28", False),
        ("2031-03-01", False),
        ("2031-05-01", True),
    ],
)
def test_closed_days_may_be_ranges_and_days_of_every_year(day: str, expected: bool) -> None:
    new_year = YearlyClosedDays(DayOfYear(12, 24), DayOfYear(1, 2))
    leap, may = (YearlyClosedDays(DayOfYear(*of_year), DayOfYear(*of_year)) for of_year in ((2, 29), (5, 1)))
    summer = ClosedDays(date(2026, 8, 1), date(2026, 8, 20))
    always = schedule(**dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "00:00-00:00"))
    holidays = replace(always, closed=(summer, new_year, leap, may))
    assert is_open(holidays, at(f"{day}T12:00")) is not expected
