"""Sidebands on the connections that have answered their calls, as the clients of a runner open them."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runner.model.action import HangUp
from runner.model.event import CallGone
from runner.serve import api_connections
from runner.serve.api_connection import ApiConnection
from runner.serve.clients import Clients
from runner.serve.head_first import HeadFirst
from runner.serve.timeouts import Timeouts
from tests.certificates import Authority
from tests.serve.test_clients import open_clients

PATH = "/realtime?call_id=rtc_1"
TIMEOUTS = Timeouts(attach_delays_s=(0.0, 0.001), sideband_upgrade_s=60.0)

Upgrade = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def _slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_connections, "FRESH_S", 60.0)


async def greet(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("hello")
    await socket.receive()
    return socket


async def say_nothing(request: web.Request) -> web.StreamResponse:
    await asyncio.Future()
    raise AssertionError


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def refuse(status: int) -> Upgrade:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    return answer


@dataclass(slots=True)
class Api:
    """Answers requests, and opens sidebands on connections of their own."""

    on_kept: Upgrade = greet
    """How it answers a sideband on a connection that has carried a request."""
    in_chunks: bool = False
    """Whether its replies name no length."""
    connections: list[asyncio.Transport] = field(default_factory=list)
    """In order of their first request."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """The method of each request, and the number of its connection."""
    base_url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        has_carried = request.transport in self.connections
        if not has_carried:
            self.connections.append(request.transport)
        self.asked.append((request.method, self.connections.index(request.transport)))
        if request.method == "POST":
            reply = web.Response(text="{}")
            if self.in_chunks:
                reply.enable_chunked_encoding()
            return reply
        return await (self.on_kept if has_carried else greet)(request)


@asynccontextmanager
async def opened(
    api: Api, *, authority: Authority | None = None, timeouts: Timeouts = TIMEOUTS
) -> AsyncIterator[Clients]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    tls = None if authority is None else authority.server()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    api.base_url = f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        async with AsyncExitStack() as owner:
            yield await open_clients(api.base_url, owner, timeouts)
    finally:
        await runner.cleanup()


async def call(clients: Clients) -> None:
    """One request, and a sideband on which the API greets."""
    assert await clients.api.carry_out(HangUp(), "rtc_1") == CallGone()
    socket = await clients.sidebands.attach(PATH)
    messages: asyncio.Queue[bytes] = asyncio.Queue()
    socket.listen(messages.put_nowait)
    assert await messages.get() == b"hello"
    await socket.close()


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_a_sideband_begins_on_the_connection_that_has_answered_its_call(in_chunks: bool) -> None:
    async with opened(api := Api(in_chunks=in_chunks)) as clients:
        for _ in range(2):
            await call(clients)
    assert api.asked == [("POST", 0), ("GET", 0), ("POST", 1), ("GET", 1)]


def _keeping(
    made: Callable[[Any, asyncio.BaseTransport], None], kept: list[weakref.ref[object]]
) -> Callable[[Any, asyncio.BaseTransport], None]:
    def seen(connection: Any, transport: asyncio.BaseTransport) -> None:
        kept.append(weakref.ref(connection))
        made(connection, transport)

    return seen


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_nothing_of_the_requests_on_it_waits_for_the_garbage_collector(
    monkeypatch: pytest.MonkeyPatch, in_chunks: bool
) -> None:
    kept: list[weakref.ref[object]] = []
    for protocol in (ApiConnection, HeadFirst):
        monkeypatch.setattr(protocol, "connection_made", _keeping(protocol.connection_made, kept))
    gc.disable()
    try:
        async with opened(Api(in_chunks=in_chunks)) as clients:
            await call(clients)
            assert {one() for one in kept} == {None}
    finally:
        gc.enable()


async def test_so_does_one_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with opened(api := Api(), authority=authority) as clients:
        await call(clients)
    assert api.asked == [("POST", 0), ("GET", 0)]


async def test_a_call_that_the_api_does_not_know_yet_is_asked_for_again_on_another_connection() -> None:
    async with opened(api := Api(on_kept=refuse(404))) as clients:
        for _ in range(2):
            await call(clients)
    assert api.asked == [("POST", 0), ("GET", 0), ("GET", 1), ("POST", 2), ("GET", 2), ("GET", 3)]


async def test_of_several_connections_that_are_kept_one_is_tried_for_a_call() -> None:
    async with opened(api := Api(on_kept=refuse(404))) as clients:
        async with asyncio.TaskGroup() as together:
            for _ in range(2):
                together.create_task(clients.api.carry_out(HangUp(), "rtc_0"))
        await (await clients.sidebands.attach(PATH)).close()
    (_, first), (_, second), *sidebands = api.asked
    assert {first, second} == {0, 1}
    assert [method for method, _ in sidebands] == ["GET", "GET"]
    assert sidebands[1] == ("GET", 2)


@pytest.mark.parametrize("on_kept", [refuse(400), refuse(426), refuse(503), say_nothing, cut])
async def test_an_api_that_opens_no_sideband_there_is_not_asked_to_again(on_kept: Upgrade) -> None:
    timeouts = replace(TIMEOUTS, sideband_upgrade_s=0.05) if on_kept is say_nothing else TIMEOUTS
    async with opened(api := Api(on_kept=on_kept), timeouts=timeouts) as clients:
        for _ in range(2):
            await call(clients)
    assert api.asked == [("POST", 0), ("GET", 0), ("GET", 1), ("POST", 2), ("GET", 3)]


async def test_a_connection_that_was_idle_carries_no_sideband(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_connections, "FRESH_S", 0.0)
    async with opened(api := Api()) as clients:
        await call(clients)
    assert api.asked == [("POST", 0), ("GET", 1)]
