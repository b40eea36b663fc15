"""Runs of digits in a text: digits of any script with nothing but separators between them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_RUN = re.compile(r"\d(?:[\s.,/()\-\u2010-\u2015]{0,2}\d)*")
_GROUP = re.compile(r"\d+")


@dataclass(frozen=True)
class DigitRun:
    """One run. Its digits are counted from 0; a group is digits that stand together."""

    digits: str
    places: tuple[int, ...]
    """Where each digit stands in the text."""
    begins: tuple[int, ...]
    """The first digit of each group."""
    ends: tuple[int, ...]
    """The digit behind the last of each group."""

    @property
    def span(self) -> tuple[int, int]:
        """Where the run begins and ends in the text."""
        return self.places[0], self.places[-1] + 1

    def span_of(self, first: int, behind: int) -> tuple[int, int]:
        """Where these digits begin and end in the text."""
        return self.places[first], self.places[behind - 1] + 1

    def begins_at(self, digit: int) -> bool:
        """Whether a group begins with this digit."""
        return digit in self._begin_set

    def ends_before(self, digit: int) -> bool:
        """Whether a group ends before this digit."""
        return digit in self._end_set

    def windows(self, least: int, most: int) -> Iterator[tuple[int, int]]:
        """Every part of so many digits that begins and ends where groups do, as for `span_of`."""
        first_end = 0
        for begin in self.begins:
            while first_end < len(self.ends) and self.ends[first_end] < begin + least:
                first_end += 1
            for end in self.ends[first_end : first_end + most]:
                if end > begin + most:
                    break
                yield begin, end

    @cached_property
    def _begin_set(self) -> frozenset[int]:
        return frozenset(self.begins)

    @cached_property
    def _end_set(self) -> frozenset[int]:
        return frozenset(self.ends)


def digit_runs(text: str) -> tuple[DigitRun, ...]:
    """The runs of a text, in their order."""
    return tuple(_run(text, found.start(), found.end()) for found in _RUN.finditer(text))


def _run(text: str, start: int, end: int) -> DigitRun:
    digits: list[str] = []
    places: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    for group in _GROUP.finditer(text, start, end):
        begins.append(len(digits))
        # Digits of any script: people who speak Arabic or Hindi are transcribed in theirs.
        digits += map(str, map(int, group[0]))
        places += range(group.start(), group.end())
        ends.append(len(digits))
    return DigitRun("".join(digits), tuple(places), tuple(begins), tuple(ends))
