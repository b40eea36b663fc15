"""Live calls in PostgreSQL: which runner has each, and who takes those of a lost one."""

from collections.abc import Sequence

from runner.errors import CallLostError, ClockError
from runner.model.live_call import CallState, FleetCall, HeldCall, Lease
from runner.model.values import Instant
from runner.store import rows
from runner.store.postgresql import leases
from runner.store.postgresql.database import Connection
from runner.store.postgresql.leases import HOLDS

MOST_TAKEN = 256
"""Calls that a runner takes at once. Of thousands each takes more as soon as it serves these, so that one
that is slow, or has just begun, keeps none from the others, who could serve it now.
"""
CLOCKS_APART_S = 60.0
"""Most seconds between a runner's clock and the database's. A runner an hour ahead would hang up the calls
that it takes over, as if they had lasted an hour longer.
"""

_FLEET_CALLS = """SELECT
    live_calls.id, fence, agent, state, live_calls.configuration, began_at, api_call_id,
    runner, address, page_address
FROM live_calls LEFT JOIN runners ON runners.id = runner"""

_HAS_LEFT_CALLS = f"""WITH RECURSIVE serving (runner) AS (
    SELECT min(runner) FROM live_calls
    UNION ALL
    SELECT (SELECT min(live_calls.runner) FROM live_calls WHERE live_calls.runner > serving.runner)
    FROM serving WHERE runner IS NOT NULL)
SELECT
    extract(epoch FROM clock_timestamp())::float8,
    EXISTS (SELECT 1 FROM live_calls WHERE runner IS NULL) OR EXISTS (
        SELECT 1 FROM serving
        WHERE runner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runners WHERE id = runner AND {HOLDS}))"""  # noqa: S608
"""Each runner that serves calls is looked up once in their index, however many it serves."""


def orphan(may_take: str) -> str:
    """Of a row of `live_calls`: no runner has it. `may_take` tells whether calls of lost runners count."""
    return f"""(live_calls.runner IS NULL OR ({may_take} AND NOT EXISTS (
        SELECT 1 FROM runners WHERE runners.id = live_calls.runner AND seen_at > '-infinity')))"""  # noqa: S608


async def assert_calls(connection: Connection, lease: Lease, calls: Sequence[HeldCall]) -> dict[str, int]:
    """Assert calls; returns the fences of those that no other runner has taken, or ended."""
    held = {rows.column_text(call.id): call for call in calls}
    # Calls that this runner took without learning of it, since the answer was lost: nobody would ever serve
    # them.
    await connection.execute(
        "UPDATE live_calls SET runner = NULL WHERE runner = $1 AND state = $2 AND id <> ALL($3::text[])",
        lease.runner,
        CallState.ANSWERED.value,
        list(held),
    )
    if not calls:
        return {}
    # A runner with an older fence of one of them must ask again: its own commit, or ours, was lost.
    await connection.execute(
        """UPDATE runners SET epoch = epoch + 1 WHERE id IN (
            SELECT id FROM runners WHERE id IN (
                SELECT runner
                FROM live_calls JOIN unnest($1::text[], $2::integer[]) AS held (id, fence) USING (id)
                WHERE live_calls.fence < held.fence AND runner <> $3)
            FOR UPDATE)""",
        list(held),
        [call.fence for call in held.values()],
        lease.runner,
    )
    kept = await connection.fetch(
        """INSERT INTO live_calls AS known
            (id, runner, fence, agent, state, configuration, began_at, api_call_id)
        SELECT held.id, $1, fence, agent, state, configuration, began_at, api_call_id
        FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::text[])
            AS held (id, fence, agent, state, configuration, began_at, api_call_id)
        WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = held.id)
        ON CONFLICT (id) DO UPDATE SET
            runner = excluded.runner, agent = excluded.agent,
            -- What was answered while this was under way stays answered.
            state = CASE WHEN known.state = $10 THEN known.state ELSE excluded.state END,
            fence = excluded.fence + CASE
                WHEN known.fence = excluded.fence AND known.runner <> excluded.runner THEN 1 ELSE 0 END,
            api_call_id = coalesce(excluded.api_call_id, known.api_call_id)
        WHERE known.fence < excluded.fence
            OR (known.fence = excluded.fence AND (
                coalesce(known.runner, excluded.runner) = excluded.runner
                OR (known.state = $9 AND excluded.state = $10)))
        RETURNING id, fence""",
        lease.runner,
        *_columns(list(held.values())),
        CallState.RINGING.value,
        CallState.ANSWERED.value,
    )
    # A call whose record was saved while its row was waited for has come back.
    over = await connection.fetch(
        """DELETE FROM live_calls USING calls
        WHERE calls.id = live_calls.id AND live_calls.id = ANY($1) RETURNING live_calls.id""",
        list(held),
    )
    ended = {row[0] for row in over}
    fences: dict[str, int] = {held[row[0]].id: row[1] for row in kept if row[0] not in ended}
    await connection.execute(
        "DELETE FROM journal WHERE call_id = ANY($1)",
        [call_id for call_id, call in held.items() if fences.get(call.id, 0) > call.fence],
    )
    rings = {
        call_id: call
        for call_id, call in held.items()
        if call.id not in fences and call.state is CallState.RINGING
    }
    if rings:
        contested = await connection.fetch(
            "SELECT id, fence FROM live_calls WHERE id = ANY($1) AND state = $2",
            list(rings),
            CallState.RINGING.value,
        )
        fences |= {rings[row[0]].id: row[1] for row in contested if row[1] == rings[row[0]].fence}
    return fences


async def set_state(connection: Connection, lease: Lease, call: HeldCall) -> int:
    """Write the state of the call; returns its fence."""
    fence: int | None = await connection.fetchval(
        """WITH held AS (
        UPDATE live_calls SET
            state = $1, api_call_id = $5, runner = $3,
            fence = fence + CASE WHEN runner = $3 THEN 0 ELSE 1 END
        WHERE id = $2 AND fence = $4 AND (runner = $3 OR (state = $6 AND $1 = $7))
        RETURNING id, fence),
        forgotten AS (
        DELETE FROM journal WHERE call_id IN (SELECT id FROM held WHERE fence > $4))
        SELECT fence FROM held""",
        call.state.value,
        rows.column_text(call.id),
        lease.runner,
        call.fence,
        api_call_id(call),
        CallState.RINGING.value,
        CallState.ANSWERED.value,
    )
    if fence is None:
        raise CallLostError(f'call "{call.id}" is served by another runner')
    return fence


async def hand_over(connection: Connection, lease: Lease, call_ids: Sequence[str]) -> None:
    """Let others take these calls at once."""
    await connection.execute(
        "UPDATE live_calls SET runner = NULL WHERE runner = $1 AND id = ANY($2)",
        lease.runner,
        [rows.column_text(call_id) for call_id in call_ids],
    )


async def has_left_calls(connection: Connection, now: Instant) -> bool:
    """Whether there are calls without a runner, in one statement that reads a few rows of any number of
    calls. `now` is what this runner's own clock says; raises ClockError.
    """
    database_now, has_left = await connection.fetchrow(_HAS_LEFT_CALLS)
    check_clock(now, database_now)
    return bool(has_left)


def check_clock(now: Instant, database_now: Instant) -> None:
    """Raises ClockError where this machine's clock and the database's are too far apart."""
    if abs(now - database_now) > CLOCKS_APART_S:
        raise ClockError(
            f"this machine's clock is {abs(now - database_now):.0f} s "
            f"{'ahead of' if now > database_now else 'behind'} the database's"
        )


async def take_over(connection: Connection, lease: Lease) -> list[HeldCall]:
    """Take this runner's share of the calls without a runner, or `MOST_TAKEN` of it."""
    await leases.hold(connection, lease)
    await leases.end_expired(connection)
    # A runner that has just joined, or rejoined, cannot know yet which others have: after an outage of the
    # store all leases are over, and all runners are there.
    may_take = await connection.fetchval(
        """SELECT asserted_at <= clock_timestamp() - make_interval(secs => lease_s)
        FROM runners WHERE id = $1""",
        lease.runner,
    )
    # So many that all runners have as many calls as each other: what one leaves to others must be theirs at
    # once, and not a share of a share. Nothing is left to a runner that has just joined.
    taken = await connection.fetch(
        f"""WITH takers AS (
            SELECT id FROM runners WHERE {HOLDS} AND is_leaving = NOT EXISTS (
                SELECT 1 FROM runners WHERE {HOLDS} AND NOT is_leaving)
            AND (id = $2 OR asserted_at <= clock_timestamp() - make_interval(secs => lease_s))
        ), share AS (
            SELECT least($3, greatest(
                ceil(count(*) / takers) - count(*) FILTER (WHERE runner = $2),
                ceil(count(*) FILTER (WHERE {orphan("$1")}) / takers)))::integer AS most
            FROM live_calls, (SELECT greatest(count(*), 1)::float8 AS takers FROM takers) AS counted
            GROUP BY takers)
        UPDATE live_calls SET runner = $2, fence = fence + 1
        WHERE $2 IN (SELECT id FROM takers) AND id IN (
            SELECT id FROM live_calls WHERE {orphan("$1")}
            ORDER BY began_at DESC, id LIMIT (SELECT most FROM share) FOR UPDATE SKIP LOCKED)
        RETURNING id, fence, agent, state, configuration, began_at, api_call_id""",  # noqa: S608 - our own text
        may_take,
        lease.runner,
        MOST_TAKEN,
    )
    return rows.newest_first(rows.held_call(tuple(row)) for row in taken)


async def know_late(connection: Connection, calls: Sequence[HeldCall]) -> None:
    """Make calls known that an ended process held while nothing could be written. No runner has them."""
    latest = {call.id: call for call in calls}.values()
    await connection.execute(
        """INSERT INTO live_calls AS known
            (id, runner, fence, agent, state, configuration, began_at, api_call_id)
        SELECT held.id, NULL, fence, agent, state, configuration, began_at, api_call_id
        FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::text[])
            AS held (id, fence, agent, state, configuration, began_at, api_call_id)
        WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = held.id)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, api_call_id = excluded.api_call_id
        WHERE known.fence = excluded.fence AND known.state <> excluded.state""",
        *_columns(list(latest)),
    )


async def live_calls(connection: Connection) -> list[FleetCall]:
    """All live calls, the oldest first."""
    result = await connection.fetch(f"{_FLEET_CALLS} ORDER BY began_at, live_calls.id")
    return [rows.fleet_call(tuple(row)) for row in result]


async def live_call(connection: Connection, call_id: str) -> FleetCall | None:
    row = await connection.fetchrow(f"{_FLEET_CALLS} WHERE live_calls.id = $1", rows.column_text(call_id))
    return None if row is None else rows.fleet_call(tuple(row))


def _columns(calls: Sequence[HeldCall]) -> tuple[list[object], ...]:
    """One array for each column: id, fence, agent, state, configuration, began_at, api_call_id."""
    return (
        [rows.column_text(call.id) for call in calls],
        [call.fence for call in calls],
        [rows.column_text(call.agent) for call in calls],
        [call.state.value for call in calls],
        [call.configuration for call in calls],
        [call.began_at for call in calls],
        [api_call_id(call) for call in calls],
    )


def api_call_id(call: HeldCall) -> str | None:
    """As a column holds it."""
    return None if call.api_call_id is None else rows.column_text(call.api_call_id)
