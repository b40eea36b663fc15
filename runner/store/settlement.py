"""Decides what an attempt changes in the store: of the job, its call and the deliveries. No SQL."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, assert_never

from runner.model.job import Done, DueJob, JobKind, JobResult, JobState, Later, Parked
from runner.model.values import Instant
from runner.store.rows import column_text, due_job

log = logging.getLogger("runner.store")


class JobColumns(NamedTuple):
    """What changes of the row of a job that stays in the store. Nobody holds it any more."""

    state: str
    due_at: Instant | None
    attempts: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is to be written for one job; with `columns`, only where the fence of its row is still `fence`."""

    job_id: str
    call_id: str
    fence: int
    columns: JobColumns | None
    """None: the job is done, and leaves the store."""
    outcome: str | None = field(default=None, repr=False)
    """The outcome of the call, as JSON; None: it stays as it is."""
    deliveries_due_at: Instant | None = None
    """When the deliveries are due that wait for the call's outcome; None: they go on waiting."""


def settlement(due: DueJob, result: JobResult, now: Instant) -> Settlement:
    """What the result of an attempt changes."""
    job = due.job
    is_outcome = job.kind is JobKind.OUTCOME
    outcome: str | None = None
    columns: JobColumns | None = None
    match result:
        case Later(due_at=due_at, error=error):
            columns = JobColumns(JobState.OPEN.value, due_at, job.attempts + 1, column_text(error))
        case Parked(error=error):
            columns = JobColumns(JobState.PARKED.value, None, job.attempts + 1, column_text(error))
        case Done():
            outcome = json.dumps(result.outcome) if is_outcome else None
        case _:
            assert_never(result)
    is_over = not isinstance(result, Later)
    return Settlement(
        job_id=job.id,
        call_id=job.call_id,
        fence=due.fence,
        columns=columns,
        outcome=outcome,
        deliveries_due_at=now if is_outcome and is_over else None,
    )


def due_or_parked(row: Sequence[Any], now: Instant) -> DueJob | Settlement:
    """The job of a row as `due_job` reads it. One that cannot be read is parked, for a person to see."""
    try:
        return due_job(row)
    except (ValueError, TypeError, RecursionError) as error:
        job_id, call_id, kind, *_, attempts, fence, _, _, _ = row
        log.error("job cannot be read and is parked", extra={"call_id": call_id, "job": job_id})
        text = column_text(f"it cannot be read: {error}")
        return Settlement(
            job_id=job_id,
            call_id=call_id,
            fence=fence,
            columns=JobColumns(JobState.PARKED.value, None, attempts, text),
            deliveries_due_at=now if kind == JobKind.OUTCOME.value else None,
        )
