"""Opening sidebands at servers that mislead, stumble, and speak TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from websockets.frames import Close

from runner.api.port import Authentication
from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.serve.api_client import ApiClient
from runner.serve.api_connections import ApiConnections
from runner.serve.jitter import jittered
from runner.serve.sideband import LostBecause, SidebandLostError, Sidebands, check_close
from runner.serve.timeouts import Timeouts

TIMEOUTS = Timeouts(attach_delays_s=(0.0, 0.001), redial_delays_s=(0.001, 0.001))
CERTIFICATE = Path(__file__).with_name("self_signed.pem")
PATH = "/realtime?call_id=rtc_1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers everything so; its base URL."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def sidebands_at(
    base_url: str, timeouts: Timeouts = TIMEOUTS, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Sidebands]:
    client = ApiClient(
        ApiConnections(base_url),
        api=realtime,
        text_model=text_model,
        api_key=lambda: "secret",
        authentication=Authentication.by("api-key"),
        timeouts=timeouts,
    )
    yield Sidebands(client, timeouts, tls=tls)


async def told(sidebands: Sidebands, *, again: bool = False) -> tuple[LostBecause, str]:
    """Why there is no sideband."""
    with pytest.raises(SidebandLostError) as lost:
        await (sidebands.reattach(PATH, "rtc_1") if again else sidebands.attach(PATH))
    return lost.value.lost, str(lost.value)


async def test_a_sideband_is_opened_with_the_key() -> None:
    heard: list[Mapping[str, str]] = []

    async def greet(request: web.Request) -> web.StreamResponse:
        heard.append(request.headers)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(request.path_qs)
        return socket

    async with serving(greet) as url, sidebands_at(url) as sidebands:
        socket = await sidebands.attach(PATH)
        messages: asyncio.Queue[str | bytes] = asyncio.Queue()
        socket.listen(messages.put_nowait)
        assert await messages.get() == b"/v1/realtime?call_id=rtc_1"
        await socket.close()
    assert heard[0]["api-key"] == "secret"


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_redirect_is_a_refusal_and_the_key_goes_nowhere_else(scheme: str) -> None:
    heard: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        heard.append(request.headers.get("api-key"))
        return web.Response(status=404)

    async with serving(elsewhere) as target:

        async def redirect(_: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": target.replace("http", scheme, 1)})

        async with serving(redirect) as url, sidebands_at(url) as sidebands:
            assert await told(sidebands) == (
                LostBecause.UNREACHABLE,
                "the sideband was refused with status 302",
            )
    assert heard == []


async def test_an_api_that_takes_the_connection_and_says_nothing_has_lost_the_call() -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Future()
        raise AssertionError

    async with serving(hang) as url, sidebands_at(url, Timeouts(attach_s=0.1)) as sidebands:
        assert await told(sidebands) == (
            LostBecause.UNREACHABLE,
            "the sideband was not open 0.1 seconds after accept",
        )


@pytest.mark.parametrize(
    ("status", "again", "lost", "tries"),
    [
        (404, False, LostBecause.UNREACHABLE, 2),
        (404, True, LostBecause.GONE, 1),
        (401, False, LostBecause.UNREACHABLE, 1),
        (401, True, LostBecause.UNREACHABLE, 1),
        (429, True, LostBecause.UNREACHABLE, 2),
        (503, True, LostBecause.UNREACHABLE, 2),
    ],
)
async def test_a_refusal_that_may_pass_is_tried_again(
    status: int, again: bool, lost: LostBecause, tries: int
) -> None:
    tried = 0

    async def refuse(_: web.Request) -> web.StreamResponse:
        nonlocal tried
        tried += 1
        return web.Response(status=status)

    async with serving(refuse) as url, sidebands_at(url) as sidebands:
        assert (await told(sidebands, again=again))[0] is lost
    assert tried == tries


async def test_sidebands_that_were_lost_together_are_not_opened_together() -> None:
    loop = asyncio.get_running_loop()
    tried: list[float] = []

    async def refuse(_: web.Request) -> web.StreamResponse:
        tried.append(loop.time())
        return web.Response(status=503)

    late = max(range(100), key=lambda n: jittered(1.0, f"rtc_{n}", 0))
    async with serving(refuse) as url, sidebands_at(url, Timeouts(redial_delays_s=(0.1,))) as sidebands:
        began = loop.time()
        with pytest.raises(SidebandLostError):
            await sidebands.reattach(PATH, f"rtc_{late}")
    assert tried[0] - began >= 0.145


async def test_all_sidebands_share_the_tls_context_that_is_passed_in() -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    # No other context would trust this certificate.
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    trusting.check_hostname = False

    async def greet(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        return socket

    async with serving(greet, server) as url, sidebands_at(url, tls=trusting) as sidebands:
        for _ in range(2):
            await (await sidebands.attach(PATH)).close()


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4001])
def test_any_close_but_a_refusal_may_pass(code: int) -> None:
    check_close(Close(code, ""), lambda close_code: close_code == 4000)
    check_close(None, lambda _: True)


def test_a_close_by_which_the_api_refuses_us_is_told() -> None:
    with pytest.raises(SidebandLostError) as lost:
        check_close(Close(4000, "bad session"), lambda code: code == 4000)
    assert (lost.value.lost, str(lost.value)) == (
        LostBecause.UNREACHABLE,
        "the API closed the sideband with 4000 bad session",
    )
