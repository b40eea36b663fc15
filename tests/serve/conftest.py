"""What several tests of this folder use."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.serve.stage import Stage, stage


@pytest.fixture(name="stage")
async def _stage() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


@pytest.fixture
def nobody_listens() -> Iterator[socket.socket]:
    """A port of this machine that is taken, so that nobody else gets it, and that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound
