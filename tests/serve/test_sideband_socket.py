"""The socket of a sideband against peers that stop reading, stop answering, say too much, or just leave."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.uri import parse_uri

from runner.serve.names import NameResolver
from runner.serve.pings import Pings
from runner.serve.sideband_opening import open_socket
from runner.serve.sideband_socket import MAX_UNSENT_BYTES, SidebandSocket
from runner.serve.timeouts import Timeouts
from runner.serve.tls import client_context
from tests.patience import PATIENCE_S
from tests.serve.lag import again_if_late, no_lag

STAYS_S = 30.0
"""How long a peer stays that does nothing more."""
TIMEOUTS = Timeouts(sideband_open_s=PATIENCE_S, sideband_ping_s=0.1, sideband_close_s=0.1)
QUIET = Timeouts(sideband_open_s=PATIENCE_S, sideband_ping_s=60, sideband_close_s=0.1)
TLS = client_context()


class Peer:
    """The other end of one connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.request = b""

    async def open(self, *frames: Frame) -> None:
        """Answer the handshake, with frames in the same breath."""
        self.request = await self.reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", self.request)
        assert key
        digest = hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        self.writer.write(head + b"".join(map(serialized, frames)))

    async def send(self, *frames: Frame) -> None:
        self.writer.write(b"".join(map(serialized, frames)))
        await self.writer.drain()

    async def receive(self) -> tuple[Opcode, bytes]:
        """A frame of the client's, which are all short and masked."""
        head = await self.reader.readexactly(2)
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(head[1] & 0x7F)
        return Opcode(head[0] & 0x0F), bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def serialized(frame: Frame) -> bytes:
    return b"".join([frame.serialize(mask=False)])


def text(message: str) -> Frame:
    return Frame(Opcode.TEXT, message.encode())


Play = Callable[[Peer], Awaitable[None]]


class Heard:
    """What a listener was handed."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._changed = asyncio.Event()

    def __call__(self, message: bytes) -> None:
        self.messages.append(message)
        self._changed.set()

    async def until(self, count: int) -> list[bytes]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.messages) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.messages


@asynccontextmanager
async def peer(play: Play) -> AsyncIterator[str]:
    """A server that plays this to each client; its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await play(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/realtime?call_id=rtc_1"


async def opened(url: str, timeouts: Timeouts = QUIET) -> SidebandSocket:
    headers = {"Authorization": "Bearer key"}
    pings = Pings(timeouts.sideband_ping_s)
    uri, names = parse_uri(url), NameResolver(threads=1)
    return await open_socket(uri, headers, names=names, tls=TLS, timeouts=timeouts, pings=pings)


async def end(socket: SidebandSocket) -> Close | None:
    async with asyncio.timeout(PATIENCE_S):
        return await socket.closed()


async def stay(peer: Peer) -> None:
    await peer.reader.read()


async def test_messages_are_handed_on_in_order_from_the_first_one_on() -> None:
    requests: list[bytes] = []

    async def play(it: Peer) -> None:
        await it.open(text("first"), text("second"))
        requests.append(it.request)
        await it.send(text("third"), Frame(Opcode.BINARY, b"fourth"))
        await it.send(Frame(Opcode.TEXT, b"fi", fin=False), Frame(Opcode.CONT, b"f", fin=False))
        await it.send(Frame(Opcode.PING, b"between"), Frame(Opcode.CONT, b"th"), text("sixth"))
        await stay(it)

    heard = Heard()
    async with peer(play) as url:
        socket = await opened(url)
        await asyncio.sleep(0.05)
        assert heard.messages == []
        socket.listen(heard)
        assert await heard.until(6) == [b"first", b"second", b"third", b"fourth", b"fifth", b"sixth"]
        await socket.close()
    assert requests[0].startswith(b"GET /v1/realtime?call_id=rtc_1 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer key\r\n" in requests[0]


async def test_what_is_sent_arrives_and_pings_are_answered() -> None:
    received: list[tuple[Opcode, bytes]] = []
    enough = asyncio.Event()

    async def play(it: Peer) -> None:
        await it.open(Frame(Opcode.PING, b"there?"))
        while not enough.is_set():
            received.append(await it.receive())
            if len(received) == 3:
                enough.set()
        await stay(it)

    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(Heard())
        socket.send("hello")
        socket.send("Grüße")
        async with asyncio.timeout(PATIENCE_S):
            await enough.wait()
        await socket.close()
    assert received == [
        (Opcode.PONG, b"there?"),
        (Opcode.TEXT, b"hello"),
        (Opcode.TEXT, "Grüße".encode()),
    ]


@pytest.mark.parametrize("size", [3_000_000, 15_000_000])
@again_if_late
async def test_a_long_session_told_back_to_us_does_not_cost_the_sideband(size: int) -> None:
    async def play(it: Peer) -> None:
        await it.open()
        await it.send(text("a" * size), text("next"))
        await stay(it)

    heard = Heard()
    async with peer(play) as url:
        socket = await opened(url)
        async with no_lag():
            socket.listen(heard)
            messages = await heard.until(2)
        await socket.close()
    assert (len(messages[0]), messages[1]) == (size, b"next")


@again_if_late
async def test_a_longer_message_costs_the_sideband_and_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(it: Peer) -> None:
        await it.open()
        await it.send(text("a" * 20_000_000))
        await stay(it)

    heard = Heard()
    async with peer(play) as url:
        socket = await opened(url)
        async with no_lag():
            socket.listen(heard)
            await end(socket)
    assert heard.messages == []
    assert [(line.levelname, vars(line)["reason"]) for line in caplog.records] == [
        ("WARNING", "an event is larger than 16,777,216 bytes")
    ]


async def test_a_flood_of_messages_holds_nobody_up() -> None:
    flood = [text("x" * 100)] * 50_000

    async def play(it: Peer) -> None:
        await it.open()
        await it.send(*flood)
        await stay(it)

    heard = Heard()
    at_each_turn: list[int] = []

    async def watch() -> None:
        while True:
            at_each_turn.append(len(heard.messages))
            await asyncio.sleep(0)

    async with peer(play) as url:
        socket = await opened(url)
        watching = asyncio.create_task(watch())
        socket.listen(heard)
        await heard.until(len(flood))
        watching.cancel()
        await socket.close()
    in_one_turn = max(after - before for before, after in pairwise(at_each_turn))
    # The event loop reads so many bytes at once, and a frame has a head of two.
    assert 0 < in_one_turn <= 256 * 1024 // 102 + 1


@again_if_late
async def test_messages_that_cost_time_hold_nobody_up_and_none_is_lost() -> None:
    """They come at once, the first with the answer to the handshake, and then the connection is cut."""
    flood = [text(f"{number:01000}") for number in range(300)]

    async def play(it: Peer) -> None:
        await it.open(*flood[:100])
        await it.send(*flood[100:])

    heard: list[bytes] = []

    def receive(message: bytes) -> None:
        heard.append(message)
        until = time.thread_time() + 0.001
        while time.thread_time() < until:
            pass

    async with peer(play) as url:
        socket = await opened(url)
        async with no_lag():
            socket.listen(receive)
            assert await end(socket) is None
    assert heard == [frame.data for frame in flood]


@pytest.mark.parametrize(
    ("first", "each", "last"), [(b"\x01\x01a", b"\x00\x01a", b"\x80\x01a"), (b"", b"\x89\x00", b"\x81\x01a")]
)
@again_if_late
async def test_very_many_small_frames_hold_nobody_up(first: bytes, each: bytes, last: bytes) -> None:
    """The parts of one message, and pings."""
    count = 100_000
    flood = first + each * count + last

    async def play(it: Peer) -> None:
        await it.open()
        it.writer.write(flood)
        await stay(it)

    heard = Heard()
    async with peer(play) as url:
        socket = await opened(url)
        async with no_lag():
            socket.listen(heard)
            assert len((await heard.until(1))[0]) in (1, count + 2)
        await socket.close()


async def test_how_the_peer_closes_is_told() -> None:
    async def play(it: Peer) -> None:
        await it.open()
        await it.send(text("last"), Frame(Opcode.CLOSE, Close(4000, "bad session").serialize()))
        await it.receive()

    heard = Heard()
    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(heard)
        assert await end(socket) == Close(4000, "bad session")
        assert heard.messages == [b"last"]
        socket.send("too late")
        await socket.close()


async def test_a_connection_that_is_cut_has_no_close() -> None:
    async def play(it: Peer) -> None:
        await it.open()
        it.writer.transport.abort()

    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(Heard())
        assert await end(socket) is None


@again_if_late
async def test_a_peer_that_stops_reading_while_something_waits_is_found_dead(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(it: Peer) -> None:
        await it.open()
        it.writer.transport.pause_reading()  # type: ignore[attr-defined] # asyncio's own has it
        while True:  # It goes on talking all the while.
            await it.send(text("still here"))
            await asyncio.sleep(0.01)

    async with peer(play) as url:
        socket = await opened(url, TIMEOUTS)
        socket.listen(Heard())
        async with no_lag():
            for _ in range(30):
                socket.send("x" * 100_000)
            assert await end(socket) is None
    (told,) = [vars(record)["reason"] for record in caplog.records]
    assert told in ("the peer does not read", "no answer to a ping")


async def test_what_waits_for_a_peer_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async def play(it: Peer) -> None:
        await it.open()
        it.writer.transport.pause_reading()  # type: ignore[attr-defined] # asyncio's own has it
        await asyncio.sleep(STAYS_S)

    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(Heard())
        sent = 0
        while socket._closed is None:  # nobody waits for the end
            socket.send("x" * 100_000)
            sent += 100_000
            await asyncio.sleep(0)
        assert MAX_UNSENT_BYTES < sent < MAX_UNSENT_BYTES + 20_000_000
    assert [vars(record)["reason"] for record in caplog.records] == ["too much waits for the peer"]


@pytest.mark.parametrize(
    "before", [(), (Frame(Opcode.TEXT, b"a", fin=False), Frame(Opcode.CONT, b"b"))], ids=["", "after parts"]
)
async def test_pongs_for_a_peer_that_does_not_read_are_bounded(
    before: tuple[Frame, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async def play(it: Peer) -> None:
        await it.open()
        it.writer.transport.pause_reading()  # type: ignore[attr-defined] # asyncio's own has it
        await it.send(*before)
        while True:
            await it.send(*[Frame(Opcode.PING, b"p" * 125)] * 500)

    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(Heard())
        assert await end(socket) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["too much waits for the peer"]


async def test_a_peer_that_answers_no_ping_is_found_dead(caplog: pytest.LogCaptureFixture) -> None:
    async def play(it: Peer) -> None:
        await it.open()
        await stay(it)

    async with peer(play) as url:
        socket = await opened(url, TIMEOUTS)
        socket.listen(Heard())
        assert await end(socket) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["no answer to a ping"]


async def test_a_peer_that_answers_its_pings_lives() -> None:
    pings = 0

    async def play(it: Peer) -> None:
        nonlocal pings
        await it.open()
        while True:
            opcode, data = await it.receive()
            if opcode is Opcode.PING:
                pings += 1
                await it.send(Frame(Opcode.PONG, data))
            if pings == 2:
                await it.send(text("enough"))

    heard = Heard()
    async with peer(play) as url:
        socket = await opened(url, replace(TIMEOUTS, sideband_ping_s=1.0))
        socket.listen(heard)
        assert await heard.until(1) == [b"enough"]
        await socket.close()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", InvalidStatus),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", InvalidStatus),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", InvalidHandshake),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", InvalidMessage),
    ],
)
async def test_a_refusal_is_raised(reply: bytes, error: type[Exception]) -> None:
    async def play(it: Peer) -> None:
        await it.reader.readuntil(b"\r\n\r\n")
        it.writer.write(reply)
        await stay(it)

    async with peer(play) as url:
        with pytest.raises(error):
            await opened(url)


async def test_a_handshake_that_is_never_answered_is_given_up() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def play(it: Peer) -> None:
        await it.reader.readuntil(b"\r\n\r\n")
        asked.set()
        await stay(it)
        gone.set()

    async with peer(play) as url:
        while not asked.is_set():  # this machine had no time to ask
            with pytest.raises(TimeoutError):
                await opened(url, Timeouts(sideband_open_s=0.1))
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()


async def test_a_peer_that_leaves_during_the_handshake_is_an_error_of_the_connection() -> None:
    async def play(it: Peer) -> None:
        await it.reader.readuntil(b"\r\n\r\n")

    async with peer(play) as url:
        with pytest.raises((OSError, InvalidHandshake)):
            await opened(url)


async def test_what_the_listener_raises_ends_the_connection_and_is_raised() -> None:
    async def play(it: Peer) -> None:
        await it.open(text("one"), text("two"))
        await stay(it)

    heard: list[bytes] = []

    def receive(message: bytes) -> None:
        heard.append(message)
        raise ValueError("a bug of ours")

    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(receive)
        with pytest.raises(ValueError, match="a bug of ours"):
            await end(socket)
        await socket.close()
    assert heard == [b"one"]


async def test_closing_takes_no_longer_than_it_may_whatever_the_peer_does() -> None:
    async def play(it: Peer) -> None:
        await it.open()
        await asyncio.sleep(STAYS_S)

    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(Heard())
        async with asyncio.timeout(STAYS_S / 2):
            await socket.close()
            await socket.close()


async def test_a_peer_that_never_hangs_up_after_its_close_is_hung_up_on() -> None:
    async def play(it: Peer) -> None:
        await it.open()
        await it.send(Frame(Opcode.CLOSE, Close(CloseCode.GOING_AWAY, "").serialize()))
        await asyncio.sleep(STAYS_S)

    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(Heard())
        async with asyncio.timeout(STAYS_S / 2):
            assert await socket.closed() == Close(CloseCode.GOING_AWAY, "")


async def test_text_that_is_not_utf_8_is_handed_on_for_the_reader_to_refuse() -> None:
    async def play(it: Peer) -> None:
        await it.open(Frame(Opcode.TEXT, b"\xff{}"))
        await stay(it)

    heard = Heard()
    async with peer(play) as url:
        socket = await opened(url)
        socket.listen(heard)
        assert await heard.until(1) == [b"\xff{}"]
        await socket.close()
