"""Decides which log lines are held back because similar ones were written just now. Pure: keys and `now` in.

What a stranger can cause once, they can cause a thousand times a second: refused webhooks, unknown paths. The
first lines say all there is to say.
"""

from dataclasses import dataclass
from typing import TypeAlias

MOST_ALIKE = 10
"""Similar lines written within one window; the rest are counted."""
WINDOW_S = 10.0
MOST_KEYS = 1000
"""Windows open together. Beyond that the oldest is closed early, and reported."""

Key: TypeAlias = tuple[str, int, str]
"""The key of similar lines: logger, level, event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A closed window in which lines were held back."""

    key: Key
    held_back: int


class Folding:
    """Counts similar lines, in windows that begin with the first line of each key."""

    def __init__(self, most: int = MOST_ALIKE, window_s: float = WINDOW_S) -> None:
        self._most = most
        self._window_s = window_s
        self._windows: dict[Key, tuple[float, int]] = {}
        """The start and the number of lines of each window; oldest first."""

    def passes(self, key: Key, now: float) -> bool:
        """Whether to write a line. Call `due` first, so that no line counts for a window that is over."""
        began, count = self._windows.get(key, (now, 0))
        self._windows[key] = began, count + 1
        return count < self._most

    def due(self, now: float) -> list[Folded]:
        """Close the windows that are over; returns those that held lines back."""
        over: list[Folded] = []
        while self._windows:
            key, (began, count) = next(iter(self._windows.items()))
            if now - began < self._window_s and len(self._windows) <= MOST_KEYS:
                break
            del self._windows[key]
            if count > self._most:
                over.append(Folded(key=key, held_back=count - self._most))
        return over
