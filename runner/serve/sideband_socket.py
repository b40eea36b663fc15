"""One WebSocket to the voice API. Hands on each message as it arrives, without a task or a queue in between.

`websockets` implements the protocol, without I/O; this module adds bytes and deadlines. Messages of one
frame, which are nearly all, bypass it. The content of messages is not read here.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import cast

from websockets.client import ClientProtocol
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from runner.serve.names import Names
from runner.serve.timeouts import Timeouts
from runner.serve.websocket_frames import ForProtocol, FrameCutter

log = logging.getLogger("runner.serve.sideband_socket")

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest messages report a session with long instructions and many tools, or a long conversation. A
larger one would close the socket, and close it again after reopening.
"""
MAX_UNSENT_BYTES = 4 * 1024 * 1024
"""The most that may wait for a peer that does not read. A peer that reads never lets more than a whole
session wait.
"""

Receive = Callable[[bytes], None]
END_OF_HEAD = b"\r\n\r\n"


class SidebandSocket(asyncio.Protocol):
    """Made by `open_socket`. `listen` to it once; it ends by `close`, by the peer, or when the peer is dead.

    A peer is dead when it answers no ping, or takes none of the waiting bytes, for `sideband_ping_s`.
    """

    def __init__(self, uri: WebSocketURI, headers: Mapping[str, str], timeouts: Timeouts) -> None:
        """Needs a running event loop."""
        self._headers = headers
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._websocket = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES)
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[Close | None] = self._loop.create_future()
        self._receive: Receive | None = None
        self._early: list[bytes] = []
        """Messages that came with the answer to the handshake."""
        self._head_end = b""
        """The last bytes of the handshake's answer so far: its end may be split in two."""
        self._frames = FrameCutter(MAX_MESSAGE_BYTES)
        self._parts: list[bytes] = []
        """Parts of a message in several frames."""
        self._has_pong = True
        self._ping_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    # For the call

    async def opened(self) -> None:
        """Wait for the handshake. Raises InvalidHandshake, e.g. InvalidStatus, or OSError."""
        await self._opened

    def listen(self, receive: Receive) -> None:
        """Hand on every message from now on, beginning with those that have come already.

        An error in `receive` ends the connection, and `closed` raises it.
        """
        self._receive = receive
        early, self._early = self._early, []
        for message in early:
            self._hand_on(message)
        if self._transport is not None:
            self._transport.resume_reading()

    def send(self, message: str) -> None:
        """Send a message. Without a connection it is lost: `closed` reports that."""
        if self._websocket.state is not State.OPEN or self._transport is None:
            return
        self._websocket.send_text(message.encode("utf-8", "surrogatepass"))
        self._flush()
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self._fail("too much waits for the peer")

    async def closed(self) -> Close | None:
        """Wait for the end; returns how the peer closed the connection, None when it was just lost."""
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Close the connection, within `sideband_close_s` whatever the peer does. Safe at any time."""
        if self._websocket.state is State.OPEN:
            self._websocket.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
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
        request = self._websocket.connect()
        request.headers.update(self._headers)
        self._websocket.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        if not self._opened.done():
            data = self._answered(data)
        for piece in self._frames.cut(data):
            if isinstance(piece, ForProtocol):
                self._pass_on(piece.data)
            else:
                self._hand_on(piece)

    def _answered(self, data: bytes) -> bytes:
        """Read the answer to the handshake, and keep what follows it."""
        seen = self._head_end + data
        end = seen.find(END_OF_HEAD)
        if end < 0:
            self._head_end = seen[1 - len(END_OF_HEAD) :]
            self._pass_on(data)
            return b""
        size = end + len(END_OF_HEAD) - len(self._head_end)
        self._pass_on(data[:size])
        if self._opened.done():
            return data[size:]
        # A refusal, with a body.
        self._pass_on(data[size:])
        return b""

    def _pass_on(self, data: bytes) -> None:
        """Pass bytes to the protocol."""
        self._websocket.receive_data(data)
        if not self._opened.done():
            self._go_on_opening()
        for event in self._websocket.events_received():
            if isinstance(event, Frame):
                self._frame_received(event)
        self._flush()
        if self._close_timer is None and self._websocket.close_expected():
            self._close_timer = self._loop.call_later(self._timeouts.sideband_close_s, self.abort)

    def eof_received(self) -> None:
        """The peer sends no more: the connection is closed."""
        self._websocket.receive_eof()
        self._flush()

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
        for timer in (self._ping_timer, self._stall_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._transport = self._receive = None
        self._websocket.receive_eof()
        if not self._opened.done():
            self._opened.set_exception(exc or ConnectionResetError("the connection was closed"))
        if not self._closed.done():
            self._closed.set_result(self._websocket.close_rcvd)

    # Inside

    def _go_on_opening(self) -> None:
        refusal = self._websocket.handshake_exc
        if refusal is not None:
            self._opened.set_exception(refusal)
            self.abort()
        elif self._websocket.state is not State.CONNECTING:
            self._opened.set_result(None)
            if self._transport is not None:
                # The caller of `opened` learns first that the sideband is open.
                self._transport.pause_reading()
            self._ping_timer = self._loop.call_later(self._timeouts.sideband_ping_s, self._ping)

    def _frame_received(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                self._parts = [bytes(frame.data)]
            case Opcode.CONT:
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    whole, self._parts = b"".join(self._parts), []
                    self._hand_on(whole)
            case Opcode.PONG:
                self._has_pong = True
            case _:
                pass  # The protocol itself answers pings and closes.

    def _hand_on(self, message: bytes) -> None:
        if self._receive is None:
            self._early.append(message)
            return
        if self._closed.done():
            return
        try:
            self._receive(message)
        except Exception as error:
            self._closed.set_exception(error)
            self.abort()

    def _ping(self) -> None:
        """Ping, unless the last one was not answered."""
        if self._websocket.state is not State.OPEN:
            return
        if not self._has_pong:
            self._fail("no answer to a ping")
            return
        self._has_pong = False
        self._websocket.send_ping(b"")
        self._flush()
        self._ping_timer = self._loop.call_later(self._timeouts.sideband_ping_s, self._ping)

    def _fail(self, reason: str) -> None:
        """The peer is dead, as far as we can know."""
        log.warning("sideband peer is dead", extra={"reason": reason})
        self._websocket.fail(CloseCode.INTERNAL_ERROR, reason)
        self.abort()

    def _flush(self) -> None:
        """Send what the protocol has to say."""
        transport = self._transport
        if transport is None:
            self._websocket.data_to_send()
            return
        for data in self._websocket.data_to_send():
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
            else:  # TLS cannot close one half of a connection.
                transport.close()


async def open_socket(
    url: str, headers: Mapping[str, str], *, names: Names, tls: ssl.SSLContext, timeouts: Timeouts
) -> SidebandSocket:
    """Open a WebSocket within `sideband_open_s`. Follows no redirect: that would carry the key elsewhere.

    Raises InvalidHandshake (InvalidStatus for a refusal), OSError, TimeoutError.
    """
    uri = parse_uri(url)
    async with asyncio.timeout(timeouts.sideband_open_s):
        connected = await names.connect(uri.host, uri.port)
        _, opening = await asyncio.get_running_loop().create_connection(
            lambda: SidebandSocket(uri, headers, timeouts),
            sock=connected,
            ssl=tls if uri.secure else None,
            server_hostname=uri.host if uri.secure else None,
        )
        try:
            await opening.opened()
        except BaseException:
            opening.abort()
            raise
        return opening
