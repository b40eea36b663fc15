"""Journals of live calls, and the configurations that they use, in SQLite."""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

import orjson

from runner.store import rows
from runner.store.journal.sealed import HeldPiece, SealedEntries
from runner.store.sqlite import fleet, journal_log


def append(connection: Connection, runner: str, pieces: Sequence[SealedEntries]) -> set[str]:
    """Write these pieces; returns the ids of the calls for which none was written, since other runners have
    them or they are over.
    """
    # A call that the store does not know came while it was away.
    refused = connection.execute(
        """SELECT value FROM json_each(?) AS written
        WHERE NOT EXISTS (SELECT 1 FROM live_calls WHERE id = written.value AND runner = ?) AND (
            EXISTS (SELECT 1 FROM live_calls WHERE id = written.value)
            OR EXISTS (SELECT 1 FROM calls WHERE id = written.value))""",
        (_json(rows.column_text(piece.call_id) for piece in pieces), runner),
    )
    others = {row[0] for row in refused}
    if others:
        pieces = [piece for piece in pieces if rows.column_text(piece.call_id) not in others]
    journal_log.write(connection, pieces)
    return others


def append_late(connection: Connection, pieces: Sequence[HeldPiece], *, were_lost: bool) -> set[str]:
    """Write pieces that an ended process could not; returns the ids of the calls that another has taken
    since, for which none was written.
    """
    if not were_lost:
        fleet.know_late(connection, [held.call for held in pieces])
    connection.executemany(
        f"""INSERT INTO journal (call_id, first_seq, entries, since)
        SELECT ?, ?, ?, coalesce((SELECT max(upto) FROM journal_log), 0)
        WHERE EXISTS (SELECT 1 FROM live_calls WHERE id = ? AND fence = ?)
        {journal_log.REPLACED}""",  # noqa: S608 - our own text
        [
            (call_id, held.piece.first_seq, held.piece.entries, call_id, held.fence)
            for held in pieces
            for call_id in [rows.column_text(held.call.id)]
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
    journal_log.delete_others(connection)
    connection.execute(
        """DELETE FROM configurations
        WHERE hash NOT IN (SELECT configuration FROM live_calls) AND hash IS NOT ?""",
        (configuration_hash,),
    )


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps([*texts]).decode()
