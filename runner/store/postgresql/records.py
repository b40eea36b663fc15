"""The records of calls in PostgreSQL. SQL only: no transaction, no decision."""

from typing import Any

from runner.model.live_call import Owner
from runner.model.stored_call import CallFilter, CallSummary, StoredCall
from runner.model.values import Instant
from runner.store import rows
from runner.store.postgresql.database import Connection


async def save(connection: Connection, row: rows.CallRow, owner: Owner | None) -> bool:
    """Write a record, or replace the one of the same call. False when its owner has saved it before.

    Raises CallLostError when the call is not the owner's, and StoreError when that is not decided yet.
    """
    if owner is not None:
        held = await connection.fetchrow(
            "SELECT runner, fence, state FROM live_calls WHERE id = $1 FOR UPDATE", row.id
        )
        is_saved = await connection.fetchval("SELECT true FROM calls WHERE id = $1", row.id) is not None
        if not rows.may_save(row.id, owner, held and tuple(held), is_saved=is_saved):
            return False
    await connection.execute("DELETE FROM live_calls WHERE id = $1", row.id)
    await connection.execute(
        """WITH late AS (DELETE FROM late_entries WHERE call_id = $1)
        DELETE FROM journal WHERE call_id = $1""",
        row.id,
    )
    await connection.execute(
        """INSERT INTO calls
            (id, agent, caller, called, started_at, ended_at, ended, cost_usd, words, record)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (id) DO UPDATE SET
            agent = excluded.agent, caller = excluded.caller, called = excluded.called,
            started_at = excluded.started_at, ended_at = excluded.ended_at, ended = excluded.ended,
            cost_usd = excluded.cost_usd, words = excluded.words, record = excluded.record""",
        *row,
    )
    return True


async def read(connection: Connection, call_id: str) -> StoredCall | None:
    row = await connection.fetchrow("SELECT record, outcome FROM calls WHERE id = $1", call_id)
    if row is None:
        return None
    jobs = await connection.fetch(
        f"SELECT {rows.STORED_JOB} FROM jobs WHERE call_id = $1 ORDER BY id",  # noqa: S608 - our own columns
        call_id,
    )
    return rows.stored_call(row[0], row[1], map(tuple, jobs))


async def find(connection: Connection, where: CallFilter, most: int) -> list[CallSummary]:
    """The newest matching calls."""
    return [rows.call_summary(row) for row in await _newest(connection, rows.SUMMARY, where, most)]


async def texts(connection: Connection, where: CallFilter, most: int) -> list[str]:
    """The records of the newest matching calls."""
    return [text for (text,) in await _newest(connection, "record", where, most)]


async def _newest(
    connection: Connection, columns: str, where: CallFilter, most: int
) -> list[tuple[Any, ...]]:
    clause = rows.WhereClause(where, mark="$", position="strpos")
    limit = clause.parameter(most)
    result = await connection.fetch(
        f"SELECT {columns} FROM calls WHERE {clause.text}"  # noqa: S608 - values are parameters
        f" ORDER BY started_at DESC, id DESC LIMIT {limit}",
        *clause.values,
    )
    return [tuple(row) for row in result]


async def count_calls(connection: Connection, since: Instant) -> dict[str, int]:
    """How many calls each agent answered."""
    counted = await connection.fetch(
        "SELECT agent, count(*) FROM calls WHERE started_at >= $1 GROUP BY agent", since
    )
    return dict(counted)


async def delete(connection: Connection, call_id: str) -> bool:
    """Delete one call with its jobs, and what is left of its journal."""
    if await connection.fetchval("DELETE FROM calls WHERE id = $1 RETURNING id", call_id) is None:
        return False
    await connection.execute("DELETE FROM jobs WHERE call_id = $1", call_id)
    await connection.execute("DELETE FROM journal WHERE call_id = $1", call_id)
    return True


async def delete_before(connection: Connection, instant: Instant, most: int) -> int:
    """Delete the oldest calls, except those with jobs still to be tried, and those that another runner
    deletes.
    """
    old = await connection.fetch(
        """DELETE FROM calls WHERE id IN (
            SELECT id FROM calls
            WHERE started_at < $1
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.call_id = calls.id AND state = 'open')
            ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING id""",
        instant,
        most,
    )
    await connection.execute("DELETE FROM jobs WHERE call_id = ANY($1)", [row[0] for row in old])
    return len(old)
