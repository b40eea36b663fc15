"""Claims of ringing calls in PostgreSQL: each is one runner's, and its agent has room for it."""

from dataclasses import replace

from runner.model.event import Limit
from runner.model.live_call import CallState, Claim, ClaimLimits, HeldCall, Lease
from runner.store import rows
from runner.store.journal.sealed import SealedEntries
from runner.store.postgresql import leases
from runner.store.postgresql.database import Connection
from runner.store.postgresql.leases import HOLDS
from runner.store.postgresql.live_calls import api_call_id, orphan

_CLAIM = """WITH {lease}claimed AS (
INSERT INTO live_calls (id, runner, fence, agent, state, configuration, began_at, api_call_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8 {source} NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = $1)
ON CONFLICT (id) {conflict}
RETURNING fence),
rung AS (
INSERT INTO journal (call_id, first_seq, entries)
SELECT $1, $9, $10 FROM claimed WHERE $10::bytea IS NOT NULL
ON CONFLICT (call_id, first_seq) DO UPDATE SET entries = excluded.entries),
forgotten AS (
DELETE FROM journal
WHERE $10::bytea IS NOT NULL AND call_id IN (SELECT $1 FROM claimed) AND first_seq <> $9)
SELECT fence FROM claimed"""
"""The ring is written with the claim, in place of what an earlier claim has left of a journal."""

_CLAIM_NEW = _CLAIM.format(
    lease=f"lease AS (SELECT 1 FROM runners WHERE id = $2 AND epoch = $11 AND {HOLDS} FOR KEY SHARE), ",  # noqa: S608
    source="FROM lease WHERE",
    conflict="DO NOTHING",
)
_CLAIM_ANY = _CLAIM.format(
    lease="",
    source="""WHERE
    NOT EXISTS (SELECT 1 FROM live_calls WHERE (id = $8 OR api_call_id = $8) AND id <> $1) AND""",
    conflict=f"""DO UPDATE SET
        runner = excluded.runner, agent = excluded.agent, configuration = excluded.configuration,
        fence = live_calls.fence + CASE WHEN live_calls.runner = excluded.runner THEN 0 ELSE 1 END
    WHERE live_calls.state = $11 AND (live_calls.runner = excluded.runner OR {orphan("true")})""",
)


async def claim_new(
    connection: Connection, lease: Lease, call: HeldCall, ring: SealedEntries | None
) -> Claim | None:
    """Claim a call that nobody has announced before, in one statement; None where it takes more to decide."""
    fence = await connection.fetchval(_CLAIM_NEW, *_columns(lease, call, ring), lease.epoch)
    return None if fence is None else Claim(ours=replace(call, fence=fence))


async def claim(
    connection: Connection, lease: Lease, call: HeldCall, limits: ClaimLimits, ring: SealedEntries | None
) -> Claim:
    """Claim the call, if no runner has it and its agent has room."""
    await leases.hold(connection, lease)
    call_id, agent = rows.column_text(call.id), rows.column_text(call.agent)
    if (reached := await _reached(connection, call_id, agent, call.began_at, limits)) is not None:
        return Claim(reached=reached)
    await leases.end_expired(connection)
    if call.api_call_id is not None:
        # Two tokens may name one call of the API at the same instant.
        await _lock(connection, f"call {api_call_id(call)}")
    fence = await connection.fetchval(_CLAIM_ANY, *_columns(lease, call, ring), CallState.RINGING.value)
    return Claim(ours=None if fence is None else replace(call, fence=fence))


async def unclaim(connection: Connection, lease: Lease, call: HeldCall) -> None:
    """Release the claim, and forget the call."""
    gone = await connection.fetchval(
        "DELETE FROM live_calls WHERE id = $1 AND runner = $2 AND fence = $3 RETURNING id",
        rows.column_text(call.id),
        lease.runner,
        call.fence,
    )
    await connection.execute("DELETE FROM journal WHERE call_id = $1", gone)


def _columns(lease: Lease, call: HeldCall, ring: SealedEntries | None) -> tuple[object, ...]:
    return (
        rows.column_text(call.id),
        lease.runner,
        call.fence,
        rows.column_text(call.agent),
        call.state.value,
        call.configuration,
        call.began_at,
        api_call_id(call),
        0 if ring is None else ring.first_seq,
        None if ring is None else ring.entries,
    )


async def _lock(connection: Connection, what: str) -> None:
    """Keep others from deciding about the same until this transaction is over."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", what)


async def _reached(
    connection: Connection, call_id: str, agent: str, began_at: float, limits: ClaimLimits
) -> Limit | None:
    """The limit that the agent has reached. Locks the agent, so that nobody else counts it meanwhile."""
    if limits == ClaimLimits():
        return None
    await _lock(connection, f"agent {agent}")
    live, today = await connection.fetchrow(
        """SELECT
            count(*),
            count(*) FILTER (WHERE began_at >= $3 AND began_at < $4) + (
                SELECT count(*) FROM calls
                WHERE agent = $2 AND started_at >= $3 AND started_at < $4 AND calls.id <> $1)
        FROM live_calls WHERE agent = $2 AND id <> $1""",
        call_id,
        agent,
        *rows.day(began_at),
    )
    return rows.reached(limits, live, today)
