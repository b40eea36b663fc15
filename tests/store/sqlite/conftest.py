"""Here an `engine` is an SQLite file."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.store.engines import SqliteEngine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SqliteEngine]:
    async with AsyncExitStack() as stack:
        yield SqliteEngine(tmp_path, stack)
