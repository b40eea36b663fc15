"""`phone-agents run --workers`: several runners on one port and one PostgreSQL."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.server import StandIn
from tests.patience import PATIENCE_S
from tests.serve.fleet.test_pages import Caller, takes_browsers
from tests.serving import Desk
from tests.store.postgresql.server import PostgresqlServer

LONG_LEASES = """\
import sys
from runner.cli.main import main
from runner.serve.timeouts import Timeouts
Timeouts.__init__.__kwdefaults__["runner_lease_s"] = 1000.0
sys.exit(main())
"""
"""A program as it is, except that a lost runner keeps its calls for much longer than a test may take."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with StandIn() as api:
        yield Desk(api, tmp_path)


async def test_workers_share_a_port_and_take_over_the_calls_of_one_that_dies(
    desk: Desk, postgresql: PostgresqlServer
) -> None:
    takes_browsers(desk, store="{env: DATABASE_URL}")
    desk.environ["DATABASE_URL"] = postgresql.new_database()
    desk.program = (sys.executable, "-c", LONG_LEASES)
    async with (
        desk.run("--port", "0", "--workers", "2", "--log-format", "json") as workers,
        aiohttp.ClientSession() as session,
    ):
        url = await workers.started()
        page, from_browser = Caller(session), desk.api.expect_offer(greets())
        await page.call(url)
        # The kernel spreads connections over both: whichever is asked knows the call.
        assert [await page.tell(url, "connected") for _ in range(12)] == [204] * 12
        assert await page.tell(url, "hangup") == 204
        await desk.api.until_over(from_browser)
        calls = [(await desk.ring(url, greets()))[0] for _ in range(8)]
        await desk.api.until(
            lambda: all("output_audio_buffer.stopped" in call.sent_types() for call in calls)
        )
        # Where the kernel gave both some of the calls, or one all of them: this one has calls.
        os.kill(max(_children(workers.pid), key=_sockets), signal.SIGKILL)
        await workers.logged("worker has died")
        # The supervisor knows for certain that it is dead, so nobody waits for the end of its lease.
        await desk.api.until(lambda: any(call.attached == 2 for call in calls))
        await desk.api.until(lambda: all(call.is_attached for call in calls))
        for call in calls:
            call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
            desk.api.wake(call)
            await desk.api.until_over(call)
            assert call.violations == []
        workers.tell(signal.SIGTERM)
        code, _, _ = await workers.ended()
    assert code == 0


async def test_workers_that_are_stopped_together_serve_their_calls_to_the_end(
    desk: Desk, postgresql: PostgresqlServer
) -> None:
    desk.settings("server: {drain_timeout: 1h}", store="{env: DATABASE_URL}")
    desk.environ["DATABASE_URL"] = postgresql.new_database()
    desk.program = (sys.executable, "-c", LONG_LEASES)
    async with desk.run("--port", "0", "--workers", "2", "--log-format", "json") as workers:
        url = await workers.started()
        call, _ = await desk.ring(url, greets())
        await desk.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        idle = min(_children(workers.pid), key=_sockets)
        # The one with the call hands it to the other, which does not know yet that it ends as well.
        os.kill(idle, signal.SIGSTOP)
        workers.tell(signal.SIGTERM)
        await workers.logged("calls are handed over")
        async with asyncio.timeout(PATIENCE_S):
            while _children(workers.pid) != [idle]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        os.kill(idle, signal.SIGCONT)
        await desk.api.until(lambda: call.attached == 2)
        call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
        desk.api.wake(call)
        await desk.api.until_over(call)
        assert call.violations == []
        code, _, _ = await workers.ended()
    assert code == 0


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _sockets(pid: int) -> int:
    """How many sockets a process holds open."""
    return sum(entry.is_socket() for entry in Path(f"/proc/{pid}/fd").iterdir())


async def test_what_keeps_workers_from_starting_ends_all_of_them(
    desk: Desk, postgresql: PostgresqlServer
) -> None:
    desk.settings(store="{env: DATABASE_URL}")
    desk.environ["DATABASE_URL"] = postgresql.new_database() + "&sslmode=nonsense"
    code, _, err = await desk.outcome("--workers", "2", "--port", "0")
    assert code == 3
    assert "phone-agents run: store" in err
