"""The records of calls in SQLite. SQL only: no transaction, no decision."""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from runner.model.live_call import Owner
from runner.model.stored_call import CallFilter, CallSummary, StoredCall
from runner.model.values import Instant
from runner.store import rows
from runner.store.sqlite import journal_log


def save(connection: Connection, row: rows.CallRow, owner: Owner | None) -> bool:
    """Write a record, or replace the one of the same call. False when its owner has saved it before.

    Raises CallLostError when the call is not the owner's, and StoreError when that is not decided yet.
    """
    if owner is not None:
        held = connection.execute(
            "SELECT runner, fence, state FROM live_calls WHERE id = ?", (row.id,)
        ).fetchone()
        is_saved = connection.execute("SELECT 1 FROM calls WHERE id = ?", (row.id,)).fetchone() is not None
        if not rows.may_save(row.id, owner, held, is_saved=is_saved):
            return False
    connection.execute("DELETE FROM live_calls WHERE id = ?", (row.id,))
    journal_log.delete(connection, row.id)
    connection.execute(
        """INSERT INTO calls
            (id, agent, caller, called, started_at, ended_at, ended, cost_usd, words, record)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET
            agent = excluded.agent, caller = excluded.caller, called = excluded.called,
            started_at = excluded.started_at, ended_at = excluded.ended_at, ended = excluded.ended,
            cost_usd = excluded.cost_usd, words = excluded.words, record = excluded.record""",
        row,
    )
    return True


def read(connection: Connection, call_id: str) -> StoredCall | None:
    row = connection.execute("SELECT record, outcome FROM calls WHERE id = ?", (call_id,)).fetchone()
    if row is None:
        return None
    record, outcome = row
    jobs = connection.execute(f"SELECT {rows.STORED_JOB} FROM jobs WHERE call_id = ? ORDER BY id", (call_id,))  # noqa: S608 - our own columns
    return rows.stored_call(record, outcome, jobs)


def find(connection: Connection, where: CallFilter, most: int) -> list[CallSummary]:
    """The newest matching calls."""
    return [rows.call_summary(row) for row in _newest(connection, rows.SUMMARY, where, most)]


def texts(connection: Connection, where: CallFilter, most: int) -> list[str]:
    """The records of the newest matching calls."""
    return [text for (text,) in _newest(connection, "record", where, most)]


def _newest(connection: Connection, columns: str, where: CallFilter, most: int) -> Iterable[Sequence[Any]]:
    clause = rows.WhereClause(where, mark=":p", position="instr")
    limit = clause.parameter(most)
    return connection.execute(
        f"SELECT {columns} FROM calls WHERE {clause.text} ORDER BY started_at DESC, id DESC LIMIT {limit}",  # noqa: S608 - values are parameters
        {f"p{number}": value for number, value in enumerate(clause.values, 1)},
    )


def count_calls(connection: Connection, since: Instant) -> dict[str, int]:
    """How many calls each agent answered."""
    return dict(
        connection.execute("SELECT agent, count(*) FROM calls WHERE started_at >= ? GROUP BY agent", (since,))
    )


def delete(connection: Connection, call_id: str) -> bool:
    """Delete one call with its jobs, and what is left of its journal."""
    if not connection.execute("DELETE FROM calls WHERE id = ?", (call_id,)).rowcount:
        return False
    connection.execute("DELETE FROM jobs WHERE call_id = ?", (call_id,))
    journal_log.delete(connection, call_id)
    return True


def delete_before(connection: Connection, instant: Instant, most: int) -> int:
    """Delete the oldest calls, except those with jobs still to be tried."""
    ids = connection.execute(
        """SELECT id FROM calls
        WHERE started_at < ?
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.call_id = calls.id AND state = 'open')
        ORDER BY started_at LIMIT ?""",
        (instant, most),
    ).fetchall()
    connection.executemany("DELETE FROM jobs WHERE call_id = ?", ids)
    connection.executemany("DELETE FROM calls WHERE id = ?", ids)
    return len(ids)
