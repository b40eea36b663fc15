"""Journals of live calls, and the configurations that they use, in SQLite."""

from collections.abc import Sequence
from sqlite3 import Connection

from runner.store import rows
from runner.store.journal.sealed import HeldPiece, SealedEntries
from runner.store.sqlite import fleet
from runner.store.sqlite import pieces as stored


def append(connection: Connection, runner: str, pieces: Sequence[SealedEntries]) -> set[str]:
    """Write these pieces, except for calls of other runners or calls that are over; returns the ids of
    these."""
    ids = [rows.column_text(piece.call_id) for piece in pieces]
    marks = ", ".join("?" * len(pieces))
    refused = connection.execute(
        f"""SELECT id FROM live_calls WHERE runner IS NOT ? AND id IN ({marks})
        UNION SELECT id FROM calls WHERE id IN ({marks})""",  # noqa: S608 - only marks
        (runner, *ids, *ids),
    )
    others = {row[0] for row in refused}
    stored.write(connection, [piece for piece in pieces if rows.column_text(piece.call_id) not in others])
    return others


def append_late(connection: Connection, pieces: Sequence[HeldPiece]) -> set[str]:
    """Write what an ended process could not, except for calls that another has taken since; returns the ids
    of these.
    """
    fleet.know_late(connection, [held.call for held in pieces])
    connection.executemany(
        """INSERT OR REPLACE INTO journal (call_id, first_seq, entries)
        SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM live_calls WHERE id = ?1 AND fence = ?4)""",
        [
            (rows.column_text(held.call.id), held.piece.first_seq, held.piece.entries, held.fence)
            for held in pieces
        ],
    )
    taken = (
        connection.execute(
            "SELECT id FROM live_calls WHERE id = ? AND fence <> ?",
            (rows.column_text(held.call.id), held.fence),
        ).fetchone()
        for held in pieces
    )
    return {row[0] for row in taken if row is not None}


def publish(connection: Connection, configuration: str, texts: str) -> None:
    """Keep the texts of a configuration."""
    connection.execute(
        "INSERT INTO configurations (hash, texts) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (configuration, texts),
    )


def configuration(connection: Connection, configuration_hash: str) -> str | None:
    """The texts of a configuration."""
    row = connection.execute(
        "SELECT texts FROM configurations WHERE hash = ?", (configuration_hash,)
    ).fetchone()
    return None if row is None else row[0]


def sweep(connection: Connection, configuration_hash: str | None) -> None:
    """Delete what no live call needs, except the configuration of new calls."""
    stored.delete_others(connection)
    connection.execute(
        """DELETE FROM configurations
        WHERE hash NOT IN (SELECT configuration FROM live_calls) AND hash IS NOT ?""",
        (configuration_hash,),
    )
