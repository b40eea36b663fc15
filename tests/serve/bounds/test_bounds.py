"""Every bound: what is beyond it is refused as documented, and a neighbour's call is served meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.serve.bounds.rows import requests  # noqa: F401 - it declares rows
from tests.serve.bounds.service import Service, serving
from tests.serve.bounds.table import TABLE, WAITING, Row

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="service")
async def _service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with serving(tmp_path_factory.mktemp("bounds")) as service:
        yield service


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
async def test_what_is_beyond_a_bound_harms_no_neighbour(service: Service, row: Row) -> None:
    async with service.serves_neighbour():
        await row.send(service)


async def test_whoever_takes_too_long_harms_no_neighbour(service: Service) -> None:
    async with service.serves_neighbour(), asyncio.TaskGroup() as group:
        for row in WAITING:
            group.create_task(row.send(service), name=row.name)
