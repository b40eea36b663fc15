"""Bounds whose far side takes a runner of its own: few descriptors, no reader of the log, much at once."""

import asyncio
import signal
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web

from runner.standin.script import CallerSays, CallsTool, ScriptedResponse, greets
from tests.serve.bounds.configuration import COMPUTES, DELIVERS_OFTEN
from tests.serve.bounds.lowered import FOREVER_S, LOWERED
from tests.serve.bounds.rows.afterwards import gone, make_due
from tests.serve.bounds.rows.during import calls_fetch, greeted
from tests.serve.bounds.serving import hang, serving
from tests.serve.bounds.table import alone_beyond

pytestmark = pytest.mark.chaos
FEW = 128
"""Descriptors: for 16 connections, 8 requests of tools and 36 calls."""


@alone_beyond(
    "serve.descriptors.DescriptorShares.of", "serve.descriptors.PER_CALL", "serve.tool_client.PLACES"
)
async def test_more_of_everything_than_descriptors_carry_harms_no_neighbour(tmp_path: Path) -> None:
    async with serving(tmp_path, descriptors=FEW) as service, service.serves_neighbour():
        held = most_held = 0

        async def hold(request: web.Request) -> web.StreamResponse:
            nonlocal held, most_held
            held += 1
            most_held = max(most_held, held)
            try:
                return await hang(request)
            finally:
                held -= 1

        service.endpoint.handlers[""] = hold
        output = tuple(CallsTool(name="ask_host_2", arguments={}) for _ in range(20))
        asks, _ = await service.ring(
            greets(), CallerSays(text="All!"), ScriptedResponse(output=output), to=COMPUTES
        )
        await service.asked("", 4)
        evicted = 'phone_agents_http_connections_closed_total{reason="evicted"}'
        while await service.metric(evicted) < 20:
            for _ in range(40):
                await service.connect(b"GET")
        await service.neighbour.is_served()
        rung = [await service.ring(greets()) for _ in range(40)]
        refused = [call for call, status in rung if status == 503]
        assert len(refused) > 3
        assert all(call.requests == [] for call in refused)
        await service.neighbour.is_served()
        await service.until(lambda: len(asks.outputs()) == 20)
        assert most_held <= 8
        for call, status in rung:
            if status == 200:
                await service.hang_up(call)


@alone_beyond("serve.live_sideband.LONG_CHARS")
async def test_outputs_that_are_sent_again_harm_no_neighbour(tmp_path: Path) -> None:
    async def long(_: web.Request) -> web.Response:
        return web.Response(text="日" * 100_000)

    # A sideband that is not read stays open until the test cuts it.
    patient = {"serve.sideband_socket.MAX_UNSENT_BYTES": 1 << 26, "serve.timeouts.sideband_ping_s": FOREVER_S}
    async with serving(tmp_path, {**LOWERED, **patient}) as service:
        service.endpoint.handlers["parts"] = long
        call, _ = await service.ring(greets())
        await greeted(service, call)
        lost = service.wire.sidebands[call.id]
        lost.is_read.clear()
        names = {f"call_{number}" for number in range(120)}
        for name in names:
            await lost.say(calls_fetch("parts", name, "fetch_patiently"))
        await service.asked("parts", len(names))
        host = service.endpoint.url.removeprefix("http://")
        replied = f'phone_agents_endpoint_seconds_count{{host="{host}",result="2xx"}}'
        await service.counted(replied, len(service.endpoint.asked))
        async with service.serves_neighbour():
            lost.to_runner.transport.abort()
            await service.until(lambda: call.outputs().keys() == names)


@alone_beyond("serve.timeouts.send_s")
async def test_a_client_that_reads_no_answer_harms_no_neighbour(tmp_path: Path) -> None:
    lowered = {**LOWERED, "serve.timeouts.send_s": 1.5}
    async with serving(tmp_path, lowered) as service, service.serves_neighbour():
        get = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        _, writer = await service.connect(get * 400, port=service.admin_port, is_narrow=True)
        cast(asyncio.Transport, writer.transport).pause_reading()
        await service.counted('phone_agents_http_connections_closed_total{reason="stalled"}', 1)


UNREAD = {
    **LOWERED,
    "serve.log_folding.MOST_ALIKE": 100_000,
    "serve.log_handlers.MOST_WAITING": 50,
    "serve.timeouts.end_s": 5.0,
}


@alone_beyond("serve.log_handlers.MOST_WAITING", "serve.log_handlers.FLUSH_S")
async def test_a_log_that_nobody_reads_harms_no_neighbour(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREAD) as service:
        service.reads_log.clear()
        async with service.serves_neighbour():
            for _ in range(700):
                async with service.http.post(f"{service.url}/webhooks/elsewhere" + "/x" * 80) as response:
                    assert response.status == 404
        service.reads_log.set()
        assert (await service.logged("log lines dropped"))["count"] > 0
        service.reads_log.clear()
        for _ in range(700):
            async with service.http.post(f"{service.url}/webhooks/elsewhere" + "/x" * 80) as response:
                assert response.status == 404
        await service.ends(signal.SIGTERM, signal.SIGTERM)
    assert service.neighbour.call.is_over


@alone_beyond("call.afterwards.capacity.MOST_AT_ONCE")
async def test_many_jobs_that_are_due_at_once_harm_no_neighbour(tmp_path: Path) -> None:
    """Each has a long record."""
    lowered = {
        **LOWERED,
        "call.afterwards.capacity.MOST_AT_ONCE": 8,
        "call.afterwards.capacity.MOST_HELD": 512,
        "call.afterwards.capacity.MOST_PER_RECEIVER": 512,
        "serve.timeouts.lease_s": 60.0,
    }
    turns = ["On and on and on and on and on."] * 1_000
    async with serving(tmp_path, lowered) as service:
        service.endpoint.handlers["held"] = gone
        for _ in range(10):
            call, _ = await service.ring(greets(), to=DELIVERS_OFTEN)
            await greeted(service, call)
            await service.wire.sidebands[call.id].hear(*turns)
            await service.neighbour.is_served()
            await service.hang_up(call)
        parked = 'phone_agents_job_attempts_total{kind="delivery",result="parked"}'
        await service.counted(parked, 80)
        del service.endpoint.handlers["held"]
        async with service.serves_neighbour():
            await make_due(service, 80)
            await service.asked("held", 160)
