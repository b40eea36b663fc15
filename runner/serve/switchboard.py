"""Owns the live calls: starts them, counts them, ends them, and sees that each record is saved."""

import asyncio
import logging
from typing import Protocol

from runner.model.record import CallRecord
from runner.serve.logs import name_call
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.switchboard")


class Call(Protocol):
    """An accepted call that can be played to its end. `runner.serve.live_call` has the real one."""

    id: str

    async def run(self) -> CallRecord:
        """Serve the call until it is over, and see that it is over at the API too."""

    def end(self, reason: str) -> None:
        """End it from outside."""


class RecordStore(Protocol):
    """Where records are kept."""

    async def save(self, record: CallRecord) -> None:
        """Keep this record."""


class Switchboard:
    """All live calls of the process. One task for each; none is lost, and none disturbs another."""

    def __init__(self, *, store: RecordStore, metrics: Metrics, timeouts: Timeouts) -> None:
        self._store = store
        self._metrics = metrics
        self._timeouts = timeouts
        self._calls: dict[asyncio.Task[None], Call] = {}
        metrics.watch_live_calls(lambda: len(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def connect(self, call: Call) -> None:
        """Serve this call from now on."""
        task = asyncio.create_task(self._serve(call), name=f"call {call.id}")
        self._calls[task] = call
        task.add_done_callback(self._calls.pop)

    async def idle(self) -> None:
        """Wait until there is no live call."""
        while self._calls:
            await asyncio.wait(tuple(self._calls))

    async def end(self, reason: str) -> None:
        """End every call: nobody is left talking to an agent that nobody serves.

        A call that does not end within `Timeouts.end_s` is given up, which the log tells.
        """
        for call in self._calls.values():
            call.end(reason)
        if not self._calls:
            return
        _, stuck = await asyncio.wait(tuple(self._calls), timeout=self._timeouts.end_s)
        for task in stuck:
            log.error("call did not end in time", extra={"call_id": self._calls[task].id})
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

    async def _serve(self, call: Call) -> None:
        name_call(call.id)
        try:
            record = await call.run()
        except Exception:
            # A bug of ours, and not even the call could say so: it must not vanish with its task.
            log.exception("call has failed")
            self._metrics.calls.labels(agent="", ended="failed").inc()
            return
        log.info(
            "call has ended",
            extra={
                "agent": record.agent,
                "ended": record.ended,
                "turns": len(record.turns),
                "tools": len(record.tools),
                "cost_usd": record.cost_usd,
            },
        )
        self._metrics.calls.labels(agent=record.agent, ended=record.ended).inc()
        await self._save(record)

    async def _save(self, record: CallRecord) -> None:
        """A store that fails may cost the record, but never a call."""
        try:
            async with asyncio.timeout(self._timeouts.save_s):
                await self._store.save(record)
        except Exception as error:
            self._metrics.store_failures.inc()
            log.error("record was not saved", extra={"error": f"{type(error).__name__}: {error}"})
