"""Each test that takes an `engine` runs on every kind of database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.store.engines import Engine, PostgresqlEngine, SqliteEngine
from tests.store.postgresql.server import PostgresqlServer


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            yield SqliteEngine(tmp_path, stack)
        else:
            server: PostgresqlServer = request.getfixturevalue("postgresql")
            yield PostgresqlEngine(server.new_database(), stack)
