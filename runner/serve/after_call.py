"""Does what is owed after calls: asks for outcomes, delivers records. What comes of it, it does not decide.

Everything that is owed is in the store, and what is not done when the process ends stays there. Whatever is
attempted has been put off in the store first, so that it is done again after a crash, and by one process at
a time where several share the store.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from runner.call.afterwards.jobs import again, delivery, delivery_result, question, question_result
from runner.call.templates.template import TemplateFailure
from runner.errors import StoreError
from runner.model.http import HttpReply, HttpRequest
from runner.model.job import Backlog, Done, DueJob, Job, JobKind, JobResult, Later
from runner.model.values import Instant, JsonObject
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.after_call")

MOST_AT_ONCE = 8
"""Attempts under way together: one endpoint that hangs must not hold up all others."""


class JobStore(Protocol):
    """Where jobs are kept. `runner.serve.store.Store` says what each method promises."""

    async def take(self, most: int, *, now: Instant, until: Instant) -> list[DueJob]:
        """What is due."""

    async def settle(self, job: Job, result: JobResult, now: Instant) -> None:
        """Write down what came of an attempt."""

    async def release(self, jobs: Sequence[Job]) -> None:
        """Give back what was taken."""

    async def backlog(self) -> Backlog:
        """How much is owed."""


class TextModel(Protocol):
    """Answers questions about calls."""

    async def respond(self, body: JsonObject) -> HttpReply:
        """Its reply, or why there is none."""


class Sender(Protocol):
    """Sends one attempt of a delivery."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """The reply, or why there is none."""


class AfterCall:
    """One worker over the store. `start` it once, `wake` it when something new is owed, `close` it."""

    def __init__(
        self,
        *,
        store: JobStore,
        model: TextModel,
        endpoints: Sender,
        secrets: Mapping[str, str],
        metrics: Metrics,
        timeouts: Timeouts,
        clock: Callable[[], Instant],
    ) -> None:
        self._store = store
        self._model = model
        self._endpoints = endpoints
        self._secrets = secrets
        self._metrics = metrics
        self._timeouts = timeouts
        self._clock = clock
        self._running: dict[asyncio.Task[None], Job] = {}
        self._changed = asyncio.Event()
        self._quiet = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with whatever is due. Wants a running event loop."""
        self._worker = asyncio.create_task(self._work(), name="after calls")

    def wake(self) -> None:
        """Something may be due now."""
        self._changed.set()

    async def settle(self) -> None:
        """Wait until everything that is due has been attempted. What is due later stays in the store."""
        self._quiet.clear()
        self.wake()
        await self._quiet.wait()

    async def close(self) -> None:
        """Stop at once. What is under way is given back to the store."""
        tasks = [task for task in (self._worker, *self._running) if task is not None]
        given_up = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if given_up:
            try:
                await self._store.release(given_up)
            except StoreError as error:
                log.warning("jobs are not given back", extra={"error": str(error)})

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            try:
                taken = await self._take()
                pause_s = 0.0 if taken else await self._pause_s()
            except StoreError as error:
                self._metrics.store_failures.inc()
                log.warning("what is owed cannot be read", extra={"error": str(error)})
                taken, pause_s = [], self._timeouts.poll_s
            for due in taken:
                task = asyncio.create_task(self._attempt(due), name=f"job {due.job.id}")
                self._running[task] = due.job
                task.add_done_callback(self._ended)
            if not taken:
                await self._pause(pause_s)

    async def _take(self) -> list[DueJob]:
        free = MOST_AT_ONCE - len(self._running)
        if not free:
            return []
        now = self._clock()
        return await self._store.take(free, now=now, until=now + self._timeouts.lease_s)

    async def _pause_s(self) -> float:
        """How long until something may be due. The store is looked at now and then in any case: another
        process may have left something in it."""
        backlog = await self._store.backlog()
        self._metrics.owed.labels(state="queued").set(backlog.queued)
        self._metrics.owed.labels(state="parked").set(backlog.parked)
        if backlog.next_due_at is None:
            return self._timeouts.poll_s
        return min(max(backlog.next_due_at - self._clock(), 0.0), self._timeouts.poll_s)

    async def _pause(self, longest_s: float) -> None:
        if not self._running and not self._changed.is_set():
            self._quiet.set()
        # With all hands busy only the next one that is free changes anything.
        busy = len(self._running) == MOST_AT_ONCE
        try:
            async with asyncio.timeout(None if busy else longest_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._changed.set()

    async def _attempt(self, due: DueJob) -> None:
        job = due.job
        reply = HttpReply()
        result: JobResult
        try:
            if job.kind is JobKind.OUTCOME:
                reply = await self._model.respond(question(due))
                result = question_result(job, reply, self._clock())
            else:
                reply = await self._endpoints.send(delivery(due, self._secrets, self._clock()))
                result = delivery_result(job, reply, self._clock())
        except TemplateFailure as failure:
            result = again(job, str(failure), self._clock())
        except Exception:
            log.exception("job failed by a bug of ours", extra={"call_id": job.call_id})
            result = again(job, "a bug of ours; the log has its traceback", self._clock())
        self._tell(job, result, reply)
        try:
            await self._store.settle(job, result, self._clock())
        except StoreError as error:
            # It is done again when its time in the store has come: at least once is what is promised.
            self._metrics.store_failures.inc()
            log.error("job was not settled", extra={"call_id": job.call_id, "error": str(error)})

    def _tell(self, job: Job, result: JobResult, reply: HttpReply) -> None:
        """What came of it. Why it failed is in the store, since a template that failed may quote the call."""
        match result:
            case Done():
                label, level = "done", logging.INFO
            case Later():
                label, level = "again", logging.WARNING
            case _:
                label, level = "parked", logging.ERROR
        self._metrics.after_call.labels(kind=job.kind.value, result=label).inc()
        log.log(
            level,
            "job was attempted",
            extra={
                "call_id": job.call_id,
                "job": job.id,
                "kind": job.kind.value,
                "result": label,
                "attempt": job.attempts + 1,
                "status": reply.status,
                "failure": reply.failure.value if reply.failure else None,
            },
        )
