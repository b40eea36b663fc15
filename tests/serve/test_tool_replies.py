"""Replies to tools as they come: large, packed, cut off, in very many parts."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from runner.model.http import Failure
from runner.serve.egress import GuardedConnector
from runner.serve.head_first import HeadFirst
from runner.serve.reply_body import MAX_MEMBERS, MAX_REPLY_BYTES
from runner.serve.tool_client import ToolClient
from tests.patience import PATIENCE_S
from tests.serve.lag import again_if_late, no_lag
from tests.serve.tool_endpoints import LOOPBACK, get, saying, served, spoken


@pytest.fixture
async def client() -> AsyncIterator[ToolClient]:
    async with ToolClient(GuardedConnector(LOOPBACK)) as client:
        yield client


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
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n\r\n",
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
async def test_a_broken_reply_is_told_as_such(client: ToolClient, text: bytes, detail: str) -> None:
    async with spoken(saying(text)) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}/slots?token=hidden"))
    assert (reply.status, reply.failure, reply.detail) == (None, Failure.BROKEN, detail)


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
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 30_000 + b"HTTP/1.1 200 OK\r\n\r\na", 0, Failure.BROKEN),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 9 + CHUNKED + b"1\r\na\r\n0\r\n\r\n", 1, None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 1_000_000, 1_000_000, None),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 100_000, 0, Failure.BROKEN),
    ],
    ids=["tiny chunks", "long chunk head", "interim replies", "some hints", "until it is closed", "headers"],
)
@again_if_late
async def test_a_reply_in_very_many_parts_holds_nobody_up(
    client: ToolClient, flood: bytes, size: int, failure: Failure | None
) -> None:
    async with spoken(saying(flood)) as port, no_lag(0.04):
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (len(reply.body), reply.failure) == (size, failure)


async def test_a_reply_that_meets_a_bug_of_ours_holds_nobody_up(
    client: ToolClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    take_slice, met = HeadFirst.take_slice, iter([True])

    def fail_once(connection: HeadFirst) -> bool:
        if next(met, False):
            raise ValueError("a bug of ours")
        return take_slice(connection)

    monkeypatch.setattr(HeadFirst, "take_slice", fail_once)
    async with spoken(saying(CHUNKED + b"1\r\na\r\n" * 9_000 + b"0\r\n\r\n")) as port:
        replies = [await client.send(get(f"http://127.0.0.1:{port}")) for _ in range(2)]
    assert [(len(reply.body), reply.failure) for reply in replies] == [(0, Failure.BROKEN), (9_000, None)]
    assert [record.message for record in caplog.records] == ["reply cannot be read"]


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
        Failure.BROKEN,
        "the reply was cut off or cannot be decoded",
    )


async def test_a_reply_that_is_packed_in_another_way_is_no_reply(client: ToolClient) -> None:
    async with spoken(
        saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx")
    ) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert (reply.failure, reply.detail) == (
        Failure.BROKEN,
        "the reply has a content encoding that was not requested",
    )


@again_if_late
async def test_a_crowd_of_empty_parts_is_given_up_at_once(client: ToolClient) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    part = gzip.compress(b"")
    async with spoken(saying(head + part * (MAX_REPLY_BYTES // len(part)))) as port, no_lag():
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert reply.detail == "the reply was cut off or cannot be decoded"
    async with spoken(saying(head + part * (MAX_MEMBERS - 1) + PACKED)) as port:
        reply = await client.send(get(f"http://127.0.0.1:{port}"))
    assert reply.body == b'{"slots": []}' * 100
