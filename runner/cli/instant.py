"""Reads an instant that a person has written. Asks no clock."""

from datetime import datetime


def read_instant(text: str) -> datetime:
    """The instant, with its offset. Raises ValueError, whose text says what would be right."""
    try:
        at = datetime.fromisoformat(text)
        # Instants at the ends of the calendar have no local time everywhere.
        is_usable = 1 < at.year < 9999
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(f'"{text}" is no time; write one such as 2026-11-23T15:00-05:00')
    if at.tzinfo is None:
        raise ValueError(f'"{text}" could be anywhere; end it with an offset such as -05:00, or with Z')
    return at
