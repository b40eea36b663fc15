"""The WebSocket protocol (RFC 6455) after the handshake, for frames that are not messages by themselves.

`websockets` implements it. It is made with the first such frame, since thousands of sockets are open and most
never need it.
"""

from typing import NamedTuple

from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State


class Received(NamedTuple):
    """What frames have brought."""

    messages: list[bytes]
    """Those that are complete now."""
    has_pong: bool


class WebSocketProtocol:
    """The protocol of one open connection, without I/O: send `data_to_send` after each call."""

    __slots__ = ("_most_bytes", "_parts", "_protocol")

    def __init__(self, most_bytes: int) -> None:
        """A message of more bytes is an error."""
        self._most_bytes = most_bytes
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=most_bytes)
        self._parts: bytearray | None = None
        """What has come of a message in several frames."""

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
        return self._protocol.state is State.OPEN

    @property
    def is_ending(self) -> bool:
        """Whether the peer is to close the connection now."""
        return self._protocol.close_expected()

    @property
    def close_frame(self) -> Close | None:
        """How the peer has closed the connection; None when it has not."""
        return self._protocol.close_rcvd

    @property
    def error(self) -> str:
        """What the peer has done wrong; empty when nothing."""
        error = self._protocol.parser_exc
        if error is None:
            return ""
        if isinstance(error, PayloadTooBig):
            return f"an event is larger than {self._most_bytes:,} bytes"
        return f"not a valid frame: {error}"

    def receive(self, data: bytes) -> Received:
        """Bytes of the peer. Pings and closes are answered here."""
        self._protocol.receive_data(data)
        messages, has_pong = [], False
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame):
                continue
            if frame.opcode is Opcode.PONG:
                has_pong = True
            elif (message := self._message(frame)) is not None:
                messages.append(message)
        return Received(messages, has_pong)

    def receive_eof(self) -> None:
        """The peer sends no more."""
        self._protocol.receive_eof()

    def close(self) -> None:
        """Begin to close the connection."""
        self._protocol.send_close(CloseCode.NORMAL_CLOSURE)

    def fail(self, reason: str) -> None:
        """Give the connection up."""
        self._protocol.fail(CloseCode.INTERNAL_ERROR, reason)

    def data_to_send(self) -> list[bytes]:
        """What is to be sent; an empty one closes our half of the connection."""
        return self._protocol.data_to_send()

    def _message(self, frame: Frame) -> bytes | None:
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            # A whole one comes here behind others that do not.
            self._parts = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._parts is not None:
            self._parts += frame.data
        else:
            return None
        if not frame.fin:
            return None
        message, self._parts = bytes(self._parts), None
        return message
