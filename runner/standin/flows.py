"""Several things that go on at once, in virtual time: a small, pure scheduler of generators."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Condition: TypeAlias = Callable[[], bool]
Flow: TypeAlias = Iterator[float | Condition | T]
"""Yields a float to pause for so many seconds, a condition to wait for, or something to send."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Running(Generic[T]):
    flow: Flow[T]
    owner: str
    due_s: float
    until: Condition | None = None


class Flows(Generic[T]):
    """Runs flows until each has come to its end, and collects what they send."""

    def __init__(self) -> None:
        self.now_s = 0.0
        """Virtual seconds since the beginning."""
        self._running: list[_Running[T]] = []

    def start(self, flow: Flow[T], owner: str = "") -> None:
        """Let a flow begin at the next `settle`. `owner` is what `stop` knows it by."""
        self._running.append(_Running(flow=flow, owner=owner, due_s=self.now_s))

    def stop(self, owner: str) -> None:
        """Forget the flows of this owner, wherever they are."""
        self._running = [running for running in self._running if running.owner != owner]

    def settle(self) -> list[T]:
        """Run everything that can go on without time passing; what they send, in order."""
        sent: list[T] = []
        while ready := next((running for running in self._running if self._is_ready(running)), None):
            sent += self._step(ready)
        return sent

    def delay_s(self) -> float | None:
        """Seconds until the next flow goes on by itself; None when all wait for something to happen."""
        due = [running.due_s for running in self._running if running.until is None]
        return max(0.0, min(due) - self.now_s) if due else None

    def pass_time(self, seconds: float) -> None:
        """Let virtual time pass, up to the next moment at which something goes on."""
        limit = self.delay_s()
        self.now_s += seconds if limit is None else min(seconds, limit)

    def _is_ready(self, running: _Running[T]) -> bool:
        if running.until is not None:
            return running.until()
        return running.due_s <= self.now_s

    def _step(self, running: _Running[T]) -> list[T]:
        """Run one flow up to its next pause, or for one thing to send, so that others may react to it."""
        running.until = None
        running.due_s = self.now_s
        for yielded in running.flow:
            if isinstance(yielded, float):
                running.due_s = self.now_s + yielded
                return []
            if callable(yielded):
                running.until = yielded
                return []
            return [yielded]
        self._running.remove(running)
        return []
