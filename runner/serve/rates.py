"""Counts what strangers do in a sliding minute. Pure: `now` is passed in."""

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
        """How long the key has to wait; 0 when it may act."""
        times = self._times.get(key)
        if times is None or len(times) < self._most:
            return 0.0
        wait_s = times[0] + WINDOW_S - now
        # What was noted later than now was noted before the clock was set back, which may be by hours.
        return wait_s if 0.0 < wait_s <= WINDOW_S else 0.0

    def note(self, key: str, now: Instant) -> None:
        """Count an action."""
        self._times.setdefault(key, deque(maxlen=self._most)).append(now)
        self._times.move_to_end(key)
        if len(self._times) > MOST_KEYS:
            self._times.popitem(last=False)
