"""Cuts the bytes of a WebSocket server into frames (RFC 6455, 5.2), and knows no more of the protocol.

Nearly all that the voice API sends are short messages of one frame each. Finding the end of one takes a
fraction of the time of a protocol that must handle everything.
"""

from dataclasses import dataclass
from typing import TypeAlias

_EVENT = b"\x81\x7e"
"""How nearly all events begin: a text message in one frame, whose length is in the next two bytes."""
_MESSAGES = frozenset({0x81, 0x82})
"""First bytes of a text or binary message in one frame."""
_BEGINS = frozenset({0x01, 0x02})
"""First bytes of a message that other frames continue."""
_ENDS = 0x80
"""The first byte of the last frame of such a message."""


@dataclass(frozen=True, slots=True)
class ForProtocol:
    """A whole frame that is not a message by itself, or bytes that no server may send and all that follow."""

    data: bytes


Piece: TypeAlias = bytes | ForProtocol
"""A message, or bytes for the protocol."""


class FrameCutter:
    """Keeps the bytes of an incomplete frame until the rest comes."""

    __slots__ = ("_is_in_parts", "_is_lost", "_most_bytes", "_unread", "_wanted")

    def __init__(self, most_bytes: int) -> None:
        """A frame of more than `most_bytes` is left to the protocol, which refuses it."""
        self._most_bytes = most_bytes
        self._unread: bytearray | None = None
        self._wanted = 0
        self._is_in_parts = False
        self._is_lost = False

    def whole_message(self, data: bytes) -> bytes | None:
        """The message, if it is all that has come, as nearly always. `cut` finds the same."""
        if (
            data.startswith(_EVENT)
            and int.from_bytes(data[2:4], "big") == len(data) - 4 <= self._most_bytes
            and self._unread is None
            and not self._is_in_parts
            and not self._is_lost
        ):
            return data[4:]
        return None

    def cut(self, data: bytes) -> list[Piece]:
        """The pieces that are complete now."""
        if self._is_lost:
            return [ForProtocol(data)]
        if self._unread is not None:
            self._unread += data
            if len(self._unread) < self._wanted:
                return []
            data, self._unread, self._wanted = bytes(self._unread), None, 0
        pieces: list[Piece] = []
        at, size = 0, len(data)
        while at + 2 <= size:
            length, start = data[at + 1], at + 2
            if length >= 126:
                start = at + (4 if length == 126 else 10)
                if size < start and length <= 127:
                    break
                length = self._most_bytes + 1 if length > 127 else int.from_bytes(data[at + 2 : start], "big")
                if length > self._most_bytes:
                    # Too large, or masked, which servers must not do.
                    self._is_lost = True
                    return [*pieces, ForProtocol(data[at:])]
            end = start + length
            if end > size:
                self._keep(data, at, end - at)
                return pieces
            if data[at] in _MESSAGES and not self._is_in_parts:
                pieces.append(data[start:end])
            else:
                self._is_in_parts = data[at] in _BEGINS or (self._is_in_parts and data[at] != _ENDS)
                pieces.append(ForProtocol(data[at:end]))
            at = end
        if at < size:
            self._keep(data, at, 2)
        return pieces

    def _keep(self, data: bytes, at: int, wanted: int) -> None:
        self._unread, self._wanted = bytearray(data[at:]), wanted
