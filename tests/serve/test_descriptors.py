"""Descriptors are shared out, and a process that has few of them serves on under a crowd."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from runner.serve.descriptors import DescriptorShares
from runner.standin.placed_call import State
from runner.standin.script import greets
from runner.standin.server import StandIn
from tests.serving import Desk

FEW = 256
"""The hard limit of the process under test; it is started with a soft limit that is lower still."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with StandIn() as api:
        yield Desk(api, tmp_path)


@pytest.mark.parametrize("limit", [64, 256, 1024, 4096, 20_000, 1 << 20])
def test_the_shares_together_stay_below_the_limit_and_something_is_left_over(limit: int) -> None:
    shares = DescriptorShares.of(limit)
    used = shares.connections + shares.backlog + 2 * shares.tool_requests + 2 * shares.calls
    assert limit - used >= min(256, limit // 8)
    assert min(shares.connections, shares.backlog, shares.tool_requests) > 0
    assert 2 * shares.calls >= limit // 2


async def test_a_crowd_that_sends_nothing_keeps_no_call_from_being_answered_and_hung_up(desk: Desk) -> None:
    async with AsyncExitStack() as stack, desk.run("--port", "0", descriptors=(128, FEW)) as process:
        url = await process.started()
        port = int(url.rpartition(":")[2])
        live, status = await desk.ring(url, greets())
        assert status == 200
        await desk.api.until(lambda: live.attached)
        for number in range(2 * FEW):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(b"GET" if number % 2 else b"")
        another, status = await desk.ring(url, greets())
        assert status == 200
        await desk.api.until(lambda: another.attached)
        process.tell(signal.SIGTERM)
        await process.logged("draining")
        process.tell(signal.SIGTERM)
        code, _, err = await process.ended()
    assert code == 0
    assert [call.state for call in (live, another)] == [State.OVER, State.OVER]
    assert len(err) < 20_000
    assert '"level": "error"' not in err


async def test_calls_beyond_what_the_descriptors_carry_are_refused_and_the_others_end_well(
    desk: Desk,
) -> None:
    most = DescriptorShares.of(FEW).calls
    async with desk.run("--port", "0", descriptors=(128, FEW)) as process:
        url = await process.started()
        rung = [await desk.ring(url, greets()) for _ in range(most + 20)]
        answered = [call for call, status in rung if status == 200]
        assert sorted({status for _, status in rung}) == [200, 503]
        assert most <= len(answered) <= most + 1
        await desk.api.until(lambda: all(call.attached for call in answered))
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as response:
            assert (response.status, await response.text()) == (
                503,
                "not ready\nno descriptors are left for another call; raise the limit"
                " (ulimit -n, LimitNOFILE) or add a runner\n",
            )
        process.tell(signal.SIGTERM)
        await process.logged("draining")
        process.tell(signal.SIGTERM)
        code, _, err = await process.ended()
    assert code == 0
    assert {call.state for call in answered} == {State.OVER}
    assert set(desk.ends().values()) == {"shutdown"}
    assert '"level": "error"' not in err
