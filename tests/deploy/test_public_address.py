"""The proxies that stand before a runner forward what is public, as it was sent, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from runner.call.examples.example_call import sip_headers
from runner.standin.script import CallerHangsUp, greets
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming
from tests.deploy.proxies import HEADERS_S, Proxy, caddy, nginx
from tests.patience import PATIENCE_S
from tests.serving import SECRET, Desk

pytestmark = pytest.mark.deploy
Started = Callable[[str, Path, int], AbstractAsyncContextManager[Proxy]]
PAGES = ("/talk.js", "/talk-page.js", "/talk.css")
RUNNERS_OWN = "not found\n"
"""What the runner says of a path that it does not have; a proxy says it in other words."""


class Public:
    """A runner behind a proxy, and somebody out there."""

    def __init__(self, desk: Desk, proxy: Proxy, session: aiohttp.ClientSession) -> None:
        self.desk = desk
        self.proxy = proxy
        self._session = session

    async def ask(self, method: str, path: str, **sent: object) -> tuple[int, str]:
        url = self.proxy.url + path
        async with self._session.request(method, url, **sent) as response:  # type: ignore[arg-type] # as aiohttp takes them
            return response.status, await response.text()


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
async def public(request: pytest.FixtureRequest, tmp_path: Path, held_port: int) -> AsyncIterator[Public]:
    async with served(request.param, tmp_path, held_port) as found:
        yield found


@asynccontextmanager
async def served(start: Started, folder: Path, port: int) -> AsyncIterator[Public]:
    (folder / "proxy").mkdir()
    async with StandIn() as api:
        desk = Desk(api, folder)
        async with (
            desk.run() as process,
            start(await process.started(), folder / "proxy", port) as proxy,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=proxy.trusted)) as session,
        ):
            yield Public(desk, proxy, session)


async def test_a_call_is_answered_through_it(public: Public) -> None:
    call = public.desk.api.place_call(greets(), CallerHangsUp())
    headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call.id)
    webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=time.time())
    answer = await public.ask("POST", "/webhooks/openai", data=webhook.body, headers=webhook.headers)
    assert answer == (200, "the call was accepted\n")
    async with asyncio.timeout(PATIENCE_S):
        while public.desk.ends() != {call.id: "caller_hung_up"}:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_health_and_what_browsers_need_are_forwarded(public: Public) -> None:
    assert await public.ask("GET", "/healthz") == (200, "alive\n")
    for path in ("/calls", "/calls/rtc_1/events", "/client-secrets", "/talk/front-desk", *PAGES):
        assert await public.ask("GET", path) == (404, RUNNERS_OWN), path


@pytest.mark.parametrize(
    "path",
    ["/", "/metrics", "/readyz", "/admin/calls", "/console", "/webhooks/openai/", "/healthz/", "/talks"],
)
async def test_everything_else_is_not_there(public: Public, path: str) -> None:
    status, told = await public.ask("GET", path)
    assert (status, told != RUNNERS_OWN) == (404, True)


async def test_a_webhook_is_posted_or_not_forwarded(public: Public) -> None:
    status, told = await public.ask("GET", "/webhooks/openai")
    assert status in {403, 404, 405}
    assert told != "method not allowed\n"


async def test_a_body_that_no_webhook_has_is_not_forwarded(public: Public) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 10_000

    refused_by_runner = (413, "the body is too large\n")
    answer = await public.ask("POST", "/webhooks/openai", data=b"x" * 300_000)
    if answer == refused_by_runner:
        # nginx refuses what is announced as too long. Caddy forwards the announcement, and counts what comes.
        answer = await public.ask("POST", "/webhooks/openai", data=pieces())
    assert answer != refused_by_runner
    assert answer[0] in {413, 502}, "which Caddy says while it has begun to forward"


async def test_a_head_that_never_ends_is_cut_off_by_the_proxy(public: Public) -> None:
    reader, writer = await asyncio.open_connection("localhost", public.proxy.port, ssl=public.proxy.trusted)
    writer.write(b"POST /webhooks/openai HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    began = time.monotonic()
    async with asyncio.timeout(HEADERS_S + PATIENCE_S):
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b""
    writer.close()
    assert answer == b"" or answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))
    assert time.monotonic() - began > HEADERS_S / 2
