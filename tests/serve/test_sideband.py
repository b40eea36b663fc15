"""The sideband's dialling against servers that mislead it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from runner.serve.sideband import Lost, SidebandLostError, attach
from runner.serve.timeouts import Timeouts

TIMEOUTS = Timeouts(attach_delays_s=(0.0, 0.001))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server that answers everything so; its `ws:` address."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/v1/realtime"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_redirect_is_a_refusal_and_the_key_goes_nowhere_else(scheme: str) -> None:
    heard: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        heard.append(request.headers.get("api-key"))
        return web.Response(status=404)

    async with serving(elsewhere) as target:

        async def redirect(_: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": target.replace("ws", scheme, 1)})

        async with serving(redirect) as url:
            with pytest.raises(SidebandLostError) as lost:
                await attach(url, {"api-key": "secret"}, TIMEOUTS)
    assert (lost.value.lost, str(lost.value)) == (
        Lost.UNREACHABLE,
        "the sideband was refused with status 302",
    )
    assert heard == []


async def test_an_api_that_takes_the_connection_and_says_nothing_has_lost_the_call() -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Future()
        raise AssertionError

    async with serving(hang) as url:
        with pytest.raises(SidebandLostError) as lost:
            await attach(url, {}, Timeouts(attach_s=0.1))
    assert (lost.value.lost, str(lost.value)) == (
        Lost.UNREACHABLE,
        "the sideband was not open 0.1 seconds after accept",
    )
