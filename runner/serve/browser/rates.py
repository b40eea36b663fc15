"""Counts actions in a sliding minute. Pure: `now` is passed in."""

from collections import OrderedDict, deque

from runner.model.values import Instant

WINDOW_S = 60.0
MOST_KEYS = 10_000
"""Keys that are remembered; the key with the oldest last action is forgotten first."""


class Rate:
    """Allows so many actions a minute, for each key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: OrderedDict[str, deque[Instant]] = OrderedDict()

    def wait_s(self, key: str, now: Instant) -> float:
        """Count one action and return 0; or, without counting, how long the key has to wait."""
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        while len(self._times) > MOST_KEYS:
            self._times.popitem(last=False)
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        if len(times) >= self._most:
            return times[0] + WINDOW_S - now
        times.append(now)
        return 0.0
