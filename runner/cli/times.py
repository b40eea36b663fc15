"""Reads and writes times as on a command line and in lists: in the zone of this machine."""

import re
from datetime import date, datetime

from runner.cli.call_options import read_instant
from runner.errors import UsageError
from runner.model.values import Instant

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_since(text: str, now: Instant) -> Instant:
    """An instant: a time ago (`2h`, `3d`), the beginning of a day, or a time. Raises UsageError."""
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    return read_time(text, "2h, 3d, 2026-11-23 or 2026-11-23T15:00-05:00")


def read_time(text: str, such_as: str = "2026-11-23 or 2026-11-23T15:00-05:00") -> Instant:
    """An instant: the beginning of a day here, or a time with its offset. Raises UsageError."""
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day).astimezone().timestamp()
        return read_instant(text).timestamp()
    except (ValueError, OverflowError) as error:
        reason = f"{error}" if "offset" in str(error) else f'"{text}" is not a time; write {such_as}'
        raise UsageError(reason) from None


def local(instant: Instant) -> str:
    """Day and time here, to the minute."""
    return f"{datetime.fromtimestamp(instant).astimezone():%Y-%m-%d %H:%M}"


def lasted(seconds: float) -> str:
    """A length of time for people: `2:31`, `1:02:31`."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
