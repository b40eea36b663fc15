"""Looks at a database file that somebody has opened, without a change."""

import sqlite3
from dataclasses import dataclass
from time import monotonic

from runner.store.migrations import migrations

APPLICATION_ID = 0x70616773
"""Marks the file as ours among all SQLite files (PRAGMA application_id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """What a file is."""

    is_foreign: bool
    """Another program has made it."""
    version: int
    known: int
    """The newest version that this program knows."""


def state_of(connection: sqlite3.Connection) -> FileState:
    """What the file is. Raises sqlite3.Error."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return FileState(
        is_foreign=bool(application or version or tables) and application != APPLICATION_ID,
        version=version,
        known=migrations("runner.store.sqlite")[-1].version,
    )


def damage_of(connection: sqlite3.Connection, longest_s: float) -> str | None:
    """What is damaged in the file; None where nothing is, as far as it can be checked in this time.

    Raises sqlite3.Error.
    """
    deadline = monotonic() + longest_s
    connection.set_progress_handler(lambda: monotonic() > deadline, 100_000)
    try:
        result = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_INTERRUPT":
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)
    # The last line: a heading above it only names the database.
    return None if result == "ok" else result.splitlines()[-1]
