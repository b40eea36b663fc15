"""Finds known values wherever a text has them as whole words, all of them in one pass.

The words are the letters of an automaton (A. Aho, M. Corasick: Efficient string matching, 1975), so thousands
of values cost no more than one.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from runner.call.records.digit_runs import DigitRun, digit_runs
from runner.call.records.sensitive_spans import TextRange

_TOKEN = re.compile(r"\w+|\W")
_MOST_DIGITS = 40
"""A longer number is found only as it is written, and not with other separators."""


class KnownValues:
    """Values to find: in the same characters, or in the same digits with other separators."""

    def __init__(self, values: Iterable[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._fall_back: list[int] = [0]
        self._longest: list[int] = [0]
        """For each state, the number of tokens of the longest value that ends there."""
        self._numbers: set[str] = set()
        for value in values:
            self._add(value.strip())
        self._sizes = sorted({len(number) for number in self._numbers})
        self._link()

    def spans(self, text: str, runs: Sequence[DigitRun]) -> Iterator[TextRange]:
        """The spans of the values. `runs` are the text's runs of digits."""
        yield from self._words(text)
        for run in runs if self._sizes else ():
            for first in run.begins:
                for behind in (first + size for size in self._sizes):
                    if run.ends_before(behind) and run.digits[first:behind] in self._numbers:
                        yield run.span_of(first, behind)

    def _add(self, value: str) -> None:
        state = 0
        tokens = _TOKEN.findall(value)
        for token in tokens:
            if token not in self._next[state]:
                self._next[state][token] = len(self._next)
                self._next.append({})
                self._fall_back.append(0)
                self._longest.append(0)
            state = self._next[state][token]
        self._longest[state] = len(tokens)
        runs = digit_runs(value)
        if len(runs) == 1 and runs[0].span == (0, len(value)) and len(runs[0].digits) <= _MOST_DIGITS:
            self._numbers.add(runs[0].digits)

    def _link(self) -> None:
        """Where to continue when a value ends early: its longest suffix that begins another value."""
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            fall_back = self._fall_back[state]
            self._longest[state] = self._longest[state] or self._longest[fall_back]
            for token, after in self._next[state].items():
                self._fall_back[after] = self._step(fall_back, token)
                waiting.append(after)

    def _step(self, state: int, token: str) -> int:
        while state and token not in self._next[state]:
            state = self._fall_back[state]
        return self._next[state].get(token, 0)

    def _words(self, text: str) -> Iterator[TextRange]:
        starts: list[int] = []
        state = 0
        for match in _TOKEN.finditer(text) if len(self._next) > 1 else ():
            starts.append(match.start())
            state = self._step(state, match[0])
            if self._longest[state]:
                yield starts[-self._longest[state]], match.end()
