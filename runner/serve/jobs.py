"""Runs the jobs after calls: asks for outcomes, delivers records. Does not decide what a result means.

Every job is in the store, and one that is not done when the process ends stays there. Before an attempt the
job is leased in the store: it is due again after a crash, and where several processes share the store, one at
a time attempts it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from runner.call.afterwards.capacity import job_capacity
from runner.call.afterwards.jobs import (
    UnreadableJobError,
    again,
    delivery,
    delivery_result,
    question,
    question_result,
)
from runner.call.templates.template import TemplateFailure
from runner.errors import StoreError
from runner.model.http import HttpReply
from runner.model.job import Done, DueJob, Job, JobCapacity, JobKind, JobResult, JobState, Later, Parked
from runner.model.values import Instant
from runner.serve.api_client import ApiClient
from runner.serve.background import Background
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import Sender
from runner.store.store import JobStore

log = logging.getLogger("runner.serve.jobs")

_LEAST_PAUSE_S = 0.05
"""The least pause after a look-up that found no job to take."""


@dataclass(slots=True, kw_only=True, eq=False)
class JobWorker:
    """Works through the jobs of a store.

    `start` it once, `wake` it when there is a new job, `close` it.
    """

    store: JobStore
    model: ApiClient
    endpoints: Sender
    secrets: Callable[[], Mapping[str, str]]
    metrics: Metrics
    timeouts: Timeouts
    clock: Callable[[], Instant]
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """To be set when something may be due; `wake` sets it."""
    _running: dict[asyncio.Task[None], DueJob] = field(default_factory=dict, init=False)
    _quiet: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _background: Background = field(init=False)

    def __post_init__(self) -> None:
        self._background = Background("the job worker", self._work)

    @property
    def trouble(self) -> str | None:
        """Why no jobs are run now, if so."""
        return self._background.trouble

    def start(self) -> None:
        """Start with whatever is due. Needs a running event loop."""
        self._background.start()

    def wake(self) -> None:
        """Something may be due now."""
        self.changed.set()

    async def settle(self) -> None:
        """Wait until everything that is due has been attempted. Later jobs stay in the store."""
        self._quiet.clear()
        self.wake()
        await self._quiet.wait()

    async def close(self) -> None:
        """Stop at once. The leased jobs are given back to the store."""
        given_back = list(self._running.values())
        await self._background.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if given_back:
            try:
                await self.store.release(given_back)
            except StoreError as error:
                log.warning("jobs were not released", extra={"error": str(error)})

    async def _work(self) -> None:
        while True:
            self.changed.clear()
            capacity = job_capacity(Counter(due.job.receiver for due in self._running.values()))
            try:
                jobs = await self._take(capacity)
                pause_s = 0.0 if jobs else await self._pause_s(capacity)
            except StoreError as error:
                self.metrics.store_failures.inc()
                log.warning("jobs cannot be read", extra={"error": str(error)})
                jobs, pause_s = [], self.timeouts.poll_s
            for due in jobs:
                task = asyncio.create_task(self._attempt(due), name=f"job {due.job.id}")
                self._running[task] = due
                self.metrics.jobs_held.labels(receiver=due.job.receiver).inc()
                task.add_done_callback(self._ended)
            if not jobs:
                await self._pause(pause_s)

    async def _take(self, capacity: JobCapacity) -> list[DueJob]:
        if not capacity.most:
            return []
        return await self.store.take(capacity, now=self.clock(), lease_s=self.timeouts.lease_s)

    async def _pause_s(self, capacity: JobCapacity) -> float | None:
        """How long until a job may be due that can be attempted.

        The store is read from time to time in any case: another process may have added a job.
        """
        if not capacity.most:
            return None  # Only the next free hand changes anything.
        backlog = await self.store.backlog(capacity.busy)
        self.metrics.jobs.labels(state=JobState.OPEN.value).set(backlog.open)
        self.metrics.jobs.labels(state=JobState.PARKED.value).set(backlog.parked)
        if backlog.next_due_at is None:
            return self.timeouts.poll_s
        # A job may be due by our clock and not yet by the database's, which may be behind ours.
        return min(max(backlog.next_due_at - self.clock(), _LEAST_PAUSE_S), self.timeouts.poll_s)

    async def _pause(self, longest_s: float | None) -> None:
        if not self._running and not self.changed.is_set():
            self._quiet.set()
        try:
            async with asyncio.timeout(longest_s):
                await self.changed.wait()
        except TimeoutError:
            return

    def _ended(self, task: asyncio.Task[None]) -> None:
        receiver = self._running.pop(task).job.receiver
        self.metrics.jobs_held.labels(receiver=receiver).dec()
        if all(due.job.receiver != receiver for due in self._running.values()):
            self.metrics.jobs_held.remove(receiver)
        self.changed.set()
        if not task.cancelled() and task.exception() is not None:
            # A bug of ours: the job is due again when its lease ends.
            log.error("job's result was not saved", exc_info=task.exception())

    async def _attempt(self, due: DueJob) -> None:
        job = due.job
        reply = HttpReply()
        why = None
        result: JobResult
        try:
            if job.kind is JobKind.OUTCOME:
                answer = await self.model.ask(question(due))
                result = question_result(job, answer, self.clock())
            else:
                reply = await self.endpoints.send(delivery(due, self.secrets(), self.clock()))
                result = delivery_result(job, reply, self.clock())
        except TemplateFailure as failure:
            result = again(job, str(failure), self.clock())
            # It may quote the call.
            why = "a template failed; the job's own error says which"
        except UnreadableJobError as error:
            log.error("job cannot be read and is parked", extra={"call_id": job.call_id, "job": job.id})
            result = Parked(error=str(error))
        except Exception:
            log.exception("job failed by a bug of ours", extra={"call_id": job.call_id})
            result = again(job, "a bug of ours; the log has its traceback", self.clock())
        self._tell(job, result, reply, why)
        try:
            await self.store.settle(due, result, self.clock())
        except StoreError as error:
            # The job runs again when its lease ends: at least once is the promise.
            self.metrics.store_failures.inc()
            log.error("job's result was not saved", extra={"call_id": job.call_id, "error": str(error)})

    def _tell(self, job: Job, result: JobResult, reply: HttpReply, why: str | None) -> None:
        """Log and count the result. `why`: in place of the result's own reason."""
        detail = ""
        match result:
            case Done():
                label, level = "done", logging.INFO
            case Later(error=error):
                label, level, detail = "again", logging.WARNING, why or error
            case Parked(error=error):
                label, level, detail = "parked", logging.ERROR, why or error
            case _:
                assert_never(result)
        self.metrics.job_attempts.labels(kind=job.kind.value, result=label).inc()
        log.log(
            level,
            "job was attempted",
            extra={
                "call_id": job.call_id,
                "job": job.id,
                "kind": job.kind.value,
                "receiver": job.receiver,
                "result": label,
                "attempt": job.attempts + 1,
                "status": reply.status,
                "failure": reply.failure.value if reply.failure else None,
                "detail": detail,
            },
        )
