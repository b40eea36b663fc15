"""Pieces of journals in SQLite: written one behind the other, and moved to their calls many at a time.

The calls of one moment are all over the table `journal`, so a piece that is written there costs a page of its
own, in the write-ahead log and in the file: seven times what it costs at the end of a short table.
"""

from collections.abc import Sequence
from sqlite3 import Connection

from runner.store import rows
from runner.store.journal.sealed import SealedEntries

MOST_RECENT = 8_000
"""Pieces that wait to be moved: some seconds' of thousands of calls. To look through them for one call takes
a third of a millisecond.
"""
SHARE = 2_000
"""Pieces that are moved with one batch. All at once would take some tenths of a second, which whoever waits
for the store would wait too.
"""

_MOVE = """INSERT OR REPLACE INTO journal (call_id, first_seq, entries)
SELECT call_id, first_seq, entries FROM recent_pieces WHERE {} ORDER BY call_id, first_seq, id"""
_MOVE_ALL = _MOVE.format("TRUE")
_MOVE_SHARE = _MOVE.format("id <= ? AND call_id > ? AND call_id <= ?")


def write(connection: Connection, pieces: Sequence[SealedEntries]) -> None:
    """Write pieces, over those that are there, and move a share of older ones if there are many."""
    upto, moved, oldest, newest = connection.execute(
        """SELECT upto, moved, (SELECT min(id) FROM recent_pieces), (SELECT max(id) FROM recent_pieces)
        FROM moving"""
    ).fetchone()
    # SQLite would give the numbers of deleted pieces again, also those that are being moved.
    first = max(upto or 0, newest or 0) + 1
    connection.executemany(
        "INSERT INTO recent_pieces (id, call_id, first_seq, entries) VALUES (?, ?, ?, ?)",
        [
            (number, rows.column_text(piece.call_id), piece.first_seq, piece.entries)
            for number, piece in enumerate(pieces, first)
        ],
    )
    newest = first + len(pieces) - 1
    if upto is not None:
        _move_share(connection, upto, moved)
    elif oldest is not None and newest - oldest >= MOST_RECENT:
        connection.execute("UPDATE moving SET upto = ?, moved = ''", (newest,))


def move(connection: Connection) -> None:
    """Move the recent pieces to their calls. A piece that was written twice counts as it was written last."""
    connection.execute(_MOVE_ALL)
    connection.execute("DELETE FROM recent_pieces")
    connection.execute("UPDATE moving SET upto = NULL")


def _move_share(connection: Connection, upto: int, moved: str) -> None:
    """Move the pieces of the next calls by id, as they lie in the journal.

    All stay where they are as well until the last is moved: one that is moved twice is the same.
    """
    last = connection.execute(
        "SELECT call_id FROM recent_pieces WHERE id <= ? AND call_id > ? ORDER BY call_id LIMIT 1 OFFSET ?",
        (upto, moved, SHARE),
    ).fetchone()
    if last is not None:
        connection.execute(_MOVE_SHARE, (upto, moved, *last))
        connection.execute("UPDATE moving SET moved = ?", last)
        return
    connection.execute(_MOVE.format("id <= ? AND call_id > ?"), (upto, moved))
    connection.execute("DELETE FROM recent_pieces WHERE id <= ?", (upto,))
    connection.execute("UPDATE moving SET upto = NULL")


def read(connection: Connection, call_ids: Sequence[str]) -> dict[str, list[SealedEntries]]:
    """All pieces of these calls, in order."""
    move(connection)
    ids = {rows.column_text(call_id): call_id for call_id in call_ids}
    found = connection.execute(
        f"""SELECT call_id, first_seq, entries FROM journal
        WHERE call_id IN ({", ".join("?" * len(ids))}) ORDER BY call_id, first_seq""",  # noqa: S608
        list(ids),
    )
    journals: dict[str, list[SealedEntries]] = {}
    for stored_id, first_seq, entries in found:
        call_id = ids[stored_id]
        journals.setdefault(call_id, []).append(SealedEntries(call_id, first_seq, entries))
    return journals


def delete(connection: Connection, call_id: str) -> None:
    """Delete all pieces of a call."""
    connection.execute("DELETE FROM journal WHERE call_id = ?", (call_id,))
    connection.execute("DELETE FROM recent_pieces WHERE call_id = ?", (call_id,))


def delete_others(connection: Connection) -> None:
    """Delete the pieces of calls that are not live."""
    for table in ("journal", "recent_pieces"):
        connection.execute(f"DELETE FROM {table} WHERE call_id NOT IN (SELECT id FROM live_calls)")  # noqa: S608
