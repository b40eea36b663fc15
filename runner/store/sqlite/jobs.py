"""The jobs after calls in SQLite. SQL only: no transaction, no decision."""

import logging
from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from runner.model.job import Backlog, Done, DueJob, JobKind, JobResult, Later, Parked
from runner.model.stored_call import StoredJob
from runner.model.values import Instant
from runner.store import rows

log = logging.getLogger("runner.store")


def add(connection: Connection, new: Iterable[rows.JobRow]) -> None:
    """Write down jobs; what is written down already stays as it is."""
    connection.executemany(
        """INSERT INTO jobs (id, call_id, kind, state, created_at, due_at, attempts, error, work)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
        new,
    )


def take(connection: Connection, most: int, now: Instant, lease_s: float) -> list[DueJob]:
    """The jobs that are due, kept from others for as long as the lease."""
    due = connection.execute(
        """UPDATE jobs SET taken_until = ?, fence = fence + 1
        WHERE id IN (
            SELECT jobs.id FROM jobs JOIN calls ON calls.id = call_id
            WHERE state = 'open' AND due_at <= ? AND taken_until <= ?
            ORDER BY due_at LIMIT ?)
        RETURNING id, call_id, kind, created_at, due_at, attempts, fence, work""",
        (now + lease_s, now, now, most),
    ).fetchall()
    taken = []
    for row in sorted(due, key=lambda row: row[4]):
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
    """These are due as they were before they were taken."""
    connection.executemany(
        "UPDATE jobs SET taken_until = 0 WHERE id = ? AND fence = ?",
        [(due.job.id, due.fence) for due in jobs],
    )


def settle(connection: Connection, due: DueJob, result: JobResult, now: Instant) -> None:
    """Write down the result of an attempt."""
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


def backlog(connection: Connection) -> Backlog:
    """How many there are. A job that has lost its call is never due."""
    is_open, parked, next_due_at = connection.execute(
        """SELECT
            count(*) FILTER (WHERE state = 'open'),
            count(*) FILTER (WHERE state = 'parked'),
            min(max(due_at, taken_until)) FILTER (WHERE state = 'open')
        FROM jobs JOIN calls ON calls.id = call_id"""
    ).fetchone()
    return Backlog(open=is_open, parked=parked, next_due_at=next_due_at)


def parked(connection: Connection, most: int) -> list[StoredJob]:
    """The newest that were given up."""
    found = connection.execute(
        f"SELECT {rows.STORED_JOB} FROM jobs"  # noqa: S608 - our own columns
        " WHERE state = 'parked' ORDER BY created_at DESC, id LIMIT ?",
        (most,),
    )
    return [rows.stored_job(row) for row in found]


def retry_parked(connection: Connection, call_id: str, now: Instant) -> int:
    """Open them again, with all their attempts before them."""
    return connection.execute(
        """UPDATE jobs SET state = 'open', created_at = ?, due_at = ?, taken_until = 0, attempts = 0
        WHERE call_id = ? AND state = 'parked'""",
        (now, now, call_id),
    ).rowcount


def _park(connection: Connection, job_id: str, error: str) -> None:
    connection.execute(
        "UPDATE jobs SET state = 'parked', due_at = NULL, taken_until = 0, error = ? WHERE id = ?",
        (rows.column_text(error), job_id),
    )


def _open_deliveries(connection: Connection, call_id: str, now: Instant) -> None:
    """What waited for the outcome waits no longer."""
    connection.execute(
        "UPDATE jobs SET due_at = ? WHERE call_id = ? AND state = 'open' AND due_at IS NULL",
        (now, call_id),
    )
