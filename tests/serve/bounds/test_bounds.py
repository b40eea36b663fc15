"""Every bound: what is beyond it is refused as documented, and a neighbour's call is served meanwhile."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

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
from tests.serve.bounds.service import LoopHeldError, Service
from tests.serve.bounds.serving import serving
from tests.serve.bounds.table import ATTEMPTS, TABLE, WAITING, Row, Send

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="service")
async def _service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with serving(tmp_path_factory.mktemp("bounds")) as service:
        yield service


async def holds_no_loop(service: Service, directory: Path, send: Send) -> None:
    """Send this, and again to a fresh runner where the loop was held: see `ATTEMPTS`."""
    for attempt in range(ATTEMPTS):
        async with AsyncExitStack() as stack:
            if attempt:
                folder = directory / str(attempt)
                folder.mkdir()
                service = await stack.enter_async_context(serving(folder))
            try:
                async with service.serves_neighbour():
                    await send(service)
                return
            except LoopHeldError:
                if attempt == ATTEMPTS - 1:
                    raise


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
async def test_what_is_beyond_a_bound_harms_no_neighbour(service: Service, row: Row, tmp_path: Path) -> None:
    await holds_no_loop(service, tmp_path, row.send)


@pytest.mark.chaos
async def test_whoever_takes_too_long_harms_no_neighbour(service: Service, tmp_path: Path) -> None:
    await holds_no_loop(service, tmp_path, take_too_long)


async def take_too_long(service: Service) -> None:
    """Play all rows that wait."""
    ends = await asyncio.gather(*(row.send(service) for row in WAITING), return_exceptions=True)
    failed = {row.name: end for row, end in zip(WAITING, ends, strict=True) if end is not None}
    for error in failed.values():
        traceback.print_exception(error)
    assert failed == {}
