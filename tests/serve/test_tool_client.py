"""The tool client against real servers on this machine."""

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from runner import __version__
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.settings import Egress
from runner.serve.egress import GuardedConnector
from runner.serve.metrics import Metrics
from runner.serve.tool_client import MOST_HOSTS, ToolClient
from tests.patience import PATIENCE_S
from tests.serve.lag import again_if_late, no_lag
from tests.serve.tool_endpoints import LOOPBACK, get, saying, served, spoken


@pytest.fixture
async def client() -> AsyncIterator[ToolClient]:
    async with ToolClient(GuardedConnector(LOOPBACK)) as client:
        yield client


async def test_a_reply_comes_back_whole(client: ToolClient) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"slots": []}, status=201)

    async with served(answer) as base:
        reply = await client.send(get(base))
    assert reply.took_s > 0
    assert reply == HttpReply(
        status=201,
        body=b'{"slots": []}',
        content_type="application/json; charset=utf-8",
        took_s=reply.took_s,
    )


async def test_a_request_is_sent_exactly_as_it_was_built(client: ToolClient) -> None:
    seen: list[tuple[str, str, list[tuple[str, str]], bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        headers = [(name, value) for name, value in request.headers.items() if name.startswith("X-")]
        seen.append((request.method, request.raw_path, headers, await request.read()))
        return web.Response()

    target = "/a%2Fb/%7Ec/../d;x=1//e?q=%20+%2B&q=&%41=ü".replace("ü", "%C3%BC")
    async with served(answer) as base:
        await client.send(
            HttpRequest(
                method="PATCH",
                url=base + target,
                headers=(("X-Call-Id", "rtc_1"), ("X-Many", "1"), ("X-Many", "2")),
                body=b"\x00raw",
            )
        )
    assert seen == [("PATCH", target, [("X-Call-Id", "rtc_1"), ("X-Many", "1"), ("X-Many", "2")], b"\x00raw")]


async def test_a_body_without_a_declared_type_gets_none(client: ToolClient) -> None:
    types: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        types.append(request.headers.get("Content-Type"))
        return web.Response()

    async with served(answer) as base:
        await client.send(HttpRequest(method="POST", url=base, body=b"x"))
    assert types == [None]


async def test_the_user_agent_is_ours_unless_the_request_has_its_own(client: ToolClient) -> None:
    agents: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        agents.append(request.headers["User-Agent"])
        return web.Response()

    async with served(answer) as base:
        await client.send(get(base))
        await client.send(get(base, headers=(("user-agent", "maple/1"),)))
    assert agents == [f"phone-agents/{__version__}", "maple/1"]


async def test_a_redirect_is_a_reply_and_is_not_followed(client: ToolClient) -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with served(answer) as base:
        reply = await client.send(get(f"{base}/here"))
    assert (reply.status, reply.failure, paths) == (307, None, ["/here"])


async def test_the_connection_is_kept_for_the_next_request(client: ToolClient) -> None:
    peers: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    async with served(answer) as base:
        await client.send(get(base))
        await client.send(get(base))
    assert len(peers) == 1


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="direct")

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pytest.fail("the proxy was asked")

    async with served(answer) as base, spoken(refuse) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name)
        async with ToolClient(GuardedConnector(LOOPBACK)) as client:
            reply = await client.send(get(base))
    assert reply.body == b"direct"


async def test_a_server_that_never_replies_is_a_timeout(client: ToolClient) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with spoken(hang) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}/?token=hidden", timeout_s=0.05))
    assert (reply.failure, reply.detail) == (Failure.TIMEOUT, "no complete reply within 0.05 s")
    assert 0.05 <= reply.took_s < PATIENCE_S


async def test_a_body_that_trickles_is_a_timeout_too(client: ToolClient) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        await reader.read()

    async with spoken(trickle) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}", timeout_s=0.05))
    assert (reply.status, reply.failure, reply.body) == (None, Failure.TIMEOUT, b"")


async def test_a_refused_connection_names_host_and_port_only(client: ToolClient) -> None:
    async with spoken(saying(b"")) as port:
        pass
    reply = await client.send(get(f"http://127.0.0.1:{port}/slots?token=hidden"))
    assert (reply.failure, reply.detail) == (
        Failure.CONNECTION,
        f'no connection to "127.0.0.1" port {port}: connection refused',
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_request_is_sent_once_even_when_the_connection_breaks(
    client: ToolClient, method: str
) -> None:
    seen: list[bytes] = []

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))

    async with spoken(leave) as port:
        reply = await client.send(HttpRequest(method=method, url=f"http://127.0.0.1:{port}"))
    assert (reply.failure, reply.detail) == (Failure.BROKEN, "the connection was closed before a reply")
    assert len(seen) == 1


async def test_a_connection_that_is_reset_is_told_as_broken(client: ToolClient) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        no_linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)

    async with spoken(reset) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (reply.failure, reply.detail) == (
        Failure.BROKEN,
        "the connection broke: connection reset by peer",
    )


async def test_a_request_that_is_no_http_never_raises(client: ToolClient) -> None:
    broken = (
        get("nonsense"),
        get("ftp://127.0.0.1/"),
        get("http://"),
        get("http://127.0.0.1:99999/"),
        get("http://[::1/"),
        get("http://\ud800.example/"),
        get("http://exa mple/"),
        get("http://127.0.0.1/", headers=(("X-A", "1\r\nX-B: 2"),)),
        HttpRequest(method="GET / HTTP/1.1\r\nX: ", url="http://127.0.0.1:1/"),
        get("http://ada:hidden@127.0.0.1/", headers=(("Authorization", "Bearer hidden"),)),
    )
    for request in broken:
        reply = await client.send(request)
        assert reply.failure in {Failure.CONNECTION, Failure.FORBIDDEN}, request
        assert reply.detail
        assert "hidden" not in reply.detail


async def test_cancelling_the_attempt_cancels_it_and_lets_go_of_the_connection(client: ToolClient) -> None:
    asked = asyncio.Event()
    gone = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        gone.set()

    async with spoken(hang) as port:
        attempt = asyncio.create_task(client.send(get(f"http://127.0.0.1:{port}")))
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await asyncio.wait_for(gone.wait(), PATIENCE_S)


@again_if_late
async def test_hosts_that_hang_leave_places_to_the_others_and_waiting_counts_as_time() -> None:
    connections: Counter[str] = Counter()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections[writer.get_extra_info("sockname")[0]] += 1
        await reader.read()
        writer.close()

    metrics = Metrics()
    async with AsyncExitStack() as stack:
        hanging = await stack.enter_async_context(await asyncio.start_server(hang, "0.0.0.0", 0))
        port = hanging.sockets[0].getsockname()[1]
        fine = await stack.enter_async_context(
            spoken(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        )
        connector = GuardedConnector(Egress(private_networks=True))
        client = await stack.enter_async_context(ToolClient(connector, places=25, metrics=metrics))
        hosts = [f"127.0.0.{number}" for number in range(2, 6)]
        requests = [get(f"http://{host}:{port}", timeout_s=2) for _ in range(25) for host in hosts]
        replies = asyncio.gather(*map(client.send, requests))
        async with asyncio.timeout(PATIENCE_S):
            while connections.total() < 20:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
        async with no_lag():
            served = await client.send(get(f"http://127.0.0.1:{fine}"))
        assert (served.status, connections) == (200, dict.fromkeys(hosts, 5))
        text = metrics.text().decode()
        assert f'phone_agents_endpoint_requests{{host="127.0.0.2:{port}"}} 5.0' in text
        assert f'phone_agents_endpoint_waits_total{{host="127.0.0.2:{port}"}} 20.0' in text
        ends = Counter((reply.failure, reply.detail) for reply in await replies)
        assert ends[(Failure.TIMEOUT, "no complete reply within 2 s")] >= 20
        assert ends[(Failure.TIMEOUT, f'too many requests to "127.0.0.2:{port}" are under way')] >= 1
        text = metrics.text().decode()
        assert f'phone_agents_endpoint_seconds_count{{host="127.0.0.1:{fine}",result="2xx"}} 1.0' in text
        assert f'phone_agents_endpoint_seconds_count{{host="127.0.0.2:{port}",result="timeout"}} 25.0' in text


async def test_hosts_that_templates_make_up_do_not_fill_the_metrics() -> None:
    metrics = Metrics()
    async with ToolClient(GuardedConnector(Egress()), metrics=metrics) as client:
        for number in range(MOST_HOSTS + 20):
            await client.send(get(f"http://127.0.0.1:{number + 1}/"))
    counts = [line for line in metrics.text().decode().splitlines() if "endpoint_seconds_count" in line]
    assert len(counts) == MOST_HOSTS + 1
    assert 'phone_agents_endpoint_seconds_count{host="other",result="forbidden"} 20.0' in counts


@pytest.fixture
def self_signed() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parent / "self_signed.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(
    client: ToolClient, self_signed: ssl.SSLContext
) -> None:
    async with spoken(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), tls=self_signed) as port:
        reply = await client.send(get(f"https://127.0.0.1:{port}/?token=hidden"))
    assert (reply.failure, reply.detail) == (
        Failure.CONNECTION,
        'the certificate of "127.0.0.1" is not accepted: self-signed certificate',
    )


async def test_a_plain_server_at_an_https_address_is_a_failed_connection(client: ToolClient) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with spoken(answer) as port:
        reply = await client.send(get(f"https://127.0.0.1:{port}/?token=hidden"))
    assert (reply.failure, reply.detail) == (
        Failure.CONNECTION,
        'TLS with "127.0.0.1" failed: WRONG_VERSION_NUMBER',
    )


@asynccontextmanager
async def played(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], path: str
) -> AsyncIterator[ToolClient]:
    """A client for which one local server plays every host."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    async with ToolClient(aiohttp.UnixConnector(path)) as client:
        yield client
    await runner.cleanup()


async def test_one_local_server_can_play_every_host(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    async with played(answer, str(tmp_path / "s")) as client:
        replies = [
            await client.send(get(url)) for url in ("https://api.maple.example/slots", "http://10.0.0.1:81/x")
        ]
    assert [reply.body for reply in replies] == [b"api.maple.example", b"10.0.0.1:81"]


async def test_no_cookie_is_kept(tmp_path: Path) -> None:
    cookies: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "caller=ada"})

    async with played(answer, str(tmp_path / "s")) as client:
        await client.send(get("https://api.maple.example/"))
        await client.send(get("https://api.maple.example/"))
    assert cookies == [None, None]


async def test_a_local_server_that_is_not_there_is_a_failed_connection(tmp_path: Path) -> None:
    async with ToolClient(aiohttp.UnixConnector(str(tmp_path / "none"))) as client:
        reply = await client.send(get("https://api.maple.example/slots"))
    assert (reply.failure, reply.detail) == (
        Failure.CONNECTION,
        'no connection to "api.maple.example" port 443: no such file or directory',
    )
