"""What one connection to the voice API makes of replies, and when it carries another request."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runner.model.http import HttpReply
from runner.serve import api_connection, api_connections
from runner.serve.api_connection import CutReplyError, NotHttpError
from runner.serve.api_connections import ApiConnections, NotConnectedError
from runner.serve.plain_reply import PlainReply, read_plain
from runner.serve.reply_body import MAX_REPLY_BYTES
from tests.patience import PATIENCE_S

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ZIPPED = gzip.compress(b"{}", mtime=0)
LONG = b"x" * 100_000


class Peer:
    """Answers each request with the same bytes, in pieces of this size."""

    def __init__(self, reply: bytes, piece: int, *, closes: bool) -> None:
        self._reply = reply
        self._piece = piece
        self._closes = closes
        self.requests: list[tuple[int, bytes]] = []
        """Each with the number of its connection."""
        self.connections = 0
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()
        """Set when a connection was closed."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
                self.requests.append((number, head + body))
                self.asked.set()
                for at in range(0, len(self._reply), self._piece):
                    writer.write(self._reply[at : at + self._piece])
                    await writer.drain()
                    await asyncio.sleep(0)
                if self._closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def met(
    reply: bytes, piece: int = 1 << 20, *, closes: bool = False
) -> AsyncIterator[tuple[ApiConnections, Peer]]:
    peer = Peer(reply, piece, closes=closes)
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connections = ApiConnections(f"http://127.0.0.1:{port}/v1")
        try:
            async with asyncio.timeout(PATIENCE_S):
                yield connections, peer
        finally:
            connections.close()


async def ask(
    connections: ApiConnections, body: bytes | None = None, *, is_sent_once: bool = False
) -> HttpReply:
    headers = [("Authorization", "Bearer key")]
    return await connections.send("POST", "/x?y=%2B", headers, body, is_sent_once=is_sent_once)


@pytest.mark.parametrize("piece", [1, 1 << 20])
@pytest.mark.parametrize(
    ("reply", "expected", "keeps"),
    [
        (OK, HttpReply(status=200), True),
        (
            b"HTTP/1.1 201 Created\r\nLocation: /calls/rtc_1\r\nContent-Length: 2\r\n\r\n{}",
            HttpReply(status=201, body=b"{}", location="/calls/rtc_1"),
            True,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(ZIPPED), ZIPPED),
            HttpReply(status=200, body=b"{}"),
            True,
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            HttpReply(status=404),
            False,
        ),
        (
            b"HTTP/1.1 200 OK\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            HttpReply(status=200, body=b"{}", location="/x"),
            True,
        ),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, HttpReply(status=200), True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", HttpReply(status=204), True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", HttpReply(status=200), False),
        (b"HTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n\n", HttpReply(status=200), False),
    ],
)
async def test_replies_of_every_kind_are_read(
    reply: bytes, expected: HttpReply, keeps: bool, piece: int
) -> None:
    async with met(reply, piece) as (connections, peer):
        assert [await ask(connections, b"{}") for _ in range(2)] == [expected, expected]
    assert [number for number, _ in peer.requests] == [0, 0 if keeps else 1]


async def test_a_long_body_is_read_whole() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LONG), LONG)
    async with met(reply) as (connections, _):
        assert await ask(connections) == HttpReply(status=200, body=LONG)


async def test_a_body_may_end_with_the_connection() -> None:
    async with met(b"HTTP/1.1 200 OK\r\n\r\n{}", closes=True) as (connections, _):
        assert await ask(connections) == HttpReply(status=200, body=b"{}")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", ConnectionResetError),
        (OK[:-1], ConnectionResetError),
        (b"sk-secret", NotHttpError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", CutReplyError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", CutReplyError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{", CutReplyError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", CutReplyError),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
            % (MAX_REPLY_BYTES + 1, bytes(MAX_REPLY_BYTES + 1)),
            CutReplyError,
        ),
    ],
)
async def test_a_reply_that_cannot_be_read_closes_its_connection(
    reply: bytes, error: type[Exception]
) -> None:
    async with met(reply, closes=True) as (connections, peer):
        for _ in range(2):
            with pytest.raises(error):
                await ask(connections)
    assert [number for number, _ in peer.requests] == [0, 1]


async def test_a_request_is_sent_whole() -> None:
    async with met(OK) as (connections, peer):
        await ask(connections, b"{}")
        await ask(connections)
    (_, first), (_, second) = peer.requests
    host = connections.base_url.removeprefix("http://").removesuffix("/v1")
    head = (
        f"POST /v1/x?y=%2B HTTP/1.1\r\nHost: {host}\r\nUser-Agent: phone-agents\r\nAccept: */*\r\n"
        "Accept-Encoding: gzip, deflate\r\nAuthorization: Bearer key\r\nContent-Length: "
    )
    assert (first.decode(), second.decode()) == (head + "2\r\n\r\n{}", head + "0\r\n\r\n")


@pytest.mark.parametrize("value", ["key\r\nX: y", "key\n", "key\r", "key\0"])
async def test_a_header_cannot_begin_another(value: str) -> None:
    async with met(OK) as (connections, peer):
        with pytest.raises(ValueError, match="a header with a control character"):
            await connections.send("POST", "/x", [("Authorization", value)], None)
    assert peer.connections == 0


async def test_a_request_that_nobody_waits_for_closes_its_connection() -> None:
    async with met(b"HTTP/1.1 200 OK\r\n") as (connections, peer):
        asking = asyncio.create_task(ask(connections))
        await peer.asked.wait()
        asking.cancel()
        await peer.closed.wait()


async def test_bytes_that_nobody_has_asked_for_close_the_connection() -> None:
    async with met(OK + b"more") as (connections, peer):
        assert [(await ask(connections)).status for _ in range(2)] == [200, 200]
    assert [number for number, _ in peer.requests] == [0, 1]


async def test_a_connection_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_connections, "IDLE_S", 0.0)
    async with met(OK) as (connections, peer):
        await ask(connections)
        await peer.closed.wait()
        await ask(connections)
    assert [number for number, _ in peer.requests] == [0, 1]


async def test_where_nobody_listens_nothing_is_sent(held_port: int) -> None:
    connections = ApiConnections(f"http://127.0.0.1:{held_port}")
    with pytest.raises(NotConnectedError, match=rf"^cannot connect to 127\.0\.0\.1:{held_port}: "):
        await ask(connections)


async def test_a_request_that_is_not_repeated_takes_no_connection_that_may_be_about_to_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with met(OK) as (connections, peer):
        await ask(connections)
        monkeypatch.setattr(api_connections, "FRESH_S", 60.0)
        await ask(connections, is_sent_once=True)
        monkeypatch.setattr(api_connections, "FRESH_S", 0.0)
        await ask(connections, is_sent_once=True)
        await ask(connections)
    assert [number for number, _ in peer.requests] == [0, 0, 1, 1]


async def test_the_head_of_a_reply_in_many_pieces_is_not_read_with_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = 0

    def counted(data: bytes) -> PlainReply | None:
        nonlocal times
        times += 1
        return read_plain(data)

    monkeypatch.setattr(api_connection, "read_plain", counted)
    head = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100
    async with met(head + b"Content-Length: 100\r\n\r\n" + bytes(100), 1) as (connections, _):
        assert await ask(connections) == HttpReply(status=200, body=bytes(100))
    assert times <= api_connection.MOST_PIECES
