"""Builds the opening hours of runner.yaml."""

import re
from collections.abc import Iterator
from datetime import date, time
from functools import partial
from zoneinfo import ZoneInfo, available_timezones

from runner.config.building.parts import Parts
from runner.config.checking.checked import Checked
from runner.config.checking.suggest import did_you_mean
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.schedule import Closed, ClosedDays, DayOfYear, OpenHours, Schedule, YearlyClosedDays

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT = "24:00"
_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}")
_LEAP_YEAR = 2024


def schedules(runner: Checked, problems: Problems) -> dict[str, Schedule]:
    """The schedules of runner.yaml by name, without those that have a problem."""
    schedules: dict[str, Schedule] = {}
    for name, entry in runner.root.items_at("schedules"):
        if not runner.sound(entry):
            Parts(runner, problems).check(runner.mended(entry), partial(_schedule, name))
        elif (schedule := _schedule(name, entry, problems)) is not None:
            schedules[name] = schedule
    return schedules


def schedule_names(runner: Checked) -> frozenset[str]:
    """The names that `during` may use, even where the schedules themselves have mistakes."""
    node = runner.root.get("schedules")
    return frozenset(name for name, _ in (node.items() if node else ()))


_WITHOUT_SUMMER = {"EST": "America/New_York", "MST": "America/Denver"}
"""Names that people use for the time of a region, though they mean its winter all year."""


def _schedule(name: str, node: Node, problems: Problems) -> Schedule | None:
    zone_node, open_node, closed_node = node.get("timezone"), node.get("open"), node.get("closed")
    timezone = _timezone(zone_node, problems) if zone_node else None
    week = _week(open_node, problems) if open_node else None
    closed = _closed(closed_node, problems) if closed_node else ()
    if timezone is None or week is None or closed is None:
        return None
    return Schedule(name=name, timezone=timezone, week=week, closed=closed)


def _timezone(node: Node, problems: Problems) -> ZoneInfo | None:
    if (city := _WITHOUT_SUMMER.get(node.text)) is not None:
        message = f'"{node.text}" has no daylight saving time, so hours are off all summer; write {city}'
        problems.warning(node.place, "unknown-timezone", message)
    try:
        return ZoneInfo(node.text)
    except (KeyError, ValueError, OSError):
        hint = _known_zone(node.text) or "; write one such as America/New_York"
        problems.error(node.place, "unknown-timezone", f'unknown time zone "{node.text}"{hint}')
        return None


def _known_zone(text: str) -> str:
    """People write the city alone, or its name without the underscore."""
    # The signs of `Etc/GMT+1` are the other way round: nobody who writes GMT+1 means it.
    zones = sorted(zone for zone in available_timezones() if not zone.startswith("Etc/"))
    same = [zone for zone in zones if _city(zone) == _city(text)]
    if same:
        return f'; did you mean "{same[0]}"?'
    return did_you_mean(text, zones) if "/" in text else ""


def _city(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", "").replace(" ", "").lower()


def _week(node: Node, problems: Problems) -> tuple[tuple[OpenHours, ...], ...] | None:
    week: dict[str, tuple[OpenHours, ...]] = {}
    named: dict[str, str] = {}
    sound = True
    for days, spans in node.items():
        hours = [_hours(span, problems) for span in (spans.entries() or (spans,))]
        sound = sound and None not in hours
        for day in _days(days):
            if day in named:
                message = f'"{day}" is already part of "{named[day]}"; name each day once'
                problems.error(node.key_place(days), "hours", message)
                sound = False
                break
            named[day] = days
            week[day] = tuple(span for span in hours if span)
    return tuple(week.get(day, ()) for day in _DAYS) if sound else None


def _days(words: str) -> Iterator[str]:
    """The days of `mon-fri` or `sat`. A range may reach over Sunday: `sat-mon` is three days."""
    first, _, last = words.partition("-")
    at, end = _DAYS.index(first), _DAYS.index(last or first)
    yield _DAYS[at]
    while at != end:
        at = (at + 1) % len(_DAYS)
        yield _DAYS[at]


def _hours(node: Node, problems: Problems) -> OpenHours | None:
    """`24:00` is the midnight that ends the day; an end that is not after the start is on the next day."""
    start_text, _, end_text = node.text.partition("-")
    if start_text == end_text:
        problems.error(
            node.place, "hours", f'"{node.text}" ends when it begins; write 00:00-24:00 for a whole day'
        )
        return None
    start, end = (
        time.fromisoformat(start_text),
        time() if end_text == _MIDNIGHT else time.fromisoformat(end_text),
    )
    return OpenHours(start=start, end=end)


def _closed(node: Node, problems: Problems) -> tuple[Closed, ...] | None:
    closed_days = [_closed_days(entry, problems) for entry in node.entries()]
    return None if None in closed_days else tuple(days for days in closed_days if days is not None)


def _closed_days(node: Node, problems: Problems) -> Closed | None:
    """`2026-12-25`, `01-01` of every year, or a range with both ends of one of these kinds."""
    first_text, _, last_text = node.text.partition("..")
    try:
        if _YEARLY.fullmatch(first_text):
            return YearlyClosedDays(_day_of_year(first_text), _day_of_year(last_text or first_text))
        first, last = date.fromisoformat(first_text), date.fromisoformat(last_text or first_text)
    except ValueError:
        problems.error(node.place, "date", f'"{node.text}" is not a valid date')
        return None
    if last < first:
        problems.error(node.place, "date", f'"{node.text}" ends before it begins')
        return None
    return ClosedDays(first, last)


def _day_of_year(text: str) -> DayOfYear:
    return DayOfYear.of(date.fromisoformat(f"{_LEAP_YEAR}-{text}"))
