"""Keeps configurations of other processes, for the calls that are taken over from them.

Whatever a call uses stays as long as the call. Beyond that only a few are kept: whoever reloads a large
configuration every minute leaves one for each of them.
"""

from collections import OrderedDict
from weakref import WeakValueDictionary

from runner.call.machine.world import World

MOST_WORLDS = 64
"""Kept without a call: one for each of the calls that are taken up together."""
MOST_WORLD_BYTES = 16 * 1024 * 1024
"""The size of their texts; the last one is kept in any case."""


class KeptWorlds:
    """By the hash of the configuration."""

    __slots__ = ("_bytes", "_kept", "_used")

    def __init__(self) -> None:
        self._used: WeakValueDictionary[str, World] = WeakValueDictionary()
        self._kept: OrderedDict[str, tuple[World, int]] = OrderedDict()
        """With the size of the texts, the one asked for last at the end."""
        self._bytes = 0

    @property
    def kept(self) -> tuple[str, ...]:
        """Those that stay without a call, the one asked for last at the end."""
        return tuple(self._kept)

    def get(self, configuration: str) -> World | None:
        """One that is kept, or that a call still uses."""
        if configuration in self._kept:
            self._kept.move_to_end(configuration)
        return self._used.get(configuration)

    def keep(self, configuration: str, world: World, size: int) -> None:
        """Keep one with texts of so many bytes, and forget those for which there is no room."""
        self._used[configuration] = world
        _, before = self._kept.pop(configuration, (None, 0))
        self._kept[configuration] = (world, size)
        self._bytes += size - before
        while len(self._kept) > MOST_WORLDS or (self._bytes > MOST_WORLD_BYTES and len(self._kept) > 1):
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped
