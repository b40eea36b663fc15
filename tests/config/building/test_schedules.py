"""Opening hours from YAML, and what is said about those that make no sense."""

from datetime import date, time
from zoneinfo import ZoneInfo

import pytest

from runner.config.building.schedules import schedule_names, schedules
from runner.config.checking.schema import check
from runner.config.problem import Problems
from runner.config.reading.yaml_text import read
from runner.model.schedule import ClosedDays, DayOfYear, OpenHours, Schedule, YearlyClosedDays


def load(text: str) -> tuple[dict[str, Schedule], frozenset[str], list[str]]:
    problems = Problems()
    node = read("runner.yaml", text.encode(), problems)
    assert node is not None
    checked = check(node, "runner", problems)
    return (
        schedules(checked, problems),
        schedule_names(checked),
        [str(problem) for problem in problems.sorted()],
    )


def hours(start: int, end: int) -> OpenHours:
    return OpenHours(start=time(start), end=time(end))


def test_days_ranges_breaks_and_closed_days() -> None:
    found, names, problems = load(
        """
schedules:
  office:
    timezone: America/New_York
    open: {mon-thu: [09:00-12:00, 13:00-17:00], fri: 09:00-12:00}
    closed: [2026-12-25, 2026-08-01..2026-08-20, 01-01, 12-24..01-02, 02-29]
  weekend: {timezone: Europe/Berlin, open: {sat-mon: 20:00-02:00, wed: 00:00-24:00}}
"""
    )
    assert problems == []
    assert names == {"office", "weekend"}
    day = (hours(9, 12), hours(13, 17))
    assert found == {
        "office": Schedule(
            name="office",
            timezone=ZoneInfo("America/New_York"),
            week=(day, day, day, day, (hours(9, 12),), (), ()),
            closed=(
                ClosedDays(date(2026, 12, 25), date(2026, 12, 25)),
                ClosedDays(date(2026, 8, 1), date(2026, 8, 20)),
                YearlyClosedDays(DayOfYear(1, 1), DayOfYear(1, 1)),
                YearlyClosedDays(DayOfYear(12, 24), DayOfYear(1, 2)),
                YearlyClosedDays(DayOfYear(2, 29), DayOfYear(2, 29)),
            ),
        ),
        "weekend": Schedule(
            name="weekend",
            timezone=ZoneInfo("Europe/Berlin"),
            week=((hours(20, 2),), (), (hours(0, 0),), (), (), (hours(20, 2),), (hours(20, 2),)),
        ),
    }


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "{timezone: America/NewYork, open: {mon: 09:00-17:00}}",
            'runner.yaml:2:17: unknown time zone "America/NewYork"; did you mean "America/New_York"?'
            " [unknown-timezone]",
        ),
        (
            "{timezone: ../../etc/passwd, open: {mon: 09:00-17:00}}",
            'runner.yaml:2:17: unknown time zone "../../etc/passwd"; write one such as America/New_York'
            " [unknown-timezone]",
        ),
        (
            "{timezone: America, open: {mon: 09:00-17:00}}",
            'runner.yaml:2:17: unknown time zone "America"; write one such as America/New_York'
            " [unknown-timezone]",
        ),
        (
            "{timezone: berlin, open: {mon: 09:00-17:00}}",
            'runner.yaml:2:17: unknown time zone "berlin"; did you mean "Europe/Berlin"? [unknown-timezone]',
        ),
        (
            "{timezone: Europe/Berlim, open: {mon: 09:00-17:00}}",
            'runner.yaml:2:17: unknown time zone "Europe/Berlim"; did you mean "Europe/Berlin"?'
            " [unknown-timezone]",
        ),
        (
            "{timezone: UTC, open: {mon-fri: 09:00-17:00, wed: 10:00-12:00}}",
            'runner.yaml:2:51: "wed" is already part of "mon-fri"; name each day once [hours]',
        ),
        (
            "{timezone: UTC, open: {mon: [09:00-17:00, 18:00-18:00]}}",
            'runner.yaml:2:48: "18:00-18:00" ends when it begins; write 00:00-24:00 for a whole day [hours]',
        ),
        (
            "{timezone: UTC, open: {mon: 09:00-17:00}, closed: [2026-02-28, 2026-02-30]}",
            'runner.yaml:2:69: "2026-02-30" is not a valid date [date]',
        ),
        (
            "{timezone: UTC, open: {mon: 09:00-17:00}, closed: [2026-08-20..2026-08-01]}",
            'runner.yaml:2:57: "2026-08-20..2026-08-01" ends before it begins [date]',
        ),
        (
            "{timezone: UTC, open: {mon: 09:00-17:00}, closed: [12-24..13-01]}",
            'runner.yaml:2:57: "12-24..13-01" is not a valid date [date]',
        ),
    ],
)
def test_what_makes_no_sense_is_said_at_its_place(body: str, problem: str) -> None:
    found, names, problems = load(f"schedules:\n  x: {body}")
    assert problems == [problem]
    assert found == {}
    assert names == {"x"}


@pytest.mark.parametrize(
    "days", ["2026-08-01..08-20", "2026-08-01-2026-08-20", "2026-8-1", "1-1", "2026-08", "01-01.."]
)
def test_the_schema_shows_how_closed_days_are_written(days: str) -> None:
    found, _, problems = load(
        f'schedules:\n  x: {{timezone: UTC, open: {{mon: 09:00-17:00}}, closed: ["{days}"]}}'
    )
    right = (
        "write a date such as 2026-12-25, a range such as 2026-08-01..2026-08-20, or a day of every year "
        "such as 01-01"
    )
    assert problems == [f'runner.yaml:2:57: this day is "{days}"; {right} [value]']
    assert found == {}


def test_the_schema_refuses_what_is_no_time_at_all() -> None:
    found, _, problems = load('schedules:\n  x: {timezone: UTC, open: {mon: "25:00-26:00"}}')
    assert len(problems) == 1
    assert found == {}
