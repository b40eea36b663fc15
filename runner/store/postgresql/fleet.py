"""Runners, their leases and their calls in PostgreSQL. Only the clock of the database counts.

A runner that writes locks its own row for key share, and whoever takes its calls locks that row for update,
to end its lease: so either the write is there before the calls are taken, or it is refused. A heartbeat waits
for neither.
"""

from collections.abc import Sequence
from dataclasses import replace

from runner.errors import CallLostError, LeaseLostError
from runner.model.event import Limit
from runner.model.live_call import CallState, Claim, FleetCall, HeldCall, Lease, Limits, RunnerInfo
from runner.store import rows
from runner.store.journal.sealed import SealedEntries
from runner.store.postgresql.database import Connection

_HOLDS = "seen_at > clock_timestamp() - make_interval(secs => lease_s)"
"""Of a row of `runners`: its lease is not over."""
_ORPHAN = """(live_calls.runner IS NULL OR ($1 AND NOT EXISTS (
    SELECT 1 FROM runners WHERE runners.id = live_calls.runner AND seen_at > '-infinity')))"""
"""Of a row of `live_calls`: no runner has it. $1 tells whether calls of lost runners may be taken."""

_FLEET_CALLS = """SELECT
    live_calls.id, fence, agent, state, live_calls.configuration, began_at, api_call_id,
    runner, address, page_address
FROM live_calls LEFT JOIN runners ON runners.id = runner"""


async def server_started_at(connection: Connection) -> object:
    """Distinguishes a server from one that replaced it."""
    return await connection.fetchval("SELECT pg_postmaster_start_time()")


async def join(connection: Connection, runner: RunnerInfo, lease_s: float, epoch: int = 0) -> Lease:
    """Grant a new lease, after that of this epoch."""
    # What is written under the one before is there first.
    await connection.execute("SELECT 1 FROM runners WHERE id = $1 FOR UPDATE", runner.id)
    new_epoch = await connection.fetchval(
        """INSERT INTO runners AS known
            (id, epoch, seen_at, asserted_at, lease_s, address, version, configuration, page_address)
        VALUES ($1, $2 + 1, clock_timestamp(), clock_timestamp(), $3, $4, $5, $6, $7)
        ON CONFLICT (id) DO UPDATE SET
            epoch = greatest(known.epoch, $2) + 1, seen_at = excluded.seen_at,
            asserted_at = excluded.asserted_at, lease_s = excluded.lease_s, address = excluded.address,
            version = excluded.version, configuration = excluded.configuration,
            page_address = excluded.page_address
        RETURNING epoch""",
        runner.id,
        epoch,
        lease_s,
        runner.address,
        runner.version,
        runner.configuration,
        runner.page_address,
    )
    return Lease(runner=runner.id, epoch=new_epoch)


async def renew(connection: Connection, lease: Lease) -> bool:
    """Renew the lease; returns whether it is still in force."""
    renewed = await connection.fetchval(
        f"UPDATE runners SET seen_at = clock_timestamp() WHERE id = $1 AND epoch = $2 AND {_HOLDS} RETURNING id",  # noqa: S608,E501 - our own text
        lease.runner,
        lease.epoch,
    )
    return renewed is not None


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


async def claim_new(
    connection: Connection, lease: Lease, call: HeldCall, ring: SealedEntries | None
) -> Claim | None:
    """Claim a call that nobody has announced before, in one statement; None where it takes more to decide."""
    fence = await connection.fetchval(
        f"""WITH lease AS (
        SELECT 1 FROM runners WHERE id = $1 AND epoch = $2 AND {_HOLDS} FOR KEY SHARE),
        claimed AS (
        INSERT INTO live_calls (id, runner, fence, agent, state, configuration, began_at)
        SELECT $3, $1, $4, $5, $6, $7, $8 FROM lease
        WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = $3)
        ON CONFLICT (id) DO NOTHING
        RETURNING fence),
        rung AS (
        INSERT INTO journal (call_id, first_seq, entries)
        SELECT $3, $9, $10 FROM claimed WHERE $10::bytea IS NOT NULL
        ON CONFLICT (call_id, first_seq) DO UPDATE SET entries = excluded.entries),
        forgotten AS (
        DELETE FROM journal
        WHERE $10::bytea IS NOT NULL AND call_id IN (SELECT $3 FROM claimed) AND first_seq <> $9)
        SELECT fence FROM claimed""",  # noqa: S608 - our own text
        lease.runner,
        lease.epoch,
        rows.column_text(call.id),
        call.fence,
        rows.column_text(call.agent),
        call.state.value,
        call.configuration,
        call.began_at,
        0 if ring is None else ring.first_seq,
        None if ring is None else ring.entries,
    )
    return None if fence is None else Claim(ours=replace(call, fence=fence))


async def claim(
    connection: Connection, lease: Lease, call: HeldCall, limits: Limits, ring: SealedEntries | None
) -> Claim:
    """Claim the call, if no runner has it and its agent has room."""
    await _hold(connection, lease)
    call_id, agent = rows.column_text(call.id), rows.column_text(call.agent)
    if (reached := await _reached(connection, call_id, agent, call.began_at, limits)) is not None:
        return Claim(reached=reached)
    await _end_leases(connection)
    api_call_id = _api_call_id(call)
    if api_call_id is not None:
        # Two tokens may name one call of the API at the same instant.
        await _lock(connection, f"call {api_call_id}")
    fence = await connection.fetchval(
        f"""WITH claimed AS (
        INSERT INTO live_calls (id, runner, fence, agent, state, configuration, began_at, api_call_id)
        SELECT $2, $3, $4, $5, $6, $7, $8, $9
        WHERE $1 AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = $2)
            AND NOT EXISTS (SELECT 1 FROM live_calls WHERE (id = $9 OR api_call_id = $9) AND id <> $2)
        ON CONFLICT (id) DO UPDATE SET
            runner = excluded.runner, agent = excluded.agent, configuration = excluded.configuration,
            fence = live_calls.fence + CASE WHEN live_calls.runner = excluded.runner THEN 0 ELSE 1 END
        WHERE live_calls.state = $12 AND (live_calls.runner = excluded.runner OR {_ORPHAN})
        RETURNING fence),
        rung AS (
        INSERT INTO journal (call_id, first_seq, entries)
        SELECT $2, $10, $11 FROM claimed WHERE $11::bytea IS NOT NULL
        ON CONFLICT (call_id, first_seq) DO UPDATE SET entries = excluded.entries),
        forgotten AS (
        DELETE FROM journal
        WHERE $11::bytea IS NOT NULL AND call_id IN (SELECT $2 FROM claimed) AND first_seq <> $10)
        SELECT fence FROM claimed""",  # noqa: S608 - our own text
        True,
        call_id,
        lease.runner,
        call.fence,
        agent,
        call.state.value,
        call.configuration,
        call.began_at,
        api_call_id,
        0 if ring is None else ring.first_seq,
        None if ring is None else ring.entries,
        CallState.RINGING.value,
    )
    return Claim(ours=None if fence is None else replace(call, fence=fence))


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
        _api_call_id(call),
        CallState.RINGING.value,
        CallState.ANSWERED.value,
    )
    if fence is None:
        raise CallLostError(f'call "{call.id}" is served by another runner')
    return fence


async def unclaim(connection: Connection, lease: Lease, call: HeldCall) -> None:
    """Release the claim, and forget the call."""
    gone = await connection.fetchval(
        "DELETE FROM live_calls WHERE id = $1 AND runner = $2 AND fence = $3 RETURNING id",
        rows.column_text(call.id),
        lease.runner,
        call.fence,
    )
    await connection.execute("DELETE FROM journal WHERE call_id = $1", gone)


async def retire(connection: Connection, lease: Lease) -> None:
    """This runner is about to end."""
    await connection.execute("UPDATE runners SET is_leaving = true WHERE id = $1", lease.runner)


async def hand_over(connection: Connection, lease: Lease, call_ids: Sequence[str]) -> None:
    """Let others take these calls at once."""
    await connection.execute(
        "UPDATE live_calls SET runner = NULL WHERE runner = $1 AND id = ANY($2)",
        lease.runner,
        [rows.column_text(call_id) for call_id in call_ids],
    )


async def leave(connection: Connection, lease: Lease) -> None:
    """The runner leaves, and others may take all its calls at once."""
    await connection.execute("UPDATE live_calls SET runner = NULL WHERE runner = $1", lease.runner)
    await connection.execute("DELETE FROM runners WHERE id = $1", lease.runner)


async def take_over(connection: Connection, lease: Lease) -> list[HeldCall]:
    """Take this runner's share of the calls without a runner."""
    await _hold(connection, lease)
    await _end_leases(connection)
    # A runner that has just joined, or rejoined, cannot know yet which others have: after an outage of the
    # store all leases are over, and all runners are there.
    may_take = await connection.fetchval(
        "SELECT asserted_at <= clock_timestamp() - make_interval(secs => lease_s) FROM runners WHERE id = $1",
        lease.runner,
    )
    # So many that all runners have as many calls as each other: what one leaves to others must be theirs at
    # once, and not a share of a share. Nothing is left to a runner that has just joined.
    taken = await connection.fetch(
        f"""WITH takers AS (
            SELECT id FROM runners WHERE {_HOLDS} AND is_leaving = NOT EXISTS (
                SELECT 1 FROM runners WHERE {_HOLDS} AND NOT is_leaving)
            AND (id = $2 OR asserted_at <= clock_timestamp() - make_interval(secs => lease_s))
        ), share AS (
            SELECT greatest(
                ceil(count(*) / takers) - count(*) FILTER (WHERE runner = $2),
                ceil(count(*) FILTER (WHERE {_ORPHAN}) / takers))::integer AS most
            FROM live_calls, (SELECT greatest(count(*), 1)::float8 AS takers FROM takers) AS counted
            GROUP BY takers)
        UPDATE live_calls SET runner = $2, fence = fence + 1
        WHERE $2 IN (SELECT id FROM takers) AND id IN (
            SELECT id FROM live_calls WHERE {_ORPHAN}
            ORDER BY began_at, id LIMIT (SELECT most FROM share) FOR UPDATE SKIP LOCKED)
        RETURNING id, fence, agent, state, configuration, began_at, api_call_id""",  # noqa: S608 - our own text
        may_take,
        lease.runner,
    )
    return [rows.held_call(tuple(row)) for row in taken]


async def know_late(connection: Connection, calls: Sequence[HeldCall]) -> None:
    """An ended process had these calls while nothing could be written: no runner has them now."""
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
    """One live call."""
    row = await connection.fetchrow(f"{_FLEET_CALLS} WHERE live_calls.id = $1", rows.column_text(call_id))
    return None if row is None else rows.fleet_call(tuple(row))


async def runners(connection: Connection) -> list[RunnerInfo]:
    """The runners with a valid lease."""
    rows = await connection.fetch(
        f"""SELECT id, version, configuration, address, is_leaving, page_address
        FROM runners WHERE {_HOLDS} ORDER BY id"""  # noqa: S608 - our own text
    )
    return [
        RunnerInfo(
            id=row[0],
            version=row[1],
            configuration=row[2],
            address=row[3],
            is_leaving=row[4],
            page_address=row[5],
        )
        for row in rows
    ]


def _columns(calls: Sequence[HeldCall]) -> tuple[list[object], ...]:
    """One array for each column: id, fence, agent, state, configuration, began_at, api_call_id."""
    return (
        [rows.column_text(call.id) for call in calls],
        [call.fence for call in calls],
        [rows.column_text(call.agent) for call in calls],
        [call.state.value for call in calls],
        [call.configuration for call in calls],
        [call.began_at for call in calls],
        [_api_call_id(call) for call in calls],
    )


def _api_call_id(call: HeldCall) -> str | None:
    return None if call.api_call_id is None else rows.column_text(call.api_call_id)


async def _lock(connection: Connection, what: str) -> None:
    """Keep others from deciding about the same until this transaction is over."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", what)


async def _hold(connection: Connection, lease: Lease) -> None:
    """Keep others from ending the lease until this transaction is over. Raises LeaseLostError."""
    held = await connection.fetchval(
        f"SELECT 1 FROM runners WHERE id = $1 AND epoch = $2 AND {_HOLDS} FOR KEY SHARE",  # noqa: S608
        lease.runner,
        lease.epoch,
    )
    if held is None:
        raise LeaseLostError("the lease is over")


async def _end_leases(connection: Connection) -> None:
    """End expired leases for good: later requests under them are refused."""
    await connection.execute(
        f"""UPDATE runners SET epoch = epoch + 1, seen_at = '-infinity' WHERE id IN (
            SELECT id FROM runners WHERE NOT {_HOLDS} AND seen_at > '-infinity' FOR UPDATE SKIP LOCKED)"""  # noqa: S608
    )


async def _reached(
    connection: Connection, call_id: str, agent: str, began_at: float, limits: Limits
) -> Limit | None:
    """The limit that the agent has reached. Locks the agent, so that nobody else counts it meanwhile."""
    if limits == Limits():
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
