"""Finds runs of digits in a text: digits of any script with only separators between them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_RUN = re.compile(r"\d(?:[\s.,/()\-\u2010-\u2015]{0,2}\d)*")
_GROUP = re.compile(r"\d+")


@dataclass(frozen=True)
class DigitRun:
    """One run. Its digits are numbered from 0; a group is a sequence of adjacent digits."""

    digits: str
    places: tuple[int, ...]
    """The position of each digit in the text."""
    begins: tuple[int, ...]
    """The first digit of each group."""
    ends: tuple[int, ...]
    """The digit behind the last of each group."""

    @property
    def span(self) -> tuple[int, int]:
        """The run's span in the text."""
        return self.places[0], self.places[-1] + 1

    def span_of(self, first: int, behind: int) -> tuple[int, int]:
        """The span of these digits in the text."""
        return self.places[first], self.places[behind - 1] + 1

    def begins_at(self, digit: int) -> bool:
        """Whether a group begins with this digit."""
        return digit in self._begin_set

    def ends_before(self, digit: int) -> bool:
        """Whether a group ends before this digit."""
        return digit in self._end_set

    def windows(self, least: int, most: int) -> Iterator[tuple[int, int]]:
        """Every part with this many digits that begins and ends at groups, as for `span_of`."""
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
    """The runs of a text, in order."""
    return tuple(_run(text, match.start(), match.end()) for match in _RUN.finditer(text))


def _run(text: str, start: int, end: int) -> DigitRun:
    digits: list[str] = []
    places: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    for group in _GROUP.finditer(text, start, end):
        begins.append(len(digits))
        # Digits of any script: transcripts of Arabic or Hindi have their own.
        digits += map(str, map(int, group[0]))
        places += range(group.start(), group.end())
        ends.append(len(digits))
    return DigitRun("".join(digits), tuple(places), tuple(begins), tuple(ends))
