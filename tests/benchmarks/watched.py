"""What it costs a runner of 1,000 talking calls that somebody watches one of them.

The floor is the same process with the same calls while nobody watches, in turns.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import aiohttp

from tests.benchmarks.live_calls import Process
from tests.benchmarks.row import Row
from tests.benchmarks.under_load import ADMIN_TOKEN, Load, Side, serving

CALLS = 1000
SECONDS = 5.0
ROUNDS = 4
LIMIT = 1.10
ADMIN = ", admin: {port: 0, tokens: {benchmark: {env: ADMIN_TOKEN, may: watch}}}"


def rows() -> Iterable[Row]:
    """One row: an event while one call is watched, beside an event while none is."""
    with serving(tls=False, store="sqlite", admin=ADMIN) as (api, _, _, ours):
        watched, unwatched = asyncio.run(_measured(api, ours))
    name = f"event of {CALLS:,} calls, one watched, CPU"
    yield Row(name=name, ours=watched * 1e6, floor=unwatched * 1e6, unit="µs", limit=LIMIT)


async def _measured(api: Process, ours: Process) -> tuple[float, float]:
    """CPU seconds of an event, watched and not, the best round of each."""
    admin = ours.next_address().removesuffix("/console/")
    watched, unwatched = Side("ours", ours), Side("ours", ours)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        load = Load(api, None, session, CALLS)
        await load.ring_all(watched, CALLS)
        for _ in range(ROUNDS):
            await load.talk(unwatched, SECONDS)
            async with _watching(session, f"{admin}/admin/events", f"ours_{CALLS // 2}"):
                await load.talk(watched, SECONDS)
    return watched.event_s, unwatched.event_s


@asynccontextmanager
async def _watching(session: aiohttp.ClientSession, url: str, call_id: str) -> AsyncIterator[None]:
    """Read the stream of one call meanwhile."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with session.get(url, params={"call": call_id}, headers=headers) as stream:
        stream.raise_for_status()
        await stream.content.readline()
        reading = asyncio.create_task(_read(stream))
        try:
            yield
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


async def _read(stream: aiohttp.ClientResponse) -> None:
    async for _ in stream.content:
        pass
