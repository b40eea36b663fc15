"""The leases of runners in PostgreSQL. Only the clock of the database counts.

A runner that writes locks its own row for key share, and a runner that takes its calls locks that row for
update, to end its lease: so either the write is there before the calls are taken, or it is refused. A
heartbeat waits for neither.
"""

from runner.errors import LeaseLostError
from runner.model.live_call import Lease, RunnerInfo
from runner.store.postgresql.database import Connection

HOLDS = "seen_at > clock_timestamp() - make_interval(secs => lease_s)"
"""Of a row of `runners`: its lease is not over."""


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


async def renew(connection: Connection, lease: Lease) -> object:
    """Renew the lease, in one statement; returns what `server_started_at` does, None if it is over."""
    return await connection.fetchval(
        f"UPDATE runners SET seen_at = clock_timestamp() WHERE id = $1 AND epoch = $2 AND {HOLDS} RETURNING pg_postmaster_start_time()",  # noqa: S608,E501 - our own text
        lease.runner,
        lease.epoch,
    )


async def retire(connection: Connection, lease: Lease) -> None:
    """This runner is about to end."""
    await connection.execute("UPDATE runners SET is_leaving = true WHERE id = $1", lease.runner)


async def leave(connection: Connection, lease: Lease) -> None:
    """The runner leaves, and others may take all its calls at once."""
    await connection.execute("UPDATE live_calls SET runner = NULL WHERE runner = $1", lease.runner)
    await connection.execute("DELETE FROM runners WHERE id = $1", lease.runner)


async def runners(connection: Connection) -> list[RunnerInfo]:
    """The runners with a valid lease."""
    rows = await connection.fetch(
        f"""SELECT id, version, configuration, address, is_leaving, page_address
        FROM runners WHERE {HOLDS} ORDER BY id"""  # noqa: S608 - our own text
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


async def hold(connection: Connection, lease: Lease) -> None:
    """Keep others from ending the lease until this transaction is over. Raises LeaseLostError."""
    held = await connection.fetchval(
        f"SELECT 1 FROM runners WHERE id = $1 AND epoch = $2 AND {HOLDS} FOR KEY SHARE",  # noqa: S608
        lease.runner,
        lease.epoch,
    )
    if held is None:
        raise LeaseLostError("the lease is over")


async def end_expired(connection: Connection) -> None:
    """End expired leases for good: later requests under them are refused."""
    await connection.execute(
        f"""UPDATE runners SET epoch = epoch + 1, seen_at = '-infinity' WHERE id IN (
            SELECT id FROM runners WHERE NOT {HOLDS} AND seen_at > '-infinity' FOR UPDATE SKIP LOCKED)"""  # noqa: S608
    )
