"""The one runner of an SQLite file, and its calls. SQL only: no transaction, no decision.

There is no lease to lose: one process at a time holds the file's lock, which ends with it. So the calls of
any other runner are free.
"""

from collections.abc import Sequence
from dataclasses import replace
from sqlite3 import Connection

from runner.errors import CallLostError
from runner.model.event import Limit
from runner.model.live_call import CallState, Claim, ClaimLimits, FleetCall, HeldCall
from runner.store import rows
from runner.store.journal.sealed import SealedEntries
from runner.store.sqlite import journal_log


def assert_calls(connection: Connection, runner: str, calls: Sequence[HeldCall]) -> dict[str, int]:
    """Restore the calls that are not in the file, which may be a new one; returns the fences of those that
    are not over.
    """
    fences = {}
    for call in calls:
        call_id = rows.column_text(call.id)
        if connection.execute("SELECT 1 FROM calls WHERE id = ?", (call_id,)).fetchone():
            continue
        connection.execute(
            f"INSERT OR REPLACE INTO live_calls (runner, {rows.HELD_CALL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (runner, *_row(call)),
        )
        fences[call.id] = call.fence
    return fences


def claim(
    connection: Connection, runner: str, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None
) -> Claim:
    """Claim the call, if no runner has it and its agent has room."""
    call_id, agent = rows.column_text(call.id), rows.column_text(call.agent)
    if (reached := _reached(connection, call_id, agent, call.began_at, limits)) is not None:
        return Claim(reached=reached)
    api_call_id = _api_call_id(call)
    if (
        api_call_id is not None
        and connection.execute(
            "SELECT 1 FROM live_calls WHERE (id = :other OR api_call_id = :other) AND id <> :id",
            {"other": api_call_id, "id": call_id},
        ).fetchone()
    ):
        return Claim()
    is_new = connection.execute(
        f"""INSERT INTO live_calls (runner, {rows.HELD_CALL}) SELECT ?, ?, ?, ?, ?, ?, ?, ?
        WHERE NOT EXISTS (SELECT 1 FROM calls WHERE id = ?) ON CONFLICT (id) DO NOTHING""",  # noqa: S608
        (runner, *_row(call), call_id),
    ).rowcount
    ours: HeldCall | None = call if is_new else _claimed_again(connection, runner, call)
    if ours is None:
        return Claim()
    if ring is not None:
        # In place of what a process before us has written.
        journal_log.delete(connection, call.id)
        journal_log.write(connection, [ring])
    return Claim(ours=ours)


def _claimed_again(connection: Connection, runner: str, call: HeldCall) -> HeldCall | None:
    """A call that was claimed before, and still rings; None for one that does not."""
    known = connection.execute(
        "SELECT runner, fence FROM live_calls WHERE id = ? AND state = ?",
        (rows.column_text(call.id), CallState.RINGING.value),
    ).fetchone()
    if known is None:
        return None
    holder, fence = known
    ours = replace(call, fence=fence if holder == runner else fence + 1)
    connection.execute(
        f"INSERT OR REPLACE INTO live_calls (runner, {rows.HELD_CALL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (runner, *_row(ours)),
    )
    return ours


def set_state(connection: Connection, runner: str, call: HeldCall) -> int:
    """Write the state of the call; returns its fence."""
    row = connection.execute(
        "UPDATE live_calls SET state = ?, api_call_id = ? WHERE id = ? AND runner = ? AND fence = ?",
        (call.state.value, _api_call_id(call), rows.column_text(call.id), runner, call.fence),
    )
    if not row.rowcount:
        raise CallLostError(f'call "{call.id}" is served by another runner')
    return call.fence


def unclaim(connection: Connection, runner: str, call: HeldCall) -> None:
    """Release the claim, and forget the call."""
    call_id = rows.column_text(call.id)
    gone = connection.execute(
        "DELETE FROM live_calls WHERE id = ? AND runner = ? AND fence = ?", (call_id, runner, call.fence)
    )
    if gone.rowcount:
        journal_log.delete(connection, call.id)


def hand_over(connection: Connection, runner: str, call_ids: Sequence[str]) -> None:
    """Let others take these calls at once."""
    connection.executemany(
        "UPDATE live_calls SET runner = NULL WHERE runner = ? AND id = ?",
        [(runner, rows.column_text(call_id)) for call_id in call_ids],
    )


def take_over(connection: Connection, runner: str) -> list[HeldCall]:
    """All calls that another process has left."""
    taken = connection.execute(
        f"""UPDATE live_calls SET runner = :runner, fence = fence + 1
        WHERE runner IS NULL OR runner <> :runner RETURNING {rows.HELD_CALL}""",  # noqa: S608 - our own columns
        {"runner": runner},
    ).fetchall()
    return rows.newest_first(rows.held_call(row) for row in taken)


def know_late(connection: Connection, calls: Sequence[HeldCall]) -> None:
    """Make calls known that an ended process held while nothing could be written. No runner has them."""
    connection.executemany(
        f"""INSERT INTO live_calls (runner, {rows.HELD_CALL}) SELECT NULL, ?, ?, ?, ?, ?, ?, ?
        WHERE NOT EXISTS (SELECT 1 FROM calls WHERE id = ?)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, api_call_id = excluded.api_call_id
        WHERE live_calls.fence = excluded.fence AND live_calls.state <> excluded.state""",  # noqa: S608
        [(*_row(call), rows.column_text(call.id)) for call in calls],
    )


def live_calls(connection: Connection, address: str | None) -> list[FleetCall]:
    """All live calls, the oldest first."""
    cursor = connection.execute(f"SELECT {rows.HELD_CALL}, runner FROM live_calls ORDER BY began_at, id")  # noqa: S608
    return [rows.fleet_call((*row, address, None)) for row in cursor]


def live_call(connection: Connection, call_id: str, address: str | None) -> FleetCall | None:
    row = connection.execute(
        f"SELECT {rows.HELD_CALL}, runner FROM live_calls WHERE id = ?",  # noqa: S608 - our own columns
        (rows.column_text(call_id),),
    ).fetchone()
    return None if row is None else rows.fleet_call((*row, address, None))


def _row(call: HeldCall) -> tuple[str, int, str, str, str, float, str | None]:
    return (
        rows.column_text(call.id),
        call.fence,
        rows.column_text(call.agent),
        call.state.value,
        call.configuration,
        call.began_at,
        _api_call_id(call),
    )


def _api_call_id(call: HeldCall) -> str | None:
    return None if call.api_call_id is None else rows.column_text(call.api_call_id)


def _reached(
    connection: Connection, call_id: str, agent: str, began_at: float, limits: ClaimLimits
) -> Limit | None:
    if limits == ClaimLimits():
        return None
    begins, ends = rows.day(began_at)
    live, today = connection.execute(
        """SELECT
            count(*),
            count(*) FILTER (WHERE began_at >= :begins AND began_at < :ends) + (
                SELECT count(*) FROM calls
                WHERE agent = :agent AND started_at >= :begins AND started_at < :ends AND calls.id <> :id)
        FROM live_calls WHERE agent = :agent AND id <> :id""",
        {"id": call_id, "agent": agent, "begins": begins, "ends": ends},
    ).fetchone()
    return rows.reached(limits, live, today)
