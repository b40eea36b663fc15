"""Looks at a database to which somebody has connected, without a change."""

from dataclasses import dataclass
from time import monotonic
from typing import Any

from runner.store.migrations import migrations

TABLE = "phone_agents_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """What a database is, and what its user may do."""

    is_standby: bool
    version: int
    known: int
    """The newest version that this program knows."""
    may_create: bool
    """Whether the user may make tables."""
    took_s: float
    """How long it takes to answer."""
    is_encrypted: bool
    """Whether the connection is."""


async def state_of(connection: Any) -> DatabaseState:
    """What the database is. Raises asyncpg.PostgresError."""
    fetch = connection.fetchval
    version = 0
    if await fetch("SELECT to_regclass($1)", TABLE) is not None:
        version = await fetch(f"SELECT max(version) FROM {TABLE}") or 0  # noqa: S608 - our own name
    began = monotonic()
    await fetch("SELECT 1")
    took_s = monotonic() - began
    return DatabaseState(
        is_standby=await fetch("SELECT pg_is_in_recovery()"),
        version=version,
        known=migrations("runner.store.postgresql")[-1].version,
        may_create=await fetch("SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')"),
        took_s=took_s,
        is_encrypted=await fetch("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
    )
