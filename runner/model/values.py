"""Names for the types that are used throughout the program."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict of the same."""

JsonObject: TypeAlias = Mapping[str, Any]

Instant: TypeAlias = float
"""Seconds since the Unix epoch. Durations are seconds too, in names that end in `_s`."""
DAY_S = 86400.0


class Place(NamedTuple):
    """A place in a file of the user. Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
