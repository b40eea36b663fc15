"""What several tests of this folder use."""

from collections.abc import AsyncIterator

import pytest

from tests.serve.stage import Stage, stage


@pytest.fixture(name="stage")
async def _stage() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made
