"""Several things that go on at once, in virtual time: a small, pure scheduler of generators."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

Effect = TypeVar("Effect")
Condition: TypeAlias = Callable[[], bool]


@dataclass(slots=True, kw_only=True, eq=False)
class _Running(Generic[Effect]):
    flow: "Iterator[float | Condition | Effect]"
    owner: str
    due_s: float
    until: Condition | None = None


class Flows(Generic[Effect]):
    """Runs flows. A flow yields a float to pause so many seconds, a condition to wait for, or an effect."""

    def __init__(self) -> None:
        self.now_s = 0.0
        """Virtual seconds since the beginning."""
        self._running: list[_Running[Effect]] = []

    def start(self, flow: "Iterator[float | Condition | Effect]", owner: str = "") -> None:
        """Let a flow begin at the next `settle`. `owner` is what `stop` knows it by."""
        self._running.append(_Running(flow=flow, owner=owner, due_s=self.now_s))

    def stop(self, owner: str) -> None:
        """Forget the flows of this owner, wherever they are."""
        self._running = [running for running in self._running if running.owner != owner]

    def settle(self) -> list[Effect]:
        """Run everything that can go on without time passing; the effects in order."""
        effects: list[Effect] = []
        while ready := next((running for running in self._running if self._is_ready(running)), None):
            effects += self._step(ready)
        return effects

    def delay_s(self) -> float | None:
        """Seconds until the next flow goes on by itself; None when all wait for something to happen."""
        due = [running.due_s for running in self._running if running.until is None]
        return max(0.0, min(due) - self.now_s) if due else None

    def pass_time(self, seconds: float) -> None:
        """Let virtual time pass, up to the next moment at which something goes on."""
        limit = self.delay_s()
        self.now_s += seconds if limit is None else min(seconds, limit)

    def _is_ready(self, running: _Running[Effect]) -> bool:
        if running.until is not None:
            return running.until()
        return running.due_s <= self.now_s

    def _step(self, running: _Running[Effect]) -> list[Effect]:
        """Run one flow up to its next pause, or for one effect so that others may react to it."""
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
