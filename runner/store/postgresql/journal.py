"""Journals of live calls, and the configurations that they use, in PostgreSQL."""

from collections.abc import Sequence

from runner.errors import LeaseLostError
from runner.model.live_call import Lease
from runner.store import rows
from runner.store.journal.sealed import HeldPiece, SealedEntries
from runner.store.postgresql import live_calls
from runner.store.postgresql.database import Connection
from runner.store.postgresql.leases import HOLDS

_APPEND = f"""WITH lease AS (SELECT 1 FROM runners WHERE id = $1 AND epoch = $2 AND {HOLDS} FOR KEY SHARE),
piece (call_id, first_seq, entries) AS (SELECT * FROM unnest($3::text[], $4::integer[], $5::bytea[])),
refused AS (
    SELECT call_id FROM piece JOIN live_calls ON live_calls.id = call_id WHERE runner IS DISTINCT FROM $1
    UNION SELECT call_id FROM piece JOIN calls ON calls.id = call_id),
written AS (
    INSERT INTO journal (call_id, first_seq, entries)
    SELECT piece.* FROM lease, piece WHERE call_id NOT IN (SELECT call_id FROM refused)
    ON CONFLICT (call_id, first_seq) DO UPDATE SET entries = excluded.entries),
late AS (
    INSERT INTO late_entries (call_id, first_seq, entries)
    SELECT piece.* FROM lease, piece JOIN refused USING (call_id)
    WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = call_id))
SELECT (SELECT count(*) FROM lease), ARRAY(SELECT call_id FROM refused)"""  # noqa: S608 - our own text
"""One statement for all calls of a runner. While its lease is locked, as `leases` says, none of its calls can
be taken, so they need no lock of their own. A piece that was written before, without our learning of it, is
overwritten. One of a call that another has is late.
"""


async def append(connection: Connection, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
    """Write these pieces; returns the ids of the calls for which none was written, since other runners have
    them or they are over.
    """
    if not pieces:
        return set()
    # A statement writes no row twice.
    pieces = list({(piece.call_id, piece.first_seq): piece for piece in pieces}.values())
    is_held, refused = await connection.fetchrow(_APPEND, lease.runner, lease.epoch, *_columns(pieces))
    if not is_held:
        raise LeaseLostError("the lease is over")
    return set(refused)


async def append_late(connection: Connection, pieces: Sequence[HeldPiece], *, were_lost: bool) -> set[str]:
    """Write pieces that an ended process could not; returns the ids of the calls that another has taken
    since, for which none was written.
    """
    pieces = list({(held.call.id, held.fence, held.piece.first_seq): held for held in pieces}.values())
    if not were_lost:
        await live_calls.know_late(connection, [held.call for held in pieces])
    await connection.execute(
        """INSERT INTO journal (call_id, first_seq, entries)
        SELECT call_id, first_seq, entries
        FROM unnest($1::text[], $2::integer[], $3::bytea[], $4::integer[])
            AS piece (call_id, first_seq, entries, fence)
        WHERE EXISTS (SELECT 1 FROM live_calls WHERE id = call_id AND live_calls.fence = piece.fence)
        ON CONFLICT (call_id, first_seq) DO UPDATE SET entries = excluded.entries""",
        *_columns([held.piece for held in pieces]),
        [held.fence for held in pieces],
    )
    taken = await connection.fetch(
        """INSERT INTO late_entries (call_id, first_seq, entries)
        SELECT call_id, first_seq, entries
        FROM unnest($1::text[], $2::integer[], $3::bytea[], $4::integer[])
            AS piece (call_id, first_seq, entries, fence)
        JOIN live_calls ON id = call_id
        WHERE live_calls.fence <> piece.fence
        RETURNING call_id""",
        *_columns([held.piece for held in pieces]),
        [held.fence for held in pieces],
    )
    return {row[0] for row in taken}


async def late(connection: Connection, lease: Lease) -> list[SealedEntries]:
    """The late pieces of this runner's calls."""
    found = await connection.fetch(
        """SELECT call_id, first_seq, entries FROM late_entries JOIN live_calls ON live_calls.id = call_id
        WHERE runner = $1 ORDER BY call_id, first_seq, written_at""",
        lease.runner,
    )
    return [SealedEntries(*row) for row in found]


async def forget_late(connection: Connection, lease: Lease, pieces: Sequence[SealedEntries]) -> None:
    """Delete late pieces, except those of calls that this runner does not have any more."""
    await connection.execute(
        """DELETE FROM late_entries USING live_calls, unnest($2::text[], $3::integer[], $4::bytea[])
            AS piece (call_id, first_seq, entries)
        WHERE live_calls.id = late_entries.call_id AND runner = $1
            AND late_entries.call_id = piece.call_id AND late_entries.first_seq = piece.first_seq
            AND late_entries.entries = piece.entries""",
        lease.runner,
        *_columns(pieces),
    )


async def read(connection: Connection, call_ids: Sequence[str]) -> dict[str, list[SealedEntries]]:
    """All pieces of these calls, in order."""
    ids = {rows.column_text(call_id): call_id for call_id in call_ids}
    found = await connection.fetch(
        "SELECT call_id, first_seq, entries FROM journal WHERE call_id = ANY($1) ORDER BY call_id, first_seq",
        list(ids),
    )
    journals: dict[str, list[SealedEntries]] = {}
    for stored_id, first_seq, entries in found:
        call_id = ids[stored_id]
        journals.setdefault(call_id, []).append(SealedEntries(call_id, first_seq, entries))
    return journals


async def publish(connection: Connection, lease: Lease, configuration: str, texts: str) -> None:
    """Keep the texts of a configuration, which this runner uses from now on."""
    await connection.execute(
        "INSERT INTO configurations (hash, texts) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        configuration,
        texts,
    )
    await connection.execute(
        "UPDATE runners SET configuration = $1 WHERE id = $2", configuration, lease.runner
    )


async def configuration(connection: Connection, configuration_hash: str) -> str | None:
    """The texts of a configuration."""
    texts: str | None = await connection.fetchval(
        "SELECT texts FROM configurations WHERE hash = $1", configuration_hash
    )
    return texts


async def sweep(connection: Connection) -> None:
    """Delete what no live call needs."""
    for table in ("journal", "late_entries"):
        await connection.execute(
            f"""DELETE FROM {table}
            WHERE written_at < clock_timestamp() - interval '1 hour'
                AND NOT EXISTS (SELECT 1 FROM live_calls WHERE id = call_id)"""  # noqa: S608 - our own names
        )
    await connection.execute(
        f"""DELETE FROM runners
        WHERE NOT {HOLDS} AND NOT EXISTS (SELECT 1 FROM live_calls WHERE runner = runners.id)"""  # noqa: S608
    )
    await connection.execute(
        """DELETE FROM configurations
        WHERE hash NOT IN (SELECT configuration FROM live_calls UNION SELECT configuration FROM runners)"""
    )


def _columns(pieces: Sequence[SealedEntries]) -> tuple[list[str], list[int], list[bytes]]:
    return (
        [rows.column_text(piece.call_id) for piece in pieces],
        [piece.first_seq for piece in pieces],
        [piece.entries for piece in pieces],
    )
