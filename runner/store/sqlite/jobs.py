"""The jobs after calls in SQLite. SQL only: no transaction, no decision."""

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from sqlite3 import Connection
from typing import assert_never

from runner.model.job import Backlog, Done, DueJob, JobCapacity, JobKind, JobResult, Later, Parked
from runner.model.stored_call import StoredJob
from runner.model.values import Instant
from runner.store import rows

log = logging.getLogger("runner.store")


def add(connection: Connection, new: Iterable[rows.JobRow]) -> None:
    """Write jobs; existing ones stay as they are."""
    connection.executemany(
        """INSERT INTO jobs (id, call_id, kind, receiver, state, created_at, due_at, attempts, error, work)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
        new,
    )


def take(connection: Connection, capacity: JobCapacity, now: Instant, lease_s: float) -> list[DueJob]:
    """Take due jobs; nobody else gets them during the lease."""
    due = [
        connection.execute(
            f"""UPDATE jobs SET taken_until = ?, fence = fence + 1
            WHERE id = ? RETURNING {rows.DUE_JOB}""",  # noqa: S608 - our own columns
            (now + lease_s, job_id),
        ).fetchone()
        for job_id in _next(connection, capacity, now)
    ]
    taken = []
    for row in due:
        record = connection.execute("SELECT record, outcome FROM calls WHERE id = ?", (row[1],)).fetchone()
        try:
            taken.append(rows.due_job((*row, *record)))
        except (ValueError, TypeError, RecursionError) as error:
            log.error("job cannot be read and is parked", extra={"call_id": row[1], "job": row[0]})
            _park(connection, row[0], f"it cannot be read: {error}")
            if row[2] == JobKind.OUTCOME.value:
                _open_deliveries(connection, row[1], now)
    return taken


def release(connection: Connection, jobs: Sequence[DueJob]) -> None:
    """Make these due as they were before they were taken."""
    connection.executemany(
        "UPDATE jobs SET taken_until = 0 WHERE id = ? AND fence = ?",
        [(due.job.id, due.fence) for due in jobs],
    )


def settle(connection: Connection, due: DueJob, result: JobResult, now: Instant) -> None:
    """Write the result of an attempt."""
    job = due.job
    match result:
        case Later(due_at=due_at, error=error):
            connection.execute(
                """UPDATE jobs SET due_at = ?, taken_until = 0, attempts = ?, error = ?
                WHERE id = ? AND fence = ?""",
                (due_at, job.attempts + 1, rows.column_text(error), job.id, due.fence),
            )
        case Parked(error=error):
            parked = connection.execute(
                "UPDATE jobs SET attempts = ? WHERE id = ? AND fence = ?",
                (job.attempts + 1, job.id, due.fence),
            )
            if not parked.rowcount:
                return
            _park(connection, job.id, error)
            if job.kind is JobKind.OUTCOME:
                _open_deliveries(connection, job.call_id, now)
        case Done(outcome=outcome):
            connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
            if job.kind is JobKind.OUTCOME:
                text = rows.outcome_text(outcome)
                connection.execute("UPDATE calls SET outcome = ? WHERE id = ?", (text, job.call_id))
                _open_deliveries(connection, job.call_id, now)
        case _:
            assert_never(result)


def backlog(connection: Connection, busy: Collection[str]) -> Backlog:
    """Count the jobs. A job without its call is never due."""
    is_open, parked, next_due_at = connection.execute(
        """SELECT
            count(*) FILTER (WHERE state = 'open'),
            count(*) FILTER (WHERE state = 'parked'),
            min(max(due_at, taken_until))
                FILTER (WHERE state = 'open' AND receiver NOT IN (SELECT value FROM json_each(?)))
        FROM jobs JOIN calls ON calls.id = call_id""",
        (json.dumps(list(busy)),),
    ).fetchone()
    return Backlog(open=is_open, parked=parked, next_due_at=next_due_at)


def parked(connection: Connection, most: int) -> list[StoredJob]:
    """The newest parked jobs."""
    cursor = connection.execute(
        f"SELECT {rows.STORED_JOB} FROM jobs"  # noqa: S608 - our own columns
        " WHERE state = 'parked' ORDER BY created_at DESC, id LIMIT ?",
        (most,),
    )
    return [rows.stored_job(row) for row in cursor]


def retry_parked(connection: Connection, call_id: str, now: Instant) -> int:
    """Open the parked jobs of a call again, as if none was attempted yet; returns the number."""
    return connection.execute(
        """UPDATE jobs SET state = 'open', created_at = ?, due_at = ?, taken_until = 0, attempts = 0
        WHERE call_id = ? AND state = 'parked'""",
        (now, now, call_id),
    ).rowcount


def _next(connection: Connection, capacity: JobCapacity, now: Instant) -> list[str]:
    """The ids of the jobs to take. Each receiver is queried by itself, by the index: the many jobs of one
    that hangs cost the others nothing.
    """
    found: list[tuple[int, Instant, str]] = []
    for receiver in _receivers(connection):
        due = connection.execute(
            """SELECT due_at, jobs.id FROM jobs JOIN calls ON calls.id = call_id
            WHERE state = 'open' AND receiver = ? AND due_at <= ? AND taken_until <= ?
            ORDER BY due_at LIMIT ?""",
            (receiver, now, now, capacity.of(receiver)),
        )
        held = capacity.held.get(receiver, 0)
        found += ((turn, due_at, job_id) for turn, (due_at, job_id) in enumerate(due, start=held))
    return [job_id for _, _, job_id in sorted(found)[: capacity.most]]


def _receivers(connection: Connection) -> list[str]:
    """The receivers of open jobs: one step in the index for each."""
    rows = connection.execute(
        """WITH RECURSIVE receivers (name) AS (
            SELECT min(receiver) FROM jobs WHERE state = 'open'
            UNION ALL
            SELECT (SELECT min(receiver) FROM jobs WHERE state = 'open' AND receiver > name)
            FROM receivers WHERE name IS NOT NULL)
        SELECT name FROM receivers WHERE name IS NOT NULL"""
    )
    return [name for (name,) in rows]


def _park(connection: Connection, job_id: str, error: str) -> None:
    connection.execute(
        "UPDATE jobs SET state = 'parked', due_at = NULL, taken_until = 0, error = ? WHERE id = ?",
        (rows.column_text(error), job_id),
    )


def _open_deliveries(connection: Connection, call_id: str, now: Instant) -> None:
    """Make the deliveries due that waited for the outcome of a call."""
    connection.execute(
        "UPDATE jobs SET due_at = ? WHERE call_id = ? AND state = 'open' AND due_at IS NULL",
        (now, call_id),
    )
