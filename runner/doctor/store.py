"""Checks the store without a change: no file is created, no table is altered."""

import asyncio
import fcntl
import os
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic
from urllib.parse import quote, urlsplit

from runner.doctor.finding import Finding
from runner.store.migrations import migrations
from runner.store.sqlite.database import APPLICATION_ID
from runner.store.url import without_password

LEAST_FREE_BYTES = 1 << 30
CHECK_S = 5.0
CONNECT_S = 5.0
SLOW_S = 0.05
"""Between a runner and its PostgreSQL: each answer waits for a claim."""
SUBJECT = "store"


async def examine_store(url: str) -> Finding:
    """The findings about the store at this URL."""
    scheme, _, path = url.partition(":")
    match scheme:
        case "sqlite" if path == ":memory:":
            return Finding.warning(
                SUBJECT, "records are lost when the process ends", "name a file, such as sqlite:calls.db"
            )
        case "sqlite":
            return await asyncio.to_thread(sqlite_finding, path)
        case "postgresql" | "postgres":
            return await _postgresql_finding(url)
        case _:
            return Finding.error(
                SUBJECT,
                f'a store of the kind "{scheme}" is not supported',
                'write "sqlite:calls.db" or "postgresql://…"',
            )


def sqlite_finding(path: str) -> Finding:
    """The finding about a file, or about the place where it would be created."""
    shown = f"sqlite:{path}"
    try:
        return _of_path(shown, path)
    except OSError as error:
        return Finding.error(SUBJECT, f"{shown}: {str(error.strerror).lower()}", "name another file")


def _of_path(shown: str, path: str) -> Finding:
    file = Path(path)
    folder = file.parent
    if not folder.is_dir():
        return Finding.error(
            SUBJECT, f'{shown}: "{folder}" is not a directory', "make it, or name another file"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding.error(
            SUBJECT,
            f'{shown}: no file can be made in "{folder}", and SQLite needs one beside its own',
            "let the runner's user write there, or name a file elsewhere",
        )
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        return Finding.warning(
            SUBJECT,
            f"{shown}: {free >> 20} MiB are left on its disk",
            "make room; records.keep in runner.yaml deletes old records",
        )
    if not file.exists():
        return Finding.ok(SUBJECT, f"{shown} will be made at the first start")
    if not os.access(file, os.R_OK | os.W_OK):
        return Finding.error(
            SUBJECT, f"{shown} may not be written by this user", "let the runner's user read and write it"
        )
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1.0)) as connection:
            return _of_file(connection, shown, path)
    except sqlite3.Error as error:
        return Finding.error(
            SUBJECT, f"{shown} cannot be read: {error}", "name another file, or restore a backup"
        )


def _of_file(connection: sqlite3.Connection, shown: str, path: str) -> Finding:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if tables and application != APPLICATION_ID:
        return Finding.error(SUBJECT, f"{shown} is the database of another program", "name another file")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    known = migrations("runner.store.sqlite")[-1].version
    if version > known:
        return _newer(shown, version, known)
    deadline = monotonic() + CHECK_S
    connection.set_progress_handler(lambda: monotonic() > deadline, 100_000)
    try:
        result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        result = "ok"  # too large to be checked as a whole
    if result != "ok":
        first = str(result).splitlines()[0]
        return Finding.error(SUBJECT, f"{shown} is damaged ({first})", "restore a backup, or move it away")
    owner = _owner(path)
    return Finding.ok(
        SUBJECT, shown if owner is None else f"{shown}, used by a live runner (process {owner})"
    )


def _owner(path: str) -> str | None:
    """The process that serves calls over this file, if one does."""
    try:
        with Path(f"{path}.lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read(20).decode(errors="replace").strip()
    except OSError:
        return None
    return None


async def _postgresql_finding(url: str) -> Finding:
    import asyncpg  # noqa: PLC0415 - most who have no PostgreSQL do without it

    shown, host = without_password(url), urlsplit(url).hostname or ""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S, statement_cache_size=0)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        return Finding.error(
            SUBJECT,
            f"{shown} refuses the user: {_words(error)}",
            "is the user right, and the password (in the address, or in PGPASSWORD)?",
        )
    except asyncpg.InvalidCatalogNameError as error:
        return Finding.error(SUBJECT, f"{shown}: {_words(error)}", "make the database: createdb NAME")
    except asyncpg.TooManyConnectionsError as error:
        return Finding.error(
            SUBJECT,
            f"{shown}: {_words(error)}",
            "each runner takes up to 8 connections: raise max_connections",
        )
    except socket.gaierror as error:
        return Finding.error(
            SUBJECT, f'{shown}: the name "{host}" is not known ({_words(error)})', "is it right?"
        )
    except TimeoutError:
        return Finding.error(
            SUBJECT, f"{shown} does not answer in {CONNECT_S:g} s", "does a firewall drop connections?"
        )
    except ConnectionRefusedError:
        return Finding.error(
            SUBJECT, f"{shown} refuses connections", "is the server up, and are host and port right?"
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        return Finding.error(
            SUBJECT,
            f"{shown} cannot be reached: {_words(error)}",
            "is the server up, and are host and port right?",
        )
    try:
        return await _of_database(connection, shown, host)
    except asyncpg.PostgresError as error:
        return Finding.error(SUBJECT, f"{shown} cannot be used: {_words(error)}", "see the server's log")
    finally:
        await connection.close(timeout=CONNECT_S)


async def _of_database(connection: object, shown: str, host: str) -> Finding:
    fetch = connection.fetchval  # type: ignore[attr-defined] # asyncpg has no types
    if await fetch("SELECT pg_is_in_recovery()"):
        return Finding.error(SUBJECT, f"{shown} is a standby, which takes no writes", "name the primary")
    table = "phone_agents_schema"
    version = 0
    if await fetch("SELECT to_regclass($1)", table) is not None:
        version = await fetch(f"SELECT max(version) FROM {table}") or 0  # noqa: S608 - our own name
    known = migrations("runner.store.postgresql")[-1].version
    if version > known + 1:
        return _newer(shown, version, known)
    may_create = await fetch("SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')")
    if version < known and not may_create:
        return Finding.error(
            SUBJECT,
            f"{shown}: the user may make no tables, and some are still to be made",
            "grant it: GRANT CREATE ON SCHEMA public TO …",
        )
    began = monotonic()
    await fetch("SELECT 1")
    took_s = monotonic() - began
    if took_s > SLOW_S:
        return Finding.warning(
            SUBJECT,
            f"{shown} answers in {took_s * 1000:.0f} ms, and a call is claimed there before it is answered",
            "run it nearer to the runners",
        )
    is_encrypted = await fetch("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    if not is_encrypted and not host.startswith("/") and host not in {"", "localhost", "127.0.0.1", "::1"}:
        return Finding.warning(
            SUBJECT,
            f"{shown}: the connection is not encrypted, and records travel over it",
            "end the address with ?sslmode=verify-full",
        )
    return Finding.ok(SUBJECT, f"{shown}, {took_s * 1000:.0f} ms")


def _newer(shown: str, version: int, known: int) -> Finding:
    return Finding.error(
        SUBJECT,
        f"{shown} was written by a newer phone-agents (schema {version}, this one knows {known})",
        "use that one, or name another store",
    )


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return (str(error) or type(error).__name__).split("\n", 1)[0]
