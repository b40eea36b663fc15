"""Converts records and jobs to rows of any database, and back. No SQL.

A call's data may be anything that a caller, a model or a backend made up, and none of it may cost the record:
text that no database accepts is corrected, and what has no JSON form is left out, which the record then says.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, NamedTuple

from runner.call.afterwards.jobs import encoded_work
from runner.call.records.record_json import encode
from runner.errors import CallLostError, StoreError
from runner.model.event import Limit
from runner.model.job import DueJob, Job, JobKind, JobState
from runner.model.live_call import CallState, ClaimLimits, FleetCall, HeldCall, Owner
from runner.model.record import CallRecord
from runner.model.stored_call import CallFilter, CallSummary, StoredCall, StoredJob
from runner.model.usage import TranscriptionUsage, Usage
from runner.model.values import DAY_S, Instant

log = logging.getLogger("runner.store")

DUE_JOB = "jobs.id, call_id, kind, receiver, created_at, due_at, attempts, fence, work"
"""The columns of `due_job`, without those of the call."""
STORED_JOB = "id, call_id, kind, state, created_at, due_at, attempts, error"
"""The columns of `stored_job`."""
SUMMARY = "id, agent, caller, called, started_at, ended_at, ended, cost_usd"
"""The columns of `call_summary`."""
HELD_CALL = "id, fence, agent, state, configuration, began_at, api_call_id"
"""The columns of `held_call`."""


class CallRow(NamedTuple):
    """A row of `calls`, without the outcome, which comes later."""

    id: str
    agent: str
    caller: str | None
    called: str | None
    started_at: float
    ended_at: float | None
    ended: str
    cost_usd: float | None
    words: str
    record: str


class JobRow(NamedTuple):
    """A row of `jobs` for a new job."""

    id: str
    call_id: str
    kind: str
    receiver: str
    state: str
    created_at: float
    due_at: float | None
    attempts: int
    error: str | None
    work: str


def call_row(record: CallRecord) -> CallRow:
    """The row of a record. Raises nothing: what has no JSON form is left out."""
    said = (turn.text for turn in record.turns)
    words = (record.id, record.agent, record.caller, record.called, record.ended, *said)
    return CallRow(
        id=column_text(record.id),
        agent=column_text(record.agent),
        caller=None if record.caller is None else column_text(record.caller),
        called=None if record.called is None else column_text(record.called),
        started_at=_finite(record.created_at) or 0.0,
        ended_at=_finite(record.ended_at),
        ended=column_text(record.ended),
        cost_usd=_finite(record.cost_usd),
        words=column_text("\n".join(word for word in words if word)).casefold(),
        record=_record_text(record),
    )


def job_row(job: Job) -> JobRow:
    """The row of a new job. One that cannot be written as JSON is parked at once, for a person to see."""
    try:
        work, state, error = encoded_work(job), JobState.OPEN, None
    except Exception as failure:
        log.exception("job cannot be written and is parked", extra={"call_id": job.call_id, "job": job.id})
        work, state, error = "{}", JobState.PARKED, f"it cannot be written: {failure}"
    return JobRow(
        id=job.id,
        call_id=column_text(job.call_id),
        kind=job.kind.value,
        receiver=column_text(job.receiver),
        state=state.value,
        created_at=job.created_at,
        due_at=job.due_at if state is JobState.OPEN else None,
        attempts=job.attempts,
        error=error,
        work=work,
    )


def due_job(row: Sequence[Any]) -> DueJob:
    """The job of a row of `DUE_JOB`, then `record, outcome` of its call.

    Raises ValueError, TypeError or RecursionError when the row cannot be read.
    """
    job_id, call_id, kind, receiver, created_at, due_at, attempts, fence, work, record, outcome = row
    job = Job(
        id=job_id,
        call_id=call_id,
        kind=JobKind(kind),
        receiver=receiver,
        created_at=float(created_at),
        due_at=float(due_at),
        attempts=int(attempts),
        work=_object(work),
    )
    return DueJob(
        job=job, record=_object(record), outcome=None if outcome is None else json.loads(outcome), fence=fence
    )


def stored_job(row: Sequence[Any]) -> StoredJob:
    """The job of a row of `STORED_JOB`."""
    columns = dict(zip(STORED_JOB.split(", "), row, strict=True))
    return StoredJob(**{**columns, "state": JobState(columns["state"])})


def stored_call(record: str, outcome: str | None, jobs: Iterable[Sequence[Any]]) -> StoredCall:
    """A call from the texts of its row and the rows of its jobs. Raises StoreError when it cannot be read."""
    try:
        return StoredCall(
            record=_object(record),
            outcome=None if outcome is None else json.loads(outcome),
            jobs=tuple(map(stored_job, jobs)),
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"the record cannot be read: {error}") from None


def call_summary(row: Sequence[Any]) -> CallSummary:
    """The call of a row of `SUMMARY`."""
    return CallSummary(**dict(zip(SUMMARY.split(", "), row, strict=True)))


def held_call(row: Sequence[Any]) -> HeldCall:
    """The call of a row of `HELD_CALL`."""
    columns = dict(zip(HELD_CALL.split(", "), row, strict=True))
    return HeldCall(**{**columns, "state": CallState(columns["state"])})


def newest_first(calls: Iterable[HeldCall]) -> list[HeldCall]:
    """Calls in the order in which they are taken up: new ones have short journals, and callers who wait to be
    greeted.
    """
    return sorted(calls, key=lambda call: (-call.began_at, call.id))


def fleet_call(row: Sequence[Any]) -> FleetCall:
    """The call of a row of `HELD_CALL`, followed by its runner, and the runner's `address` and
    `page_address`."""
    *call, runner, address, page_address = row
    return FleetCall(call=held_call(call), runner=runner, address=address, page_address=page_address)


def may_save(call_id: str, owner: Owner, held: tuple[str | None, int, str] | None, *, is_saved: bool) -> bool:
    """Whether `owner` may save the record of a call; False when it `is_saved` already.

    `held` is the runner, the fence and the state of the live call, None when it is not live. Raises
    CallLostError when another runner has the call, and StoreError while that one has not answered it: if the
    owner has, and could not tell the store, the other one finds the call over and makes no record.
    """
    if held is None:
        return not is_saved
    runner, fence, state = held
    if (runner, fence) != (owner.runner, owner.fence):
        if state == CallState.RINGING.value:
            raise StoreError(f'call "{call_id}" rings at another runner, which may find that it is over')
        raise CallLostError(f'call "{call_id}" is served by another runner')
    return True


def day(instant: Instant) -> tuple[float, float]:
    """The beginning of this instant's UTC day, and of the next."""
    begins = instant // DAY_S * DAY_S
    return begins, begins + DAY_S


def reached(limits: ClaimLimits, live: int, today: int) -> Limit | None:
    """The limit that an agent with this many calls has reached."""
    if limits.concurrent_calls is not None and live >= limits.concurrent_calls:
        return Limit.CONCURRENT_CALLS
    if limits.calls_per_day is not None and today >= limits.calls_per_day:
        return Limit.CALLS_PER_DAY
    return None


class WhereClause:
    """The WHERE clause of a filter, with numbered parameters as the engine writes them (`:p1` or `$1`).

    `position` is the engine's function that finds one text in another.
    """

    def __init__(self, where: CallFilter, *, mark: str, position: str) -> None:
        self.values: list[Any] = []
        self._mark = mark
        parts = ["1 = 1"]
        if where.agent is not None:
            parts.append(f"agent = {self.parameter(where.agent)}")
        if where.number is not None:
            number = self.parameter(where.number)
            parts.append(f"(caller = {number} OR called = {number})")
        if where.ended is not None:
            parts.append(f"ended = {self.parameter(where.ended)}")
        if where.since is not None:
            parts.append(f"started_at >= {self.parameter(where.since)}")
        if where.until is not None:
            parts.append(f"started_at < {self.parameter(where.until)}")
        if where.text is not None:
            parts.append(f"{position}(words, {self.parameter(where.text.casefold())}) > 0")
        if where.before is not None:
            started_at, call_id = where.before
            instant, last_id = self.parameter(started_at), self.parameter(call_id)
            parts.append(f"(started_at, id) < ({instant}, {last_id})")
        self.text = " AND ".join(parts)

    def parameter(self, value: Any) -> str:
        """The statement's name for this value."""
        self.values.append(column_text(value) if isinstance(value, str) else value)
        return f"{self._mark}{len(self.values)}"


def column_text(text: str) -> str:
    """Text that every database accepts: no half of a surrogate pair, no NUL."""
    if text.isascii() and "\0" not in text:
        return text  # Nearly all of it: ids, some thousand times a second.
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _finite(number: float | None) -> float | None:
    """A number that every database accepts and orders, or None."""
    return number if number is not None and isfinite(number) else None


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"expected a JSON object, got {type(value).__name__}")
    return value


def _record_text(record: CallRecord) -> str:
    try:
        return encode(record)
    except Exception as error:
        log.exception("record was saved without its unwritable parts", extra={"call_id": record.id})
        fault = f"arguments and usage were left out of the record: they cannot be written ({error})"
    smaller = replace(
        record,
        tools=tuple(replace(tool, arguments=None) for tool in record.tools),
        usage=Usage(),
        transcription=TranscriptionUsage(),
        cost_usd=None,
        faults=(*record.faults, fault),
    )
    return encode(smaller)
