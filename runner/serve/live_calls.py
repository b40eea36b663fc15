"""Owns the live calls: starts, counts and ends them, and has each record saved."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from runner.model.event import Steered
from runner.model.job import Job
from runner.model.live_call import Owner
from runner.model.record import CallRecord, Deed
from runner.serve import call_log
from runner.serve.live_call import LiveCall
from runner.serve.logs import name_call
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.live_calls")


class Saver(Protocol):
    """Saves records. `runner.store.record_saver` has the real one."""

    async def save(self, record: CallRecord, jobs: Sequence[Job] = (), owner: Owner | None = None) -> None:
        """Save this record and the jobs after its call, now or later. Bounded in time."""


class LiveCalls:
    """All live calls of the process. One task for each; none is lost, and none disturbs another."""

    def __init__(self, *, saver: Saver, metrics: Metrics, timeouts: Timeouts) -> None:
        self._saver = saver
        self._metrics = metrics
        self._timeouts = timeouts
        self._calls: dict[asyncio.Task[None], LiveCall] = {}
        self._by_id: dict[str, LiveCall] = {}
        """One that was dropped may still be closing while it is served here again: the later one counts."""
        metrics.live_calls.set_function(lambda: len(self))

    def __len__(self) -> int:
        return sum(call.is_answered for call in self._calls.values())

    @property
    def held(self) -> int:
        """The number of calls that use descriptors and places, including those that ring."""
        return len(self._calls)

    def serve(self, call: LiveCall) -> None:
        task = asyncio.create_task(self._serve(call), name=f"call {call.id}")
        self._calls[task] = self._by_id[call.id] = call
        task.add_done_callback(self._forget)

    def drop(self, call_id: str) -> None:
        """Another runner serves this call."""
        call = self.find(call_id)
        if call is not None:
            call.drop()

    async def steer(self, call_id: str, steered: Steered) -> Deed | None:
        """Carry out a person's act on a call of this process.

        Returns the deed as the machine has left it: `waiting`, settled, or `refused` with the reason in its
        detail; None for a call that this process does not serve. A known id changes nothing, and gives the
        deed as it stands now.
        """
        call = self.find(call_id)
        return await call.steer(steered) if call is not None else None

    async def hand_over(self, call_ids: Sequence[str]) -> None:
        """Drop calls for other runners, each once it has done what its journal says."""

        async def hand_over(call: LiveCall) -> None:
            await call.settle()
            call.drop()

        calls = [call for call_id in call_ids if (call := self.find(call_id)) is not None]
        await asyncio.gather(*map(hand_over, calls))

    def find(self, call_id: str) -> LiveCall | None:
        """The call of this id, when this process serves it."""
        return self._by_id.get(call_id)

    def all(self) -> list[LiveCall]:
        """The calls of this process, ringing ones included, in order of arrival."""
        return list(self._calls.values())

    def ids(self) -> list[str]:
        """The ids of the answered live calls."""
        return [call.id for call in self._calls.values() if call.is_answered]

    async def idle(self) -> None:
        """Wait until there is no live call."""
        while self._calls:
            await asyncio.wait(tuple(self._calls))

    async def end(self, reason: str) -> None:
        """End every call: nobody is left talking to an agent that nobody serves.

        A call that does not end within `Timeouts.end_s` is given up, with a line in the log. Its record is
        kept.
        """
        for call in self._calls.values():
            call.end(reason)
        if not self._calls:
            return
        _, stuck = await asyncio.wait(tuple(self._calls), timeout=self._timeouts.end_s)
        for task in stuck:
            log.error("call did not end in time", extra={"call_id": self._calls[task].id})
            self._calls[task].give_up()
        if stuck:
            _, stuck = await asyncio.wait(stuck, timeout=self._timeouts.save_s)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

    def _forget(self, task: asyncio.Task[None]) -> None:
        call = self._calls.pop(task)
        if self._by_id.get(call.id) is call:
            del self._by_id[call.id]

    async def _serve(self, call: LiveCall) -> None:
        name_call(call.id)
        try:
            record = await call.run()
            if record is not None:
                call_log.ended(record)
                await self._save(record, await self._jobs(call, record), call.owner)
                self._metrics.calls.labels(agent=record.agent, ended=record.ended).inc()
        except Exception:
            # A bug of ours that the call itself could not report: it must not vanish with its task.
            log.exception("call has failed")
            self._metrics.calls.labels(agent="", ended="failed").inc()
        await call.release()

    async def _jobs(self, call: LiveCall, record: CallRecord) -> tuple[Job, ...]:
        try:
            return await call.jobs(record)
        except Exception:
            # A bug of ours; at least the record is kept.
            log.exception("jobs after the call could not be created")
            return ()

    async def _save(self, record: CallRecord, jobs: tuple[Job, ...], owner: Owner | None) -> None:
        """A bug in saving may cost the record, but never a call."""
        try:
            await self._saver.save(record, jobs, owner)
        except Exception:
            self._metrics.store_failures.inc()
            log.exception("record was not saved")
