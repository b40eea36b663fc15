"""Every bound: what is beyond it is refused as documented, and a neighbour's call is served meanwhile."""

import asyncio
import traceback
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.serve.bounds.rows import (  # noqa: F401 - they declare rows
    admin,
    afterwards,
    answering,
    browser,
    connections,
    during,
    log,
    reloading,
    requests,
    sideband,
    tls,
    tools,
)
from tests.serve.bounds.service import Service
from tests.serve.bounds.serving import serving
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


@pytest.mark.chaos
async def test_whoever_takes_too_long_harms_no_neighbour(service: Service) -> None:
    async with service.serves_neighbour():
        ends = await asyncio.gather(*(row.send(service) for row in WAITING), return_exceptions=True)
    failed = {row.name: end for row, end in zip(WAITING, ends, strict=True) if end is not None}
    for error in failed.values():
        traceback.print_exception(error)
    assert failed == {}
