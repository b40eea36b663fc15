"""The jobs after calls in PostgreSQL. SQL only: no transaction, no decision."""

from collections.abc import Collection, Iterable, Sequence

from runner.model.job import Backlog, DueJob, JobCapacity
from runner.model.stored_call import StoredJob
from runner.model.values import Instant
from runner.store import rows
from runner.store.postgresql.database import Connection
from runner.store.settlement import Settlement, due_or_parked

_TAKE = f"""WITH RECURSIVE receivers (name) AS (
    SELECT min(receiver) FROM jobs WHERE state = 'open'
    UNION ALL
    SELECT (SELECT min(receiver) FROM jobs WHERE state = 'open' AND receiver > name)
    FROM receivers WHERE name IS NOT NULL),
candidates AS (
    SELECT
        due.id, due.due_at,
        coalesce(held.jobs, 0) + row_number() OVER (PARTITION BY name ORDER BY due.due_at) AS turn
    FROM receivers
    LEFT JOIN unnest($5::text[], $6::bigint[]) AS held (receiver, jobs) ON held.receiver = name
    CROSS JOIN LATERAL (
        SELECT jobs.id, jobs.due_at FROM jobs JOIN calls ON calls.id = call_id
        WHERE state = 'open' AND receiver = name AND due_at <= $1 AND taken_until <= clock_timestamp()
        ORDER BY due_at LIMIT least($3, greatest($4 - coalesce(held.jobs, 0), 0))
        FOR UPDATE OF jobs SKIP LOCKED) AS due),
chosen AS (SELECT id, turn FROM candidates ORDER BY turn, due_at LIMIT $3)
UPDATE jobs SET taken_until = clock_timestamp() + make_interval(secs => $2), fence = fence + 1
FROM chosen, calls WHERE jobs.id = chosen.id AND calls.id = call_id
RETURNING {rows.DUE_JOB}, record, outcome, turn"""  # noqa: S608 - our own columns
"""Each receiver is queried by itself, by the index: the many jobs of one that hangs cost the others
nothing."""


async def add(connection: Connection, new: Iterable[rows.JobRow]) -> None:
    """Write jobs; existing ones stay as they are."""
    await connection.executemany(
        """INSERT INTO jobs (id, call_id, kind, receiver, state, created_at, due_at, attempts, error, work)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING""",
        list(new),
    )


async def take(connection: Connection, capacity: JobCapacity, now: Instant, lease_s: float) -> list[DueJob]:
    """Take due jobs; nobody else gets them during the lease."""
    due = await connection.fetch(
        _TAKE,
        now,
        lease_s,
        capacity.most,
        capacity.per_receiver,
        list(capacity.held),
        list(capacity.held.values()),
    )
    taken = []
    for row in sorted(due, key=lambda row: (row["turn"], row["due_at"])):
        job = due_or_parked(tuple(row)[:-1], now)
        if isinstance(job, DueJob):
            taken.append(job)
        else:
            await settle(connection, job)
    return taken


async def release(connection: Connection, jobs: Sequence[DueJob]) -> None:
    """Make these due as they were before they were taken."""
    await connection.executemany(
        "UPDATE jobs SET taken_until = '-infinity' WHERE id = $1 AND fence = $2",
        [(due.job.id, due.fence) for due in jobs],
    )


async def settle(connection: Connection, settled: Settlement) -> None:
    """Write what an attempt changes."""
    if settled.columns is None:
        await connection.execute("DELETE FROM jobs WHERE id = $1", settled.job_id)
    elif not await connection.fetchval(
        """UPDATE jobs SET state = $1, due_at = $2, attempts = $3, error = $4, taken_until = '-infinity'
        WHERE id = $5 AND fence = $6 RETURNING true""",
        *settled.columns,
        settled.job_id,
        settled.fence,
    ):
        return
    if settled.outcome is not None:
        await connection.execute(
            "UPDATE calls SET outcome = $1 WHERE id = $2", settled.outcome, settled.call_id
        )
    if settled.deliveries_due_at is not None:
        await connection.execute(
            "UPDATE jobs SET due_at = $1 WHERE call_id = $2 AND state = 'open' AND due_at IS NULL",
            settled.deliveries_due_at,
            settled.call_id,
        )


async def backlog(connection: Connection, busy: Collection[str]) -> Backlog:
    """Count the jobs. A job without its call is never due."""
    is_open, parked, next_due_at = await connection.fetchrow(
        """SELECT
            count(*) FILTER (WHERE state = 'open'),
            count(*) FILTER (WHERE state = 'parked'),
            min(CASE
                WHEN due_at IS NULL THEN NULL
                WHEN taken_until > clock_timestamp() THEN greatest(due_at, extract(epoch FROM taken_until))
                ELSE due_at
            END) FILTER (WHERE state = 'open' AND receiver <> ALL ($1::text[]))
        FROM jobs JOIN calls ON calls.id = call_id""",
        list(busy),
    )
    return Backlog(
        open=is_open, parked=parked, next_due_at=None if next_due_at is None else float(next_due_at)
    )


async def parked(connection: Connection, most: int) -> list[StoredJob]:
    """The newest parked jobs."""
    result = await connection.fetch(
        f"SELECT {rows.STORED_JOB} FROM jobs"  # noqa: S608 - our own columns
        " WHERE state = 'parked' ORDER BY created_at DESC, id LIMIT $1",
        most,
    )
    return [rows.stored_job(tuple(row)) for row in result]


async def retry_parked(connection: Connection, call_id: str, now: Instant) -> int:
    """Open the parked jobs of a call again, as if none was attempted yet; returns the number."""
    opened = await connection.fetch(
        """UPDATE jobs
        SET state = 'open', created_at = $1, due_at = $1, taken_until = '-infinity', attempts = 0
        WHERE call_id = $2 AND state = 'parked' RETURNING id""",
        now,
        call_id,
    )
    return len(opened)
