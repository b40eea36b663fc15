"""One mismatch between an expected and an observed value, and how values are written in it."""

import json
from dataclasses import dataclass
from typing import Self

from runner.model.scenario import Expected
from runner.model.values import Json, Place
from runner.wording import cut

MISSING = "nothing"
"""Stands where there is no value at all. Values are written as JSON, so no text looks like it."""

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a diff: `-` expected, `+` observed, or a blank for both."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """What differs, at its place in the scenario. Without lines, `what` says it all."""

    place: Place
    what: str
    lines: tuple[DiffLine, ...] = ()

    @classmethod
    def between(cls, expected: Expected, got: str, *, what: str) -> Self:
        """One value is expected, and another was observed; `got` is in words or as `one_line` writes it."""
        return cls(
            place=expected.place,
            what=what,
            lines=(DiffLine("-", one_line(unplaced(expected))), DiffLine("+", got)),
        )


def unplaced(expected: Expected) -> Json:
    """The expected value, without places."""
    value = expected.value
    if isinstance(value, tuple):
        return [unplaced(entry) for entry in value]
    if isinstance(value, dict):
        return {name: unplaced(field) for name, field in value.items()}
    return value


def one_line(value: Json) -> str:
    """A value on one line, cut where it is long."""
    return cut(json.dumps(value, ensure_ascii=False), _LONGEST)
