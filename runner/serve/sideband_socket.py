"""One WebSocket to the voice API. Hands on each message as it arrives, without a task or a queue in between.

`websockets` implements the protocol, without I/O; this module adds bytes and deadlines. Messages of one
frame, pings and pongs, which are nearly all, bypass it: after the handshake a socket keeps nothing of the
protocol until another frame comes, since thousands are open. The content of messages is not read here.
"""

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

from websockets.exceptions import PayloadTooBig, WebSocketException
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.uri import WebSocketURI, parse_uri

from runner.serve.names import Names
from runner.serve.pings import Pings
from runner.serve.timeouts import Timeouts
from runner.serve.websocket_frames import ForProtocol, FrameCutter
from runner.serve.websocket_handshake import Handshake

log = logging.getLogger("runner.serve.sideband_socket")

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest messages report a session with long instructions and many tools, or a long conversation. A
larger one would close the socket, and close it again after reopening.
"""
_TOO_LARGE = f"an event is larger than {MAX_MESSAGE_BYTES:,} bytes"
TURN_S = 0.01
"""How long one sideband is served before the event loop goes on to the others, who are read meanwhile."""
SLICE_BYTES = 4 * 1024
"""How much of what has arrived is taken without a look at the clock."""
MAX_UNSENT_BYTES = 4 * 1024 * 1024
"""The most that may wait for a peer that does not read. A peer that reads never lets more than a whole
session wait.
"""

Receive = Callable[[bytes], None]
_PING, _PONG = 0x89, 0x8A
"""First bytes of these frames."""
MOST_CONTROL_BYTES = 125
"""In a control frame (RFC 6455, 5.5); the mask, which no server may use, is the bit above."""


class SidebandSocket(asyncio.Protocol):
    """Made by `open_socket`. `listen` to it once; it ends by `close`, by the peer, or when the peer is dead.

    A peer is dead when it answers no ping, or takes none of the waiting bytes, for `sideband_ping_s`.
    """

    __slots__ = (
        "_close_timer",
        "_closed",
        "_ended",
        "_frames",
        "_handshake",
        "_has_pong",
        "_loop",
        "_opening",
        "_parts",
        "_pings",
        "_protocol",
        "_receive",
        "_stall_timer",
        "_timeouts",
        "_transport",
        "_waiting",
        "cut_because",
    )

    def __init__(
        self, uri: WebSocketURI, headers: Mapping[str, str], timeouts: Timeouts, pings: Pings
    ) -> None:
        """Needs a running event loop."""
        self.cut_because = ""
        """Why we have cut the connection, if we have."""
        self._pings = pings
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._handshake: Handshake | None = Handshake(uri, headers)
        """Until it is over."""
        self._protocol: Protocol | None = None
        """From the first frame on that is not handled here."""
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Future[None] | None = self._loop.create_future()
        """Until the handshake is over."""
        self._closed: asyncio.Future[Close | None] = self._loop.create_future()
        self._receive: Receive | None = None
        self._ended: Callable[[], None] | None = None
        self._waiting: deque[bytes] | None = None
        """What came with the answer to the handshake, or was too much for one turn of the event loop."""
        self._frames = FrameCutter(MAX_MESSAGE_BYTES)
        self._parts: bytearray | None = None
        """What has come of a message in several frames."""
        self._has_pong = True
        self._stall_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    # For the call

    async def opened(self) -> None:
        """Wait for the handshake. Raises InvalidHandshake, e.g. InvalidStatus, or OSError."""
        if self._opening is not None:
            await self._opening

    def listen(self, receive: Receive, ended: Callable[[], None] | None = None) -> None:
        """Hand on every message from now on, beginning with those that have come already.

        `ended` is called once the connection has ended; `closed` then returns without waiting. An error in
        `receive` ends the connection, and `closed` raises it.
        """
        self._receive, self._ended = receive, ended
        if self._closed.done():
            self._tell_end()
            return
        self._take_a_turn()

    def send(self, message: str) -> None:
        """Send a message. Without a connection it is lost: `closed` reports that."""
        self._write(Frame(Opcode.TEXT, message.encode("utf-8", "surrogatepass")))

    async def closed(self) -> Close | None:
        """Wait for the end; returns how the peer closed the connection, None when it was just lost."""
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Close the connection, within `sideband_close_s` whatever the peer does. Safe at any time."""
        if self._is_open:
            protocol = self._take_protocol()
            protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush(protocol)
        try:
            async with asyncio.timeout(self._timeouts.sideband_close_s):
                await asyncio.wait([self._closed])
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        if self._handshake is not None:
            self._transport.write(self._handshake.request)

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        if self._handshake is not None:
            data = self._answered(self._handshake, data)
            if not data:
                return
        if self._receive is not None and self._waiting is None and len(data) <= SLICE_BYTES:
            self._take(data)
            return
        slices = [data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES)]
        if self._waiting is not None:
            self._waiting.extend(slices)
            return
        self._waiting = deque(slices)
        if self._receive is not None:
            self._take_a_turn()

    def _take_a_turn(self) -> None:
        """Take what waits, for `TURN_S`, and read on in another turn: uvloop reads a socket up to 32 times in
        one turn, which may be megabytes."""
        until = time.monotonic() + TURN_S
        while self._waiting and time.monotonic() < until:
            self._take(self._waiting.popleft())
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._waiting:
            self._take_a_turn()
            return
        self._waiting = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _take(self, data: bytes) -> None:
        for piece in self._frames.cut(data):
            if type(piece) is bytes:
                self._hand_on(piece)
            elif isinstance(piece, ForProtocol):
                self._frame_received(piece.data)

    def _answered(self, handshake: Handshake, data: bytes) -> bytes:
        """Read the answer to the handshake, and keep what follows it."""
        try:
            rest = handshake.receive(data)
        except WebSocketException as refusal:
            self._refused(refusal)
            return b""
        if rest is None or self._opening is None or self._opening.done():
            return b""
        self._opening.set_result(None)
        # Thousands of sockets are open: what the handshake needed is needed no more.
        self._handshake = self._opening = None
        if self._transport is not None:
            # The caller of `opened` learns first that the sideband is open.
            self._transport.pause_reading()
        self._pings.expect(self._ping)
        return rest

    def _refused(self, refusal: WebSocketException) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.set_exception(refusal)
        self.abort()

    def eof_received(self) -> None:
        """The peer sends no more: the connection is closed."""
        if self._handshake is not None:
            try:
                self._handshake.receive_eof()
            except WebSocketException as refusal:
                self._refused(refusal)
            return
        protocol = self._take_protocol()
        protocol.receive_eof()
        self._flush(protocol)

    def pause_writing(self) -> None:
        """The peer does not read what is sent."""
        longest_s = self._timeouts.sideband_ping_s
        self._stall_timer = self._loop.call_later(longest_s, self._fail, "the peer does not read")

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, for whatever reason."""
        for timer in (self._stall_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._transport = self._receive = None
        if self._opening is not None and not self._opening.done():
            self._opening.set_exception(exc or ConnectionResetError("the connection was closed"))
        if not self._closed.done():
            self._closed.set_result(self._protocol.close_rcvd if self._protocol is not None else None)
            self._tell_end()

    # Inside

    @property
    def _is_open(self) -> bool:
        """Whether messages may be sent."""
        is_open = self._protocol is None or self._protocol.state is State.OPEN
        return self._handshake is None and self._transport is not None and is_open

    def _frame_received(self, data: bytes) -> None:
        """Answer a ping and ignore a pong; other frames that are not messages go to the protocol."""
        if self._protocol is None and data[0] in {_PING, _PONG} and data[1] <= MOST_CONTROL_BYTES:
            if data[0] == _PONG:
                self._has_pong = True
            else:
                self._write(Frame(Opcode.PONG, data[2:]))
            return
        protocol = self._take_protocol()
        protocol.receive_data(data)
        if protocol.parser_exc is not None and not self.cut_because:
            is_too_large = isinstance(protocol.parser_exc, PayloadTooBig)
            self._cut(_TOO_LARGE if is_too_large else f"not a valid frame: {protocol.parser_exc}")
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
        self._flush(protocol)
        if self._close_timer is None and protocol.close_expected():
            self._close_timer = self._loop.call_later(self._timeouts.sideband_close_s, self.abort)

    def _take_protocol(self) -> Protocol:
        if self._protocol is None:
            self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=MAX_MESSAGE_BYTES)
        return self._protocol

    def _take_frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                self._parts = bytearray(frame.data)
            case Opcode.CONT:
                whole = self._parts = self._parts or bytearray()
                whole += frame.data
                if frame.fin:
                    self._parts = None
                    self._hand_on(bytes(whole))
            case Opcode.PONG:
                self._has_pong = True
            case _:
                pass  # The protocol itself answers pings and closes.

    def _hand_on(self, message: bytes) -> None:
        if self._receive is None:
            return
        try:
            self._receive(message)
        except Exception as error:
            self._receive = None
            self._closed.set_exception(error)
            self._tell_end()
            self.abort()

    def _tell_end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()

    def _ping(self) -> None:
        """Ping, unless the last one was not answered."""
        if not self._is_open:
            return
        if not self._has_pong:
            self._fail("no answer to a ping")
            return
        self._has_pong = False
        self._write(Frame(Opcode.PING, b""))
        self._pings.expect(self._ping)

    def _fail(self, reason: str) -> None:
        """The peer is dead, as far as we can know."""
        self._cut(reason)
        self._take_protocol().fail(CloseCode.INTERNAL_ERROR, reason)
        self.abort()

    def _cut(self, reason: str) -> None:
        self.cut_because = reason
        log.warning("sideband is cut", extra={"reason": reason})

    def _write(self, frame: Frame) -> None:
        """Send a frame of our own, which clients mask (RFC 6455, 5.3)."""
        if self._is_open and self._transport is not None:
            self._transport.write(frame.serialize(mask=True))
            self._bound_unsent()

    def _flush(self, protocol: Protocol) -> None:
        """Send what the protocol has to say."""
        transport = self._transport
        for data in protocol.data_to_send():
            if transport is None:
                continue
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
            else:  # TLS cannot close one half of a connection.
                transport.close()
        self._bound_unsent()

    def _bound_unsent(self) -> None:
        """A peer that does not read may ask for any number of pongs."""
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() > MAX_UNSENT_BYTES and self._is_open:
            self._fail("too much waits for the peer")


async def open_socket(
    url: str,
    headers: Mapping[str, str],
    *,
    names: Names,
    tls: ssl.SSLContext,
    timeouts: Timeouts,
    pings: Pings,
) -> SidebandSocket:
    """Open a WebSocket within `sideband_open_s`. Follows no redirect: that would carry the key elsewhere.

    `names`, `tls` and `pings` are shared by all sockets.

    Raises InvalidHandshake (InvalidStatus for a refusal), OSError, TimeoutError.
    """
    uri = parse_uri(url)
    async with asyncio.timeout(timeouts.sideband_open_s):
        connected = await names.connect(uri.host, uri.port)
        _, opening = await asyncio.get_running_loop().create_connection(
            lambda: SidebandSocket(uri, headers, timeouts, pings),
            sock=connected,
            ssl=tls if uri.secure else None,
            server_hostname=uri.host if uri.secure else None,
        )
        return await _opened(opening)


async def upgrade(
    transport: asyncio.Transport,
    uri: WebSocketURI,
    headers: Mapping[str, str],
    timeouts: Timeouts,
    pings: Pings,
) -> SidebandSocket:
    """Open a WebSocket on a connection that has carried requests. Raises InvalidHandshake, OSError."""
    opening = SidebandSocket(uri, headers, timeouts, pings)
    transport.set_protocol(opening)
    opening.connection_made(transport)
    return await _opened(opening)


async def _opened(opening: SidebandSocket) -> SidebandSocket:
    try:
        await opening.opened()
    except BaseException:
        opening.abort()
        raise
    return opening
