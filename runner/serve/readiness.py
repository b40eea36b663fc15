"""Knows whether a runner takes calls, for `/readyz` and for each ringing call."""

import logging
from collections.abc import Callable, Sequence
from enum import Enum

log = logging.getLogger("runner.serve.readiness")

FULL = "no descriptors are left for another call; raise the limit (ulimit -n, LimitNOFILE) or add a runner"


class RunnerPhase(Enum):
    """How far the runner has come."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    """No new calls; the live ones get their time to end."""


class Readiness:
    """The readiness of one runner. Its parts report to it once they are started."""

    def __init__(self, most_calls: int) -> None:
        self.phase = RunnerPhase.STARTING
        self._most_calls = most_calls
        self._held: Callable[[], int] = int
        self._obstacles: list[Callable[[], str | None]] = []
        self._troubles: list[Callable[[], Sequence[str]]] = []

    def count_calls(self, held: Callable[[], int]) -> None:
        """`held` returns the number of calls that the runner has now."""
        self._held = held

    def add_obstacle(self, obstacle: Callable[[], str | None]) -> None:
        """`obstacle` returns what prevents us from answering calls, if anything does."""
        self._obstacles.append(obstacle)

    def add_troubles(self, troubles: Callable[[], Sequence[str]]) -> None:
        """`troubles` returns problems that prevent no call."""
        self._troubles.append(troubles)

    def takes_calls(self) -> bool:
        """Whether another call can be served to its end."""
        is_full = self._is_full
        if is_full:
            log.warning("call refused", extra={"reason": FULL, "live_calls": self._most_calls})
        return self.phase is RunnerPhase.READY and not is_full

    def obstacles(self) -> list[str]:
        """What prevents us from answering calls."""
        reasons = [] if self.phase is RunnerPhase.READY else [self.phase.value]
        reasons += [FULL] if self._is_full else []
        return reasons + [reason for obstacle in self._obstacles if (reason := obstacle()) is not None]

    def troubles(self) -> list[str]:
        """Problems that prevent no call."""
        return [trouble for troubles in self._troubles for trouble in troubles()]

    @property
    def _is_full(self) -> bool:
        return self._held() >= self._most_calls
