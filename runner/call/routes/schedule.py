"""Decides whether a schedule is open at an instant, which is passed in."""

from datetime import datetime, time, timedelta

from runner.model.schedule import OpenHours, Schedule
from runner.model.values import Instant


def is_open(schedule: Schedule, now: Instant) -> bool:
    """Whether the schedule is open at `now`, by the wall clock of its time zone.

    When the clocks go back, the hour that comes twice is open both times; when they go forward, the skipped
    hour never comes. A closed day is closed from midnight to midnight: hours that began the evening before
    end at midnight, and its own hours never begin, so nothing reaches into the next day.
    """
    local = datetime.fromtimestamp(now, schedule.timezone)
    today, clock = local.date(), local.time()
    if schedule.is_closed_on(today):
        return False
    yesterday = today - timedelta(days=1)
    if any(_covers_today(hours, clock) for hours in schedule.week[today.weekday()]):
        return True
    if schedule.is_closed_on(yesterday):
        return False
    return any(_reaches_past_midnight(hours, clock) for hours in schedule.week[yesterday.weekday()])


def _covers_today(hours: OpenHours, clock: time) -> bool:
    return hours.start <= clock and (clock < hours.end or hours.end <= hours.start)


def _reaches_past_midnight(hours: OpenHours, clock: time) -> bool:
    return hours.end <= hours.start and clock < hours.end
