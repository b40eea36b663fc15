"""What other runners and a shared database do too late: a neighbour's call is served meanwhile."""

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest

from runner.standin.script import CallerHangsUp, greets
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.serving import hang, serving
from tests.serve.bounds.table import alone_beyond
from tests.store.postgresql.server import PostgresqlServer

SHARED = {
    **LOWERED,
    "serve.admin.calls.BETWEEN_S": 1.0,
    "serve.admin.peers.ASK_S": 0.5,
    "serve.fleet.service.HAND_OVER_S": 0.5,
    "serve.timeouts.after_call_s": 0.5,
    "serve.timeouts.close_s": 2.0,
    "serve.timeouts.end_s": 1.5,
    "serve.timeouts.heartbeat_s": 0.3,
    "serve.timeouts.runner_lease_s": 10.0,
    "serve.timeouts.save_s": 0.5,
    "store.postgresql.database.CONNECTIONS": 3,
}
RUNNER = """
    INSERT INTO runners (id, epoch, seen_at, asserted_at, lease_s, address, version, configuration)
    SELECT $1, 1, clock_timestamp(), clock_timestamp(), $2, $3, version, configuration FROM runners LIMIT 1
"""
CALL = """
    INSERT INTO live_calls (id, runner, fence, agent, state, configuration, began_at)
    SELECT 'rtc_away', 'away', 1, 'stranger', 'answered', configuration, 0 FROM runners LIMIT 1
"""
LEASE_S = 4.0


@pytest.mark.chaos
@alone_beyond(
    "serve.admin.calls.BETWEEN_S",
    "serve.admin.peers.ASK_S",
    "serve.fleet.service.HAND_OVER_S",
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
                await database.execute(RUNNER, "away", LEASE_S, f"{service.endpoint.url}/away")
                await database.execute(CALL)
                status, listed = await service.admin("GET", "calls")
                assert (status, listed["missing"]) == (200, ["away"])
                status, problem = await service.admin("POST", "calls/rtc_away/hush")
                assert (status, problem["reason"]) == (502, "runner-away")
                # Nobody has heard of that runner for as long as its lease: its call is taken over.
                await service.logged("journal is not replayed", call_id="rtc_away")
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
                await database.execute("LOCK TABLE live_calls")
                await service.ends(signal.SIGTERM, signal.SIGTERM)
            assert 0 < connections <= SHARED["store.postgresql.database.CONNECTIONS"]
            await service.logged("calls are not handed over")
        finally:
            await database.close()
    assert service.neighbour.call.is_over
