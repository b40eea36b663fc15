"""What other runners and a shared database do too late: a neighbour's call is served meanwhile."""

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web

from runner.call.browser.token import BrowserToken
from runner.serve.browser.admission import call_id_for
from runner.standin.script import CallerHangsUp, greets
from tests.patience import PATIENCE_S
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.rows.browser import refused, stream, token
from tests.serve.bounds.rows.requests import rest
from tests.serve.bounds.serving import hang, serving
from tests.serve.bounds.table import alone_beyond
from tests.store.postgresql.server import PostgresqlServer

SHARED = {
    **LOWERED,
    "serve.admin.calls.BETWEEN_S": 1.0,
    "serve.admin.fleet_feed.FIRST_S": 0.5,
    "serve.admin.streams.BETWEEN_S": 1.0,
    "serve.browser.live_pages.BETWEEN_S": 1.0,
    "serve.fleet.kept_worlds.MOST_WORLDS": 2,
    "serve.fleet.kept_worlds.MOST_WORLD_BYTES": 1,
    "serve.fleet.service.HAND_OVER_S": 0.5,
    "serve.forwarding.ASK_S": 0.5,
    "serve.forwarding.QUIET_S": 0.5,
    "serve.timeouts.after_call_s": 0.5,
    "serve.timeouts.close_s": 2.0,
    "serve.timeouts.end_s": 4.0,
    "serve.timeouts.heartbeat_s": 0.3,
    "serve.timeouts.idle_s": 1.5,
    "serve.timeouts.runner_lease_s": 10.0,
    "serve.timeouts.save_s": 0.5,
    "store.postgresql.database.CONNECTIONS": 3,
}
RUNNER = """
    INSERT INTO runners
        (id, epoch, seen_at, asserted_at, lease_s, address, page_address, version, configuration)
    SELECT $1, 1, clock_timestamp(), clock_timestamp(), $2, $3, $3, version, configuration
    FROM runners LIMIT 1
"""
CALL = """
    INSERT INTO live_calls (id, runner, fence, agent, state, configuration, began_at)
    SELECT $2, $1, 1, 'stranger', 'answered', configuration, 0 FROM runners LIMIT 1
"""
OF_OTHER_CONFIGURATIONS = """
    WITH others AS (
        INSERT INTO configurations (hash, texts)
        SELECT 'other-' || number, texts FROM configurations, generate_series(1, 5) number RETURNING hash
    )
    INSERT INTO live_calls (id, runner, fence, agent, state, configuration, began_at)
    SELECT 'rtc_' || hash, $1, 1, 'stranger', 'answered', hash, 0 FROM others
"""
IS_OVER = "UPDATE runners SET seen_at = seen_at - make_interval(secs => lease_s) WHERE id = $1"


@pytest.mark.chaos
@alone_beyond(
    "serve.admin.calls.BETWEEN_S",
    "serve.fleet.kept_worlds.MOST_WORLDS",
    "serve.fleet.kept_worlds.MOST_WORLD_BYTES",
    "serve.fleet.service.HAND_OVER_S",
    "serve.forwarding.ASK_S",
    "serve.timeouts.heartbeat_s",
    "serve.timeouts.runner_lease_s",
    "store.postgresql.database.CONNECTIONS",
)
async def test_other_runners_that_hang_or_are_lost_harm_no_neighbour(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    url = postgresql.new_database()
    async with serving(tmp_path, SHARED, store=url) as service:
        database = await asyncpg.connect(url)
        try:
            async with service.serves_neighbour():
                for path in ("admin/calls", "admin/calls/rtc_away/hush"):
                    service.endpoint.handlers[f"away/{path}"] = hang
                await database.execute(RUNNER, "away", 600.0, f"{service.endpoint.url}/away")
                await database.execute(CALL, "away", "rtc_away")
                await database.execute(OF_OTHER_CONFIGURATIONS, "away")
                status, listed = await service.admin("GET", "calls")
                assert (status, listed["missing"]) == (200, ["away"])
                status, problem = await service.admin("POST", "calls/rtc_away/hush")
                assert (status, problem["reason"]) == (502, "runner-away")
                # Nobody has heard of that runner for as long as its lease: its call is taken over.
                await database.execute(IS_OVER, "away")
                for call_id in ("rtc_away", *(f"rtc_other-{number}" for number in range(1, 6))):
                    await service.logged("journal is not replayed", call_id=call_id)
                await asyncio.gather(*(service.play(greets(), CallerHangsUp()) for _ in range(10)))
                connections = await database.fetchval(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE pid != pg_backend_pid() AND backend_type = 'client backend'"
                )
                seen = "SELECT max(seen_at) FROM runners WHERE id != 'away'"
                before = await database.fetchval(seen)
                async with asyncio.timeout(30):
                    while await database.fetchval(seen) == before:  # noqa: ASYNC110 - a row tells nobody
                        await asyncio.sleep(0.05)
            await database.execute(RUNNER, "other", 600.0, None)
            async with database.transaction():
                await database.execute("LOCK TABLE live_calls, runners")
                await service.ends(signal.SIGTERM, signal.SIGTERM)
            assert 0 < connections <= SHARED["store.postgresql.database.CONNECTIONS"]
            await service.logged("calls are not handed over", error="no answer in time")
        finally:
            await database.close()
    assert service.neighbour.call.is_over


async def trickle(request: web.Request) -> web.StreamResponse:
    """Of one call nothing comes; of all calls a sign of life, and never which they are."""
    if "call" in request.query:
        return await hang(request)
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b":\n\n")
        await asyncio.sleep(SHARED["serve.forwarding.QUIET_S"] / 5)


@pytest.mark.chaos
@alone_beyond(
    "serve.admin.fleet_feed.FIRST_S",
    "serve.admin.streams.BETWEEN_S",
    "serve.browser.live_pages.BETWEEN_S",
    "serve.forwarding.ASK_S",
    "serve.forwarding.QUIET_S",
)
async def test_another_runner_that_hangs_harms_no_neighbour_of_its_readers(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    """A console and a page ask about calls that it has."""
    url = postgresql.new_database()
    page_call = call_id_for(BrowserToken(subject="page", id="t1", agents=("web",), expires_at=0.0))
    async with serving(tmp_path, SHARED, store=url) as service, service.serves_neighbour():
        database = await asyncpg.connect(url)
        try:
            service.endpoint.handlers["hangs/admin/events"] = trickle
            for path in (f"calls/{page_call}/hangup", f"calls/{page_call}/events"):
                service.endpoint.handlers[f"hangs/{path}"] = hang
            await database.execute(RUNNER, "hangs", 600.0, f"{service.endpoint.url}/hangs")
            for call_id in ("rtc_hangs", page_call):
                await database.execute(CALL, "hangs", call_id)
        finally:
            await database.close()
        everything, _ = await service.stream()
        one_call, _ = await service.stream("?call=rtc_hangs")
        page, _ = await stream(service, f"/calls/{page_call}", "page")
        assert await refused(service, f"/calls/{page_call}/hangup", bearer=token("page")) == (
            503,
            "whoever serves the call cannot be reached; try again in a while",
        )
        async with asyncio.timeout(PATIENCE_S):
            await everything.readuntil(b"event: snapshot\n")
        assert b"event: " not in await rest(one_call)
        assert (await rest(page)).startswith(b"HTTP/1.1 200 OK\r\n")
