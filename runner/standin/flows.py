"""A small, pure scheduler of generators in virtual time, for things that happen at the same time."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Condition: TypeAlias = Callable[[], bool]
Flow: TypeAlias = Iterator[float | Condition | T]
"""Yields a float to pause for that many seconds, a condition to wait for, or something that happens."""


@dataclass(slots=True)
class VirtualTime:
    """A clock that moves only when it is told to. Schedulers that share it take turns."""

    now_s: float = 0.0
    """Seconds since the beginning."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Running(Generic[T]):
    flow: Flow[T]
    owner: Hashable
    due_s: float
    until: Condition | None = None


class Flows(Generic[T]):
    """Runs flows until each has ended, and returns what happens, one thing after the other."""

    def __init__(self, time: VirtualTime | None = None) -> None:
        self._time = time or VirtualTime()
        self._running: list[_Running[T]] = []

    @property
    def now_s(self) -> float:
        """Virtual seconds since the beginning."""
        return self._time.now_s

    def start(self, flow: Flow[T], owner: Hashable = None, *, first: bool = False) -> None:
        """Start a flow. `stop` knows it by its `owner`; `first`: it goes before those that run."""
        running = _Running(flow=flow, owner=owner, due_s=self.now_s)
        self._running.insert(0 if first else len(self._running), running)

    def stop(self, owner: Hashable) -> None:
        """Drop the flows of this owner."""
        self._running = [running for running in self._running if running.owner != owner]

    def step(self) -> T | None:
        """The next thing that happens without time passing; None when nothing does."""
        while ready := next((running for running in self._running if self._is_ready(running)), None):
            happened = self._run(ready)
            if happened is not None:
                return happened
        return None

    def settle(self) -> list[T]:
        """Everything that happens without time passing, in order."""
        return list(iter(self.step, None))

    def due_s(self) -> float | None:
        """When the next flow continues by itself; None when all wait for something to happen."""
        return min((running.due_s for running in self._running if running.until is None), default=None)

    def delay_s(self) -> float | None:
        """Seconds until then."""
        due_s = self.due_s()
        return None if due_s is None else max(0.0, due_s - self.now_s)

    def pass_time(self, seconds: float) -> None:
        """Let virtual time pass, up to the next moment at which a flow continues."""
        limit_s = self.due_s()
        after_s = self.now_s + seconds
        self._time.now_s = after_s if limit_s is None else max(self.now_s, min(after_s, limit_s))

    def _is_ready(self, running: _Running[T]) -> bool:
        if running.until is not None:
            return running.until()
        return running.due_s <= self.now_s

    def _run(self, running: _Running[T]) -> T | None:
        """Run one flow up to its next pause, or for one thing that happens, so that others may react."""
        running.until = None
        running.due_s = self.now_s
        for yielded in running.flow:
            if isinstance(yielded, float):
                # To the microsecond: sums of decimal fractions would not meet, and twice ten is twenty.
                running.due_s = round(self.now_s + yielded, 6)
                return None
            if callable(yielded):
                running.until = yielded
                return None
            return yielded
        self._running.remove(running)
        return None
