"""Looks at a database file that somebody has opened, without a change."""

import sqlite3
from dataclasses import dataclass
from time import monotonic

from runner.store.migrations import migrations
from runner.store.sqlite.database import APPLICATION_ID


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
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return FileState(
        is_foreign=bool(tables) and application != APPLICATION_ID,
        version=connection.execute("PRAGMA user_version").fetchone()[0],
        known=migrations("runner.store.sqlite")[-1].version,
    )


def damage_of(connection: sqlite3.Connection, longest_s: float) -> str | None:
    """What is damaged in the file, as far as it can be checked in this time. Raises sqlite3.Error."""
    deadline = monotonic() + longest_s
    connection.set_progress_handler(lambda: monotonic() > deadline, 100_000)
    try:
        result = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        return None  # too large to be checked as a whole
    return None if result == "ok" else result.splitlines()[0]
