"""Pieces of journals in SQLite: written one behind the other, and moved to their calls many at a time.

The calls of one moment are all over the table `journal`, so a piece that is written there costs a page of its
own, in the write-ahead log and in the file: seven times what it costs at the end of a short table.
"""

from collections.abc import Sequence
from sqlite3 import Connection

from runner.store import rows
from runner.store.journal.sealed import SealedEntries

MOST_RECENT = 8_000
"""Pieces that wait to be moved: some seconds' of thousands of calls. To move them takes a tenth of a second,
which whoever waits for the store waits too; to look through them for one call a third of a millisecond.
"""


def write(connection: Connection, pieces: Sequence[SealedEntries]) -> None:
    """Write pieces, over those that are there."""
    connection.executemany(
        "INSERT INTO recent_pieces (call_id, first_seq, entries) VALUES (?, ?, ?)",
        [(rows.column_text(piece.call_id), piece.first_seq, piece.entries) for piece in pieces],
    )
    (newest,) = connection.execute("SELECT max(id) FROM recent_pieces").fetchone()
    if newest is not None and newest >= MOST_RECENT:
        move(connection)


def move(connection: Connection) -> None:
    """Move the recent pieces to their calls. A piece that was written twice counts as it was written last."""
    connection.execute(
        """INSERT OR REPLACE INTO journal (call_id, first_seq, entries)
        SELECT call_id, first_seq, entries FROM recent_pieces ORDER BY call_id, first_seq, id"""
    )
    # Numbers begin at 1 again.
    connection.execute("DELETE FROM recent_pieces")


def read(connection: Connection, call_id: str) -> list[SealedEntries]:
    """All pieces of a call, in order."""
    move(connection)
    found = connection.execute(
        "SELECT first_seq, entries FROM journal WHERE call_id = ? ORDER BY first_seq",
        (rows.column_text(call_id),),
    )
    return [SealedEntries(call_id=call_id, first_seq=row[0], entries=row[1]) for row in found]


def delete(connection: Connection, call_id: str) -> None:
    """Delete all pieces of a call."""
    connection.execute("DELETE FROM journal WHERE call_id = ?", (call_id,))
    connection.execute("DELETE FROM recent_pieces WHERE call_id = ?", (call_id,))


def delete_others(connection: Connection) -> None:
    """Delete the pieces of calls that are not live."""
    for table in ("journal", "recent_pieces"):
        connection.execute(f"DELETE FROM {table} WHERE call_id NOT IN (SELECT id FROM live_calls)")  # noqa: S608
