"""Decides which log lines are held back because similar ones were written just now. Pure: keys and `now` in.

What a stranger can cause once, they can cause a thousand times a second: refused webhooks, unknown paths. The
first lines say all there is to say. The lines of a call say what happened to it, so many more of them pass;
but an API that complains without end must not push out the lines of other calls.
"""

from dataclasses import dataclass
from typing import TypeAlias

MOST_ALIKE = 10
"""Similar lines written within one window; the rest are counted."""
MOST_OF_A_CALL = 100
"""The same, of one call."""
WINDOW_S = 10.0
MOST_KEYS = 10_000
"""Windows open together. Beyond that the oldest is closed early, and reported."""

LineKey: TypeAlias = tuple[str, int, str, str | None]
"""The key of similar lines: logger, level, event, call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A closed window in which lines were held back."""

    key: LineKey
    held_back: int


class Folding:
    """Counts similar lines, in windows that begin with the first line of each key."""

    def __init__(
        self, most: int = MOST_ALIKE, most_of_a_call: int = MOST_OF_A_CALL, window_s: float = WINDOW_S
    ) -> None:
        self._most = most
        self._most_of_a_call = most_of_a_call
        self._window_s = window_s
        self._windows: dict[LineKey, tuple[float, int]] = {}
        """The start and the number of lines of each window; oldest first."""

    def passes(self, key: LineKey, now: float) -> bool:
        """Whether to write a line. Call `due` first, so that no line counts for a window that is over."""
        began, count = self._windows.get(key, (now, 0))
        self._windows[key] = began, count + 1
        return count < self._most_of(key)

    def due(self, now: float) -> list[Folded]:
        """Close the windows that are over; returns those that held lines back."""
        over: list[Folded] = []
        while self._windows:
            key, (began, count) = next(iter(self._windows.items()))
            if now - began < self._window_s and len(self._windows) <= MOST_KEYS:
                break
            del self._windows[key]
            if (held_back := count - self._most_of(key)) > 0:
                over.append(Folded(key=key, held_back=held_back))
        return over

    def _most_of(self, key: LineKey) -> int:
        return self._most if key[3] is None else self._most_of_a_call
