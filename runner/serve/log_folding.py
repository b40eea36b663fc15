"""Which lines of the log are held back because the same was said often just now. Pure: keys and `now` in.

What a stranger can cause once can be caused a thousand times a second: refused webhooks, unknown paths. The
first of them say all there is to say.
"""

from dataclasses import dataclass
from typing import TypeAlias

MOST_ALIKE = 10
"""Lines that are alike and written within one window; the rest are counted."""
WINDOW_S = 10.0
MOST_KEYS = 1000
"""Windows that are open together. Beyond it the oldest is closed early, and told."""

Key: TypeAlias = tuple[str, int, str]
"""What makes lines alike: logger, level, event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A window that is over, in which lines were held back."""

    key: Key
    held_back: int


class Folding:
    """Counts what is alike, in windows that begin with the first line of each key."""

    def __init__(self, most: int = MOST_ALIKE, window_s: float = WINDOW_S) -> None:
        self._most = most
        self._window_s = window_s
        self._windows: dict[Key, tuple[float, int]] = {}
        """When each began, and how many lines it has had; oldest first."""

    def passes(self, key: Key, now: float) -> bool:
        """Whether a line is to be written. Ask `due` first, so that no window that is over is counted on."""
        began, count = self._windows.get(key, (now, 0))
        self._windows[key] = began, count + 1
        return count < self._most

    def due(self, now: float) -> list[Folded]:
        """Close the windows that are over: those that held lines back."""
        over: list[Folded] = []
        while self._windows:
            key, (began, count) = next(iter(self._windows.items()))
            if now - began < self._window_s and len(self._windows) <= MOST_KEYS:
                break
            del self._windows[key]
            if count > self._most:
                over.append(Folded(key=key, held_back=count - self._most))
        return over
