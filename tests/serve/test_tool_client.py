"""The tool client against real servers on this machine."""

import asyncio
import gzip
import socket
import ssl
import struct
import zlib
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
from runner.serve.reply_body import MAX_MEMBERS, MAX_REPLY_BYTES
from runner.serve.tool_client import MOST_HOSTS, ToolClient
from tests.patience import PATIENCE_S
from tests.serve.lag import no_lag

LOOPBACK = Egress(allow=("127.0.0.1",))
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def get(url: str, *, timeout_s: float = 10.0, headers: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    return HttpRequest(method="GET", url=url, timeout_s=timeout_s, headers=headers)


@pytest.fixture
async def client() -> AsyncIterator[ToolClient]:
    async with ToolClient(GuardedConnector(LOOPBACK)) as client:
        yield client


@asynccontextmanager
async def served(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """An aiohttp server that answers every path; its base address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def spoken(speak: Speak, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says exactly what `speak` writes; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await speak(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client may leave first
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(text: bytes) -> Speak:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    return speak


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
        async with ToolClient(GuardedConnector(LOOPBACK)) as client:
            reply = await client.send(get(base))
    assert reply.body == b"direct"


async def test_a_server_that_never_replies_is_a_timeout(client: ToolClient) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with spoken(hang) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}/?token=hidden", timeout_s=0.05))
    assert (reply.failure, reply.detail) == (Failure.TIMEOUT, "no complete reply within 0.05 s")
    assert 0.05 <= reply.took_s < 2


async def test_a_body_that_trickles_is_a_timeout_too(client: ToolClient) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        await reader.read()

    async with spoken(trickle) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}", timeout_s=0.05))
    assert (reply.status, reply.failure, reply.body) == (None, Failure.TIMEOUT, b"")


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "the reply was cut off or cannot be decoded",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "the reply was cut off or cannot be decoded",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            "the reply was cut off or cannot be decoded",
        ),
        (b"", "the connection was closed before a reply"),
        (b"HTTP/1.1 200", "the connection was closed before a reply"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the reply is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "the reply is not HTTP"),
    ],
)
async def test_a_broken_reply_is_a_failed_connection(client: ToolClient, text: bytes, detail: str) -> None:
    async with spoken(saying(text)) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}/slots?token=hidden"))
    assert (reply.status, reply.failure, reply.detail) == (None, Failure.CONNECTION, detail)


async def test_a_refused_connection_names_host_and_port_only(client: ToolClient) -> None:
    async with spoken(saying(b"")) as port:
        pass
    reply = await client.send(get(f"http://127.0.0.1:{port}/slots?token=hidden"))
    assert (reply.failure, reply.detail) == (
        Failure.CONNECTION,
        f'no connection to "127.0.0.1" port {port}: connection refused',
    )


async def test_a_reply_of_the_greatest_size_is_taken_and_one_byte_more_is_not(client: ToolClient) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.query["size"]))

    async with served(answer) as base:
        whole = await client.send(get(f"{base}/?size={MAX_REPLY_BYTES}"))
        more = await client.send(get(f"{base}/?size={MAX_REPLY_BYTES + 1}"))
    assert (whole.failure, len(whole.body)) == (None, MAX_REPLY_BYTES)
    assert (more.status, more.failure, more.body) == (200, Failure.TOO_LARGE, b"")
    assert more.detail == "the reply is longer than 1048576 bytes"


async def test_an_endless_reply_is_given_up(client: ToolClient) -> None:
    gone = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            gone.set()

    async with spoken(flood) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
        await asyncio.wait_for(gone.wait(), PATIENCE_S)
    assert reply.failure is Failure.TOO_LARGE


async def test_a_compressed_reply_is_unpacked(client: ToolClient) -> None:
    packed = gzip.compress(b'{"slots": []}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with spoken(saying(head.encode() + packed)) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert reply.body == b'{"slots": []}'


async def test_a_decompression_bomb_is_unpacked_no_further_than_the_limit(client: ToolClient) -> None:
    import tracemalloc

    packed = gzip.compress(bytes(256 * 1024 * 1024), compresslevel=1)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with spoken(saying(head + packed)) as port:
        tracemalloc.start()
        try:
            reply = await client.send(get(f"http://127.0.0.1:{port}"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert reply.failure is Failure.TOO_LARGE
    assert peak < 16 * MAX_REPLY_BYTES


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("flood", "size", "failure"),
    [
        (CHUNKED + b"1\r\na\r\n" * 200_000 + b"0\r\n\r\n", 200_000, None),
        (CHUNKED + b"1;" + b"a" * 500_000 + b"\r\na\r\n0\r\n\r\n", 1, None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 30_000 + b"HTTP/1.1 200 OK\r\n\r\na", 0, Failure.CONNECTION),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 9 + CHUNKED + b"1\r\na\r\n0\r\n\r\n", 1, None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 1_000_000, 1_000_000, None),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 100_000, 0, Failure.CONNECTION),
    ],
    ids=["tiny chunks", "long chunk head", "interim replies", "some hints", "until it is closed", "headers"],
)
async def test_a_reply_in_very_many_parts_holds_nobody_up(
    client: ToolClient, flood: bytes, size: int, failure: Failure | None
) -> None:
    async with spoken(saying(flood)) as port, no_lag(0.04):
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (len(reply.body), reply.failure) == (size, failure)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_request_is_sent_once_even_when_the_connection_breaks(
    client: ToolClient, method: str
) -> None:
    seen: list[bytes] = []

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))

    async with spoken(leave) as port:
        reply = await client.send(HttpRequest(method=method, url=f"http://127.0.0.1:{port}"))
    assert (reply.failure, reply.detail) == (Failure.CONNECTION, "the connection was closed before a reply")
    assert len(seen) == 1


async def test_a_connection_that_is_reset_is_a_failed_connection(client: ToolClient) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        no_linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)

    async with spoken(reset) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (reply.failure, reply.detail) == (
        Failure.CONNECTION,
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


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", 204, b""),
        (b"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n{}", 204, b""),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}", 304, b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\n", 200, b"{}"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}garbage", 200, b"{}"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n", 200, b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx", 204, b""),
    ],
)
async def test_more_than_there_may_be_costs_the_connection_and_not_the_reply(
    client: ToolClient, text: bytes, status: int, body: bytes
) -> None:
    connections = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(text)

    async with spoken(speak) as port:
        for _ in range(3):
            reply = await client.send(get(f"http://127.0.0.1:{port}"))
            assert (reply.status, reply.failure, reply.body) == (status, None, body)


PACKED = gzip.compress(b'{"slots": []}' * 100, mtime=0)


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", PACKED),
        ("x-gzip", PACKED),
        ("GZIP", PACKED),
        ("gzip", gzip.compress(b'{"slots": []}' * 50, mtime=0) * 2),
        ("gzip", PACKED + bytes(20)),
        ("deflate", zlib.compress(b'{"slots": []}' * 100)),
        ("deflate", zlib.compress(b'{"slots": []}' * 100, wbits=-15)),
        ("identity", b'{"slots": []}' * 100),
    ],
    ids=["gzip", "x-gzip", "GZIP", "two parts", "padded", "deflate", "bare deflate", "identity"],
)
async def test_a_packed_reply_is_unpacked_as_a_whole(client: ToolClient, encoding: str, sent: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n\r\n".encode()
    async with spoken(saying(head + sent)) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (reply.failure, reply.body) == (None, b'{"slots": []}' * 100)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
async def test_a_packed_reply_that_was_cut_off_is_no_reply(
    client: ToolClient, encoding: str, share: float
) -> None:
    packed = PACKED if encoding == "gzip" else zlib.compress(b'{"slots": []}' * 100)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nConnection: close\r\n\r\n".encode()
    async with spoken(saying(head + packed[: int(len(packed) * share)])) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (reply.status, reply.failure, reply.detail) == (
        None,
        Failure.CONNECTION,
        "the reply was cut off or cannot be decoded",
    )


async def test_a_reply_that_is_packed_in_another_way_is_no_reply(client: ToolClient) -> None:
    async with spoken(
        saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx")
    ) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (reply.failure, reply.detail) == (
        Failure.CONNECTION,
        "the reply is packed in a way that was not asked for",
    )


async def test_a_crowd_of_empty_parts_is_given_up_at_once(client: ToolClient) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    part = gzip.compress(b"")
    async with spoken(saying(head + part * (MAX_REPLY_BYTES // len(part)))) as port, no_lag():
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert reply.detail == "the reply was cut off or cannot be decoded"
    async with spoken(saying(head + part * (MAX_MEMBERS - 1) + PACKED)) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert reply.body == b'{"slots": []}' * 100


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
