"""The formats of texts that are checked, and how each is described.

Unlike RFC 3339, a time may do without seconds and offset: callers do too.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time


def has_format(text: str, name: str) -> bool:
    """Whether a text has the format. An unknown format allows everything."""
    if name not in FORMATS:
        return True
    try:
        return FORMATS[name][1](text)
    except ValueError:
        return False


def _is_date(text: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text) and date.fromisoformat(text))


def _is_time(text: str) -> bool:
    time.fromisoformat(text.upper())
    return re.match(r"\d\d:\d\d", text) is not None


def _is_date_time(text: str) -> bool:
    datetime.fromisoformat(text.upper())
    return re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", text) is not None


def _is_email(text: str) -> bool:
    return re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None


def _is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


FORMATS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "date": ("a date such as 2026-11-27", _is_date),
    "time": ("a time such as 09:30", _is_time),
    "date-time": ("a date and time such as 2026-11-27T09:30:00Z", _is_date_time),
    "email": ("an e-mail address", _is_email),
    "uuid": ("a UUID", _is_uuid),
}
