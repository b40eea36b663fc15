"""One WebSocket to the voice API. Hands on each message as it arrives, without a task or a queue in between.

Adds bytes and deadlines to protocols without I/O. Messages of one frame, pings and pongs, which are nearly
all, are handled here: after the handshake a socket keeps nothing of the whole protocol until another frame
comes, since thousands are open. The content of messages is not read here.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from websockets.frames import Close, Frame, Opcode

from runner.serve.pings import Pings
from runner.serve.reading_turns import SLICE_BYTES, ReadingTurns
from runner.serve.timeouts import Timeouts
from runner.serve.websocket_frames import ForProtocol, FrameCutter
from runner.serve.websocket_protocol import WebSocketProtocol

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
        "_has_pong",
        "_loop",
        "_pings",
        "_protocol",
        "_receive",
        "_stall_timer",
        "_timeouts",
        "_transport",
        "_turns",
        "cut_because",
    )

    def __init__(self, transport: asyncio.Transport, timeouts: Timeouts, pings: Pings) -> None:
        """On a connection whose handshake is over. Needs a running event loop."""
        self.cut_because = ""
        """Why we have cut the connection, if we have."""
        self._pings = pings
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._protocol: WebSocketProtocol | None = None
        """From the first frame on that is not handled here."""
        self._transport: asyncio.Transport | None = transport
        """Until the connection is lost."""
        self._closed: asyncio.Future[Close | None] | None = None
        """Once somebody waits for the end, or it has come: thousands of sockets are open."""
        self._receive: Receive | None = None
        self._ended: Callable[[], None] | None = None
        self._turns: ReadingTurns | None = None
        """While something that has come waits."""
        self._frames = FrameCutter(MAX_MESSAGE_BYTES)
        self._has_pong = True
        self._stall_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        pings.expect(self._ping)

    # For the call

    def listen(self, receive: Receive, ended: Callable[[], None] | None = None) -> None:
        """Hand on every message from now on, beginning with those that have come already.

        `ended` is called once the connection has ended; `closed` then returns without waiting. An error in
        `receive` ends the connection, and `closed` raises it.
        """
        self._receive, self._ended = receive, ended
        if self._closed is not None and self._closed.done():
            self._tell_end()
            return
        if self._turns is not None:
            self._turns.take()

    def send(self, message: str) -> None:
        """Send a message. Without a connection it is lost: `closed` reports that."""
        self._write(Frame(Opcode.TEXT, message.encode("utf-8", "surrogatepass")))

    async def closed(self) -> Close | None:
        """Wait for the end; returns how the peer closed the connection, None when it was just lost."""
        return await asyncio.shield(self._end())

    async def close(self) -> None:
        """Close the connection, within `sideband_close_s` whatever the peer does. Safe at any time."""
        if self._is_open:
            protocol = self._whole_protocol()
            protocol.close()
            self._flush(protocol)
        try:
            async with asyncio.timeout(self._timeouts.sideband_close_s):
                await asyncio.wait([self._end()])
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def data_received(self, data: bytes) -> None:
        receive = self._receive
        if self._turns is not None:
            self._turns.add(data)
        elif receive is not None and len(data) <= SLICE_BYTES:
            message = self._frames.whole_message(data)
            if message is None:
                self._take(data)
                return
            try:
                receive(message)
            except Exception as error:
                self._give_up(error)
        else:
            turns = self._in_turns()
            turns.add(data)
            if self._receive is not None:
                turns.take()
            else:
                turns.hold()

    def _take(self, data: bytes) -> None:
        receive = self._receive
        if receive is None:
            return
        try:
            for piece in self._frames.cut(data):
                if type(piece) is bytes:
                    receive(piece)
                elif isinstance(piece, ForProtocol):
                    for message in self._frame_received(piece.data):
                        receive(message)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Who receives the messages has failed."""
        self._receive = None
        self._end().set_exception(error)
        self._tell_end()
        self.abort()

    def eof_received(self) -> None:
        """The peer sends no more: the connection is closed."""
        protocol = self._whole_protocol()
        protocol.receive_eof()
        self._flush(protocol)

    def pause_writing(self) -> None:
        """The peer does not read what is sent."""
        longest_s = self._timeouts.sideband_ping_s
        self._stall_timer = self._loop.call_later(longest_s, self._fail, "the peer does not read")

    def resume_writing(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._stall_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._transport = self._receive = self._turns = None
        if not self._end().done():
            self._end().set_result(self._protocol.close_frame if self._protocol is not None else None)
            self._tell_end()

    # Inside

    @property
    def _is_open(self) -> bool:
        return self._transport is not None and (self._protocol is None or self._protocol.is_open)

    def _frame_received(self, data: bytes) -> list[bytes]:
        """A frame that is not a message. Answers a ping and ignores a pong; others go to the whole protocol.
        Returns the messages that are complete now.
        """
        if self._protocol is None and data[0] in {_PING, _PONG} and data[1] <= MOST_CONTROL_BYTES:
            if data[0] == _PONG:
                self._has_pong = True
            else:
                self._write(Frame(Opcode.PONG, data[2:]))
            return []
        protocol = self._whole_protocol()
        received = protocol.receive(data)
        self._has_pong = self._has_pong or received.has_pong
        if protocol.error and not self.cut_because:
            self._cut(protocol.error)
        self._flush(protocol)
        if self._close_timer is None and protocol.is_ending:
            self._close_timer = self._loop.call_later(self._timeouts.sideband_close_s, self.abort)
        return received.messages

    def _whole_protocol(self) -> WebSocketProtocol:
        if self._protocol is None:
            self._protocol = WebSocketProtocol(MAX_MESSAGE_BYTES)
        return self._protocol

    def _in_turns(self) -> ReadingTurns:
        """From now on, until all is taken. There is a connection, or nothing could have come."""
        turns = self._turns = ReadingTurns(
            cast(asyncio.Transport, self._transport), self._take, self._all_taken
        )
        return turns

    def _all_taken(self) -> None:
        self._turns = None

    def _end(self) -> asyncio.Future[Close | None]:
        if self._closed is None:
            self._closed = self._loop.create_future()
        return self._closed

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
        self._whole_protocol().fail(reason)
        self.abort()

    def _cut(self, reason: str) -> None:
        self.cut_because = reason
        log.warning("sideband is cut", extra={"reason": reason})

    def _write(self, frame: Frame) -> None:
        """Send a frame of our own, which clients mask (RFC 6455, 5.3)."""
        if self._is_open and self._transport is not None:
            self._transport.write(frame.serialize(mask=True))
            self._bound_unsent()

    def _flush(self, protocol: WebSocketProtocol) -> None:
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
