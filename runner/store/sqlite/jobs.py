"""The jobs after calls in SQLite. SQL only: no transaction, no decision."""

import json
from collections.abc import Collection, Iterable, Sequence
from sqlite3 import Connection

from runner.model.job import Backlog, DueJob, JobCapacity
from runner.model.stored_call import StoredJob
from runner.model.values import Instant
from runner.store import rows
from runner.store.settlement import Settlement, due_or_parked


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
        job = due_or_parked((*row, *record), now)
        if isinstance(job, DueJob):
            taken.append(job)
        else:
            settle(connection, job)
    return taken


def release(connection: Connection, jobs: Sequence[DueJob]) -> None:
    """Make these due as they were before they were taken."""
    connection.executemany(
        "UPDATE jobs SET taken_until = 0 WHERE id = ? AND fence = ?",
        [(due.job.id, due.fence) for due in jobs],
    )


def settle(connection: Connection, settled: Settlement) -> None:
    """Write what an attempt changes."""
    if settled.columns is None:
        connection.execute("DELETE FROM jobs WHERE id = ?", (settled.job_id,))
    elif not connection.execute(
        """UPDATE jobs SET state = ?, due_at = ?, attempts = ?, error = ?, taken_until = 0
        WHERE id = ? AND fence = ?""",
        (*settled.columns, settled.job_id, settled.fence),
    ).rowcount:
        return
    if settled.outcome is not None:
        connection.execute("UPDATE calls SET outcome = ? WHERE id = ?", (settled.outcome, settled.call_id))
    if settled.deliveries_due_at is not None:
        connection.execute(
            "UPDATE jobs SET due_at = ? WHERE call_id = ? AND state = 'open' AND due_at IS NULL",
            (settled.deliveries_due_at, settled.call_id),
        )


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
