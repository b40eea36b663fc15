"""The pieces of all journals in SQLite, in one log: a row for each batch, whichever calls it is of.

A row for each piece, at its call's place, costs several times as much. A journal's first piece alone has such
a row, in `journal`. It has the key to the others, so deleting it deletes the journal; what is left of that in
the log nobody can read.

The log is cut at its old end twice as fast as it grows at the other, and pieces that a live call still needs
are written again. So it stays short while calls are short, and otherwise is at most about twice as long as
the journals of live calls.
"""

from collections.abc import Collection, Iterator, Sequence
from random import random
from sqlite3 import Connection
from typing import NamedTuple

import orjson

from runner.store import rows
from runner.store.journal.sealed import SealedEntries
from runner.store.sqlite.left_journals import LeftJournals

LEAST_BYTES = 64 * 1024 * 1024
"""A shorter log is not cut: calls of some minutes are over before their pieces would be written again."""
CUT = 2.0
"""Bytes that are cut off for each new one."""
REPLACED = """ON CONFLICT (call_id, first_seq) DO UPDATE SET
    since = CASE WHEN entries = excluded.entries THEN since ELSE excluded.since END,
    entries = excluded.entries"""
"""Of a row of `journal`: the same piece may come twice, after a timeout or once the claim is confirmed. Only
another one begins the journal anew.
"""


class _Logged(NamedTuple):
    """A piece in the log. `upto` is that of the row in which it was written first."""

    call_id: str
    first_seq: int
    upto: int
    entries: bytes


def write(connection: Connection, pieces: Sequence[SealedEntries]) -> None:
    """Write pieces. A piece that was written before is replaced."""
    first = [piece for piece in pieces if not piece.first_seq]
    if first:
        connection.executemany(
            f"""INSERT INTO journal (call_id, first_seq, entries, since)
            VALUES (?, 0, ?, coalesce((SELECT max(upto) FROM journal_log), 0)) {REPLACED}""",  # noqa: S608
            [(rows.column_text(piece.call_id), piece.entries) for piece in first],
        )
    others = [piece for piece in pieces if piece.first_seq] if first else pieces
    if not others:
        return
    # Without subqueries SQLite would find both at once by reading all rows.
    begin, end = connection.execute(
        "SELECT (SELECT min(upto) FROM journal_log), (SELECT max(upto) FROM journal_log)"
    ).fetchone()
    end = end or 0
    kept: list[_Logged] = []
    if begin is not None and end - begin > LEAST_BYTES:
        new_bytes = sum([len(piece.entries) for piece in others])
        kept = _cut(connection, end - LEAST_BYTES, CUT * new_bytes)
    # What is new has no number of its own: it is that of the row.
    names: list[tuple[str | int, ...]] = [
        (rows.column_text(piece.call_id), piece.first_seq, len(piece.entries)) for piece in others
    ]
    names += [(piece.call_id, piece.first_seq, len(piece.entries), piece.upto) for piece in kept]
    entries = b"".join([*[piece.entries for piece in others], *[piece.entries for piece in kept]])
    connection.execute(
        "INSERT INTO journal_log (upto, pieces, entries) VALUES (?, ?, ?)",
        (end + len(entries), orjson.dumps(names).decode(), entries),
    )


def read(connection: Connection, call_ids: Collection[str]) -> dict[str, list[SealedEntries]]:
    """The journals of these calls, each in order. Reads the whole log, so ask for many at once."""
    left = left_journals(connection, call_ids)
    return {call_id: journal for call_id in call_ids if (journal := left.take(call_id))}


def left_journals(connection: Connection, call_ids: Collection[str]) -> LeftJournals:
    """The same, each to be taken on its own."""
    left = LeftJournals(call_ids)
    stored = connection.execute(
        """SELECT call_id, first_seq, since, entries FROM journal
        WHERE call_id IN (SELECT value FROM json_each(?))""",
        (orjson.dumps([rows.column_text(call_id) for call_id in call_ids]).decode(),),
    )
    first_since = left.begin(stored)
    if first_since is not None:
        log = "SELECT upto, pieces, entries FROM journal_log WHERE upto > ? ORDER BY upto"
        for upto, names, entries in connection.execute(log, (first_since,)):
            left.add(upto, names, entries)
    return left


def delete(connection: Connection, call_id: str) -> None:
    connection.execute("DELETE FROM journal WHERE call_id = ?", (rows.column_text(call_id),))


def delete_others(connection: Connection) -> None:
    """Delete the journals of calls that are not live."""
    connection.execute("DELETE FROM journal WHERE call_id NOT IN (SELECT id FROM live_calls)")


def _cut(connection: Connection, until: int, most_bytes: float) -> list[_Logged]:
    """Delete about this many bytes of the oldest rows before `until`; returns their pieces that a live call
    still needs.
    """
    kept: list[_Logged] = []
    while True:
        row = connection.execute(
            "SELECT upto, pieces, entries FROM journal_log WHERE upto < ? ORDER BY upto LIMIT 1", (until,)
        ).fetchone()
        # A row that is ten times as long is cut off one time in ten.
        if row is None or random() * len(row[2]) >= most_bytes:  # noqa: S311 - a matter of chance alone
            return kept
        most_bytes -= len(row[2])
        kept += _needed(connection, *row)
        # Not overwritten, as other deleted data is: nobody has the keys of what is not kept.
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM journal_log WHERE upto = ?", row[:1])
        connection.execute("PRAGMA secure_delete = ON")


def _needed(connection: Connection, upto: int, names: str, entries: bytes) -> list[_Logged]:
    """The pieces of a row that belong to a journal whose first piece is there, and older."""
    since = dict(
        connection.execute(
            """SELECT call_id, since FROM journal
            WHERE first_seq = 0 AND call_id IN (SELECT json_extract(value, '$[0]') FROM json_each(?))""",
            (names,),
        )
    )
    if not since:
        return []
    return [
        piece for piece in _pieces(upto, names, entries) if piece.upto > since.get(piece.call_id, piece.upto)
    ]


def _pieces(upto: int, names: str, entries: bytes) -> Iterator[_Logged]:
    at = 0
    for call_id, first_seq, size, *first_upto in orjson.loads(names):
        yield _Logged(call_id, first_seq, first_upto[0] if first_upto else upto, entries[at : at + size])
        at += size
