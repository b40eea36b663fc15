"""Keeps the result of a call's ringing, and reports it once to log and metrics."""

import asyncio

from runner.call.machine.machine import CallMachine
from runner.model.reception import RingResult
from runner.serve import call_log
from runner.serve.latch import Latch
from runner.serve.metrics import Metrics


class RingOutcome:
    """The result of one call's ringing."""

    __slots__ = ("_began_at", "_is_known", "_metrics", "result")

    def __init__(self, metrics: Metrics) -> None:
        self.result: RingResult | None = None
        """None while the call rings."""
        self._metrics = metrics
        self._is_known = Latch()
        self._began_at = 0.0

    @property
    def is_answered(self) -> bool:
        """Whether the API has put the caller through to us."""
        return self.result is RingResult.ACCEPTED

    def begin(self) -> None:
        """Start measuring how long the call takes to be answered."""
        self._began_at = asyncio.get_running_loop().time()

    def note(self, machine: CallMachine) -> None:
        """Check whether the machine has decided. Does nothing once the result is known."""
        if self.result is not None or machine.reception.result is None:
            return
        took_s = asyncio.get_running_loop().time() - self._began_at
        self.settle(machine.reception.result)
        call_log.rang(machine, machine.reception.result, took_s)
        if (lookup := machine.reception.looked_up) is not None:
            result = "answered" if lookup.fault is None else "default"
            self._metrics.lookup_seconds.labels(result=result).observe(lookup.took_s)
        if self.is_answered:
            self._metrics.accept_seconds.observe(took_s)

    def settle(self, result: RingResult) -> None:
        """Set the result, unless it is known already."""
        self.result = self.result or result
        self._is_known.set()

    async def known(self) -> RingResult:
        """Wait for the result."""
        await self._is_known.wait()
        return self.result or RingResult.FAILED
