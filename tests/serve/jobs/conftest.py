"""A desk for jobs after calls."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runner.standin.server import StandIn
from runner.store.opening import open_store
from tests.serve.jobs.desk import Desk, Receiver, serving
from tests.standin.openai_types import client_complaint, server_complaint


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.chdir(tmp_path)
    receiver = Receiver()
    async with (
        StandIn(inspect_received=client_complaint, inspect_sent=server_complaint) as api,
        serving(receiver),
        AsyncExitStack() as stack,
    ):
        store = await open_store("sqlite:calls.db")
        stack.push_async_callback(store.close)
        yield Desk(store, api, receiver, stack)
    assert api.violations == []
