"""A database of each kind, for tests that hold for every store."""

import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import asyncpg

from runner.model.job import Job, JobKind
from runner.model.record import CallRecord
from runner.store.opening import open_store
from runner.store.store import Store


class Engine:
    """One empty database. Stores that are opened are closed with the `stack`."""

    is_shared = False
    """Whether several processes may serve calls over it at a time."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    async def open(self) -> Store:
        store = await open_store(self.url)
        self._stack.push_async_callback(store.close)
        return store

    async def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement behind the store's back."""
        raise NotImplementedError


class SqliteEngine(Engine):
    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.path = folder / "calls.db"
        super().__init__(f"sqlite:{self.path}", stack)

    async def run(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(sql).fetchall()


class PostgresqlEngine(Engine):
    is_shared = True

    async def run(self, sql: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()


def call_record(call_id: str = "rtc_1", **fields: Any) -> CallRecord:
    return CallRecord(
        **{
            "id": call_id,
            "agent": "desk",
            "route": None,
            "why": "",
            "caller": None,
            "called": None,
            "transport": "sip",
            "created_at": 0.0,
            **fields,
        }
    )


def delivery(**fields: Any) -> Job:
    """A job after the call of `call_record`."""
    return Job(
        **{
            "id": "a",
            "call_id": "rtc_1",
            "kind": JobKind.DELIVERY,
            "receiver": "crm.example",
            "created_at": 1.0,
            "due_at": 2.0,
            "work": {"http": {}},
            **fields,
        }
    )
