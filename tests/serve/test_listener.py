"""Connections that send nothing, half of something, too much, or read nothing: each has its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, web

from runner.serve.listener import MAX_HEADERS, ClosedBecause, Listener
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts
from tests.patience import PATIENCE_S

SOON = Timeouts(head_s=0.1, idle_s=0.05, send_s=0.1, shutdown_s=0.1)
"""aiohttp's own deadline, which counts nothing, would come first if it were `idle_s`."""
LATE = Timeouts(head_s=60, idle_s=60, send_s=60, shutdown_s=0.1)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Door:
    """A listener with a handful of handlers, and clients of it."""

    def __init__(self, port: int, metrics: Metrics, stack: AsyncExitStack, hold: asyncio.Event) -> None:
        self.port = port
        self.hold = hold
        self.holding = 0
        """How many requests were begun that are held."""
        self._metrics = metrics
        self._stack = stack

    async def connect(self, *first: bytes) -> Socket:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._stack.callback(writer.close)
        for data in first:
            writer.write(data)
            await writer.drain()
        return reader, writer

    async def rest(self, socket: Socket) -> bytes:
        """What is read until the listener closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await socket[0].read()
            except ConnectionResetError:
                return b""

    async def answer(self, socket: Socket) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            head = await socket[0].readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            return head + await socket[0].readexactly(int(length.split(b":")[1]))

    def closed(self) -> dict[str, float]:
        """How many connections were closed, by why."""
        return {
            sample.labels["reason"]: sample.value
            for metric in self._metrics.connections_closed.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }

    def open(self) -> float:
        return next(iter(self._metrics.connections.collect())).samples[0].value

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - metrics tell nobody that they have changed
                await asyncio.sleep(0.005)


@asynccontextmanager
async def door(timeouts: Timeouts = LATE, most: int = 100) -> AsyncIterator[Door]:
    hold = asyncio.Event()
    metrics = Metrics()

    async def hello(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="hello\n")

    async def held(_: web.Request) -> web.Response:
        opened.holding += 1
        await hold.wait()
        return web.Response(text="held\n")

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=bytes(32 * 1024 * 1024))

    async def broken(_: web.Request) -> web.Response:
        raise ValueError("a bug")

    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_post("/", hello)
    app.router.add_get("/held", held)
    app.router.add_get("/large", large)
    app.router.add_get("/broken", broken)
    listener = Listener(app, most=most, metrics=metrics, timeouts=timeouts)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(listener.close)
        _, port = await listener.listen("127.0.0.1", 0)
        opened = Door(port, metrics, stack, hold)
        yield opened
        hold.set()


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le"],
    ids=["nothing", "a line", "half a head"],
)
async def test_a_head_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    async with door(SOON) as it:
        socket = await it.connect(sent)
        assert await it.rest(socket) == b""
        assert it.closed() == {"head_timeout": 1}
        await it.until(lambda: it.open() == 0)


async def test_a_head_that_trickles_does_not_renew_its_deadline() -> None:
    async with door(SOON) as it:
        reader, writer = await it.connect(b"GET /")
        async with asyncio.timeout(PATIENCE_S):
            while not reader.at_eof():
                writer.write(b"x")
                try:
                    async with asyncio.timeout(0.01):
                        await reader.read(1)
                except TimeoutError:
                    pass
                except ConnectionError:
                    break
        assert it.closed() == {"head_timeout": 1}


async def test_a_connection_that_asks_no_more_is_closed_and_one_that_asks_is_kept() -> None:
    idle_s, clock = 1.0, asyncio.get_running_loop().time
    async with door(replace(LATE, idle_s=idle_s)) as it:
        gaps_s = [idle_s]
        while max(gaps_s) > idle_s / 2:  # this machine had no time for us: the connection may be closed
            socket, asked_at, gaps_s = await it.connect(), clock(), list[float]()
            while sum(gaps_s) <= idle_s and not socket[0].at_eof():
                socket[1].write(GET)
                with suppress(ConnectionError, asyncio.IncompleteReadError):
                    assert (await it.answer(socket)).endswith(b"hello\n")
                await asyncio.sleep(idle_s / 10)
                gaps_s.append(clock() - asked_at)
                asked_at = clock()
            closed_early = it.closed().get("idle", 0)
            assert await it.rest(socket) == b""
        assert it.closed()["idle"] == closed_early + 1


async def test_after_an_answer_the_next_head_has_a_deadline_too() -> None:
    timeouts = Timeouts(head_s=1.0, idle_s=60, shutdown_s=0.1)
    async with door(timeouts) as it:
        socket = await it.connect(GET)
        await it.answer(socket)
        socket[1].write(b"GET ")
        assert await it.rest(socket) == b""
        assert it.closed() == {"head_timeout": 1}


async def test_a_request_that_is_being_served_has_no_deadline_here() -> None:
    async with door(replace(LATE, head_s=1.0, idle_s=1.0)) as it:
        socket = await it.connect(GET.replace(b"/ ", b"/held ", 1))
        await it.until(lambda: it.holding)
        await asyncio.sleep(1.2)
        it.hold.set()
        assert (await it.answer(socket)).endswith(b"held\n")


async def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    async with door(Timeouts(send_s=0.1, shutdown_s=0.1)) as it:
        await it.connect(GET.replace(b"/ ", b"/large ", 1))
        await it.until(lambda: it.closed() == {"stalled": 1})
        await it.until(lambda: it.open() == 0)


async def test_whoever_waits_longest_makes_room_for_a_request_that_comes_whole() -> None:
    async with door(most=3) as it:
        silent = [await it.connect(b"GET") for _ in range(3)]
        await it.until(lambda: it.open() == 3)
        asking = await it.connect(GET)
        assert (await it.answer(asking)).endswith(b"hello\n")
        assert await it.rest(silent[0]) == b""
        assert (it.closed(), it.open()) == ({"evicted": 1}, 3)


async def test_a_kept_connection_that_was_used_last_makes_room_last() -> None:
    async with door(most=2) as it:
        older, newer = await it.connect(GET), await it.connect(GET)
        await it.answer(older)
        await it.answer(newer)
        older[1].write(GET)
        await it.answer(older)
        third = await it.connect(GET)
        await it.answer(third)
        assert await it.rest(newer) == b""
        older[1].write(GET)
        assert (await it.answer(older)).endswith(b"hello\n")


async def test_a_body_that_does_not_come_makes_room_too() -> None:
    async with door(most=1) as it:
        slow = await it.connect(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        await it.until(lambda: it.open() == 1)
        asking = await it.connect(GET)
        assert (await it.answer(asking)).endswith(b"hello\n")
        assert await it.rest(slow) == b""


async def test_when_all_are_being_served_a_new_connection_is_told_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with door(most=2) as it:
        for _ in range(2):
            await it.connect(GET.replace(b"/ ", b"/held ", 1))
        await it.until(lambda: it.holding == 2)
        refused = await it.rest(await it.connect(GET))
        assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert refused.endswith(b"\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n")
        assert (it.closed(), it.open()) == ({"refused": 1}, 2)
        assert [(r.levelname, r.message) for r in caplog.records] == [("WARNING", "connection limit reached")]


async def test_a_crowd_at_once_is_cut_down_to_the_limit() -> None:
    async with door(most=5) as it:
        sockets = await asyncio.gather(*(it.connect() for _ in range(60)))
        await it.until(lambda: it.closed() == {"evicted": 55})
        assert it.open() == 5
        ends = await asyncio.gather(*(it.rest(socket) for socket in sockets[:40]))
        assert set(ends) == {b""}


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret",
        b"SSH-2.0-secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nsecret\r\n\r\n",
        b"GET / HTTP/1.1\r\nsecret: " + b"x" * 10_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"secret: x\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
    ids=["tls", "ssh", "no colon", "long header", "many headers", "two lengths"],
)
async def test_what_is_not_http_is_answered_and_logged_without_quoting_it(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "runner")
    async with door() as it:
        answer = await it.rest(await it.connect(sent))
        assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
        too_long = b"a header or the address is longer than 4,096 bytes\n"
        sentence = too_long if b"x" * 10_000 in sent else b"this is not a valid HTTP request\n"
        assert answer.endswith(b"\r\n\r\n" + sentence)
        assert b"secret" not in answer
        assert {record.levelname for record in caplog.records} <= {"DEBUG"}
        assert "secret" not in "".join(map(repr, map(vars, caplog.records)))
        assert it.closed() == {"not_http": 1}


async def test_a_handler_that_fails_is_an_error_in_the_log_and_500(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as it, ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{it.port}/broken") as response:
            assert (response.status, await response.text()) == (500, "the request failed\n")
        (told,) = caplog.records
        assert (told.levelname, told.message, vars(told)["path"]) == ("ERROR", "request failed", "/broken")
        assert isinstance((told.exc_info or (None, None))[1], ValueError)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/broken"])
async def test_no_answer_tells_the_versions_of_what_we_are_made_of(path: str) -> None:
    async with door() as it, ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{it.port}{path}") as response:
            assert response.headers.getall("Server") == ["phone-agents"]
        garbage: Any = await it.rest(await it.connect(b"secret\r\n\r\n"))
        assert b"\r\nServer: phone-agents\r\n" in garbage
        assert b"aiohttp" not in garbage.lower()


def test_each_reason_is_a_label_of_its_own() -> None:
    assert len({reason.value for reason in ClosedBecause}) == len(ClosedBecause)
