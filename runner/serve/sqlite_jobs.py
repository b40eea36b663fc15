"""What is owed after calls, in the SQLite file of their records. SQL only: no transaction, no decision."""

import json
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import TypeAlias

from runner.call.afterwards.jobs import encoded_work
from runner.model.job import Backlog, Done, DueJob, Job, JobKind, JobResult, Later, Parked
from runner.model.values import Instant

SCHEMA = (
    """CREATE TABLE after_call (
        id TEXT PRIMARY KEY,
        call_id TEXT NOT NULL REFERENCES calls (id),
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at REAL NOT NULL,
        due_at REAL,
        attempts INTEGER NOT NULL,
        error TEXT,
        work TEXT NOT NULL
    )""",
    "CREATE INDEX after_call_by_due ON after_call (state, due_at)",
)
"""`state` is `queued` or `parked`; what is done is gone. `error` is what the last attempt failed by."""

Row: TypeAlias = tuple[str, str, str, float, float | None, int, str]


def row_of(job: Job) -> Row:
    """A job as `owe` writes it."""
    work = encoded_work(job)
    return job.id, job.call_id, job.kind.value, job.created_at, job.due_at, job.attempts, work


def owe(connection: Connection, rows: Iterable[Row]) -> None:
    """Write down jobs; what is written down already stays as it is."""
    connection.executemany(
        "INSERT INTO after_call (id, call_id, kind, created_at, due_at, attempts, work, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued') ON CONFLICT (id) DO NOTHING",
        rows,
    )


def take(connection: Connection, most: int, now: Instant, until: Instant) -> list[DueJob]:
    """What is due, put off until `until`."""
    rows = connection.execute(
        "SELECT after_call.id, call_id, kind, created_at, due_at, attempts, work, record, outcome"
        " FROM after_call JOIN calls ON calls.id = call_id"
        " WHERE state = 'queued' AND due_at <= ? ORDER BY due_at LIMIT ?",
        (now, most),
    ).fetchall()
    _put_off(connection, [(until, row[0]) for row in rows])
    return [
        DueJob(
            job=Job(
                id=job_id,
                call_id=call_id,
                kind=JobKind(kind),
                created_at=created_at,
                due_at=due_at,
                attempts=attempts,
                work=json.loads(work),
            ),
            record=json.loads(record),
            outcome=None if outcome is None else json.loads(outcome),
        )
        for job_id, call_id, kind, created_at, due_at, attempts, work, record, outcome in rows
    ]


def release(connection: Connection, jobs: Sequence[Job]) -> None:
    """These are due as they were before they were taken."""
    _put_off(connection, [(job.due_at, job.id) for job in jobs])


def settle(connection: Connection, job: Job, result: JobResult, now: Instant) -> None:
    """Write down what came of an attempt."""
    match result:
        case Later(due_at=due_at, error=error):
            _note(connection, job, "queued", due_at, error)
            return
        case Parked(error=error):
            _note(connection, job, "parked", None, error)
        case Done(outcome=outcome):
            connection.execute("DELETE FROM after_call WHERE id = ?", (job.id,))
            if job.kind is JobKind.OUTCOME:
                connection.execute(
                    "UPDATE calls SET outcome = ? WHERE id = ?", (json.dumps(outcome), job.call_id)
                )
    if job.kind is JobKind.OUTCOME:
        connection.execute(
            "UPDATE after_call SET due_at = ? WHERE call_id = ? AND state = 'queued' AND due_at IS NULL",
            (now, job.call_id),
        )


def backlog(connection: Connection) -> Backlog:
    """How much is owed. What is parked has no time, and what has lost its call is owed no more."""
    queued, parked, next_due_at = connection.execute(
        "SELECT count(state = 'queued' OR NULL), count(state = 'parked' OR NULL), min(due_at)"
        " FROM after_call JOIN calls ON calls.id = call_id"
    ).fetchone()
    return Backlog(queued=queued, parked=parked, next_due_at=next_due_at)


def _put_off(connection: Connection, times: Sequence[tuple[Instant | None, str]]) -> None:
    connection.executemany("UPDATE after_call SET due_at = ? WHERE id = ?", times)


def _note(connection: Connection, job: Job, state: str, due_at: Instant | None, error: str) -> None:
    connection.execute(
        "UPDATE after_call SET state = ?, due_at = ?, attempts = ?, error = ? WHERE id = ?",
        (state, due_at, job.attempts + 1, error, job.id),
    )
