"""Checks the store without a change: no file is created, no table is altered."""

import asyncio
import fcntl
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

from runner.doctor.finding import Finding, Topic
from runner.store.postgresql import inspection as postgresql
from runner.store.postgresql.inspection import DatabaseState
from runner.store.sqlite import inspection as sqlite
from runner.store.sqlite.lock import lock_of
from runner.store.sqlite.obstacle import obstacle_of
from runner.store.url import without_password

LEAST_FREE_BYTES = 1 << 30
CHECK_S = 5.0
CONNECT_S = 5.0
SLOW_S = 0.05
"""Between a runner and its PostgreSQL: each answer waits for a claim."""
STORE = Topic("store")


async def examine_store(url: str) -> Finding:
    scheme, _, path = url.partition(":")
    match scheme:
        case "sqlite" if path == ":memory:":
            return STORE.warning(
                "records are lost when the process ends", "name a file, such as sqlite:calls.db"
            )
        case "sqlite":
            return await asyncio.to_thread(sqlite_finding, path)
        case "postgresql" | "postgres":
            return await _postgresql_finding(url)
        case _:
            return STORE.error(
                f'a store of the kind "{scheme}" is not supported',
                'write "sqlite:calls.db" or "postgresql://…"',
            )


def sqlite_finding(path: str) -> Finding:
    """The finding about a file, or about the place where it would be created."""
    shown = f"sqlite:{path}"
    try:
        return _of_path(shown, path)
    except OSError as error:
        return STORE.error(f"{shown}: {str(error.strerror).lower()}", "name another file")


def _of_path(shown: str, path: str) -> Finding:
    file = Path(path)
    folder = file.parent
    if not path or path.startswith("//"):
        return STORE.error(f"{shown} names no file", "write sqlite:calls.db")
    if (obstacle := obstacle_of(path)) is not None:
        return STORE.error(f"{shown}: {obstacle.what}", obstacle.remedy)
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        return STORE.warning(
            f"{shown}: {free >> 20} MiB are left on its disk",
            "make room; records.keep in runner.yaml deletes old records",
        )
    if not file.exists():
        return STORE.ok(f"{shown} will be created at the first start")
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1.0)) as connection:
            return _of_file(connection, shown, path)
    except sqlite3.Error as error:
        return STORE.error(f"{shown} cannot be read: {error}", "name another file, or restore a backup")


def _of_file(connection: sqlite3.Connection, shown: str, path: str) -> Finding:
    state = sqlite.state_of(connection)
    if state.is_foreign:
        return STORE.error(f"{shown} is the database of another program", "name another file")
    if state.version > state.known:
        return _newer(shown, state.version, state.known)
    if damage := sqlite.damage_of(connection, CHECK_S):
        return STORE.error(f"{shown} is damaged ({damage})", "restore a backup, or move it away")
    owner = _owner(path)
    return STORE.ok(shown if owner is None else f"{shown}, used by a live runner (process {owner})")


def _owner(path: str) -> str | None:
    """The process that serves calls over this file, if one does."""
    try:
        with lock_of(path).open("rb") as lock:
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
        return STORE.error(
            f"{shown} refuses the user: {_words(error)}",
            "is the user right, and the password (in the address, or in PGPASSWORD)?",
        )
    except asyncpg.InvalidCatalogNameError as error:
        return STORE.error(f"{shown}: {_words(error)}", "create the database: createdb NAME")
    except asyncpg.TooManyConnectionsError as error:
        return STORE.error(
            f"{shown}: {_words(error)}", "each runner takes up to 8 connections: raise max_connections"
        )
    except socket.gaierror as error:
        return STORE.error(f'{shown}: the name "{host}" is not known ({_words(error)})', "is it right?")
    except TimeoutError:
        return STORE.error(f"{shown} does not answer in {CONNECT_S:g} s", "does a firewall drop connections?")
    except ConnectionRefusedError:
        return STORE.error(f"{shown} refuses connections", "is the server up, and are host and port right?")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        return STORE.error(
            f"{shown} cannot be reached: {_words(error)}", "is the server up, and are host and port right?"
        )
    try:
        return _of_database(await postgresql.state_of(connection), shown, host)
    except asyncpg.PostgresError as error:
        return STORE.error(f"{shown} cannot be used: {_words(error)}", "see the server's log")
    finally:
        await connection.close(timeout=CONNECT_S)


def _of_database(state: DatabaseState, shown: str, host: str) -> Finding:
    if state.is_standby:
        return STORE.error(f"{shown} is a standby, which takes no writes", "name the primary")
    if state.version > state.known + 1:
        return _newer(shown, state.version, state.known)
    if state.version < state.known and not state.may_create:
        return STORE.error(
            f"{shown}: the user may not create tables, and some are missing",
            "grant it: GRANT CREATE ON SCHEMA public TO …",
        )
    took_ms = f"{state.took_s * 1000:.0f} ms"
    if state.took_s > SLOW_S:
        return STORE.warning(
            f"{shown} answers in {took_ms}, and a call is claimed there before it is answered",
            "run it nearer to the runners",
        )
    is_near = host.startswith("/") or host in {"", "localhost", "127.0.0.1", "::1"}
    if not state.is_encrypted and not is_near:
        return STORE.warning(
            f"{shown}: the connection is not encrypted, and records travel over it",
            "end the address with ?sslmode=verify-full",
        )
    return STORE.ok(f"{shown}, {took_ms}")


def _newer(shown: str, version: int, known: int) -> Finding:
    return STORE.error(
        f"{shown} was written by a newer phone-agents (schema {version}, this one knows {known})",
        "use that one, or name another store",
    )


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return (str(error) or type(error).__name__).split("\n", 1)[0]
