"""The opening handshake of a WebSocket client (RFC 6455, 4.1): bytes to send, and what to make of the reply.

The one reply that nearly all servers give is recognised here; whatever else comes is read, and refused with
its reason, by `websockets`, which takes several times as long.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache

from websockets.client import ClientProtocol
from websockets.headers import build_host
from websockets.protocol import State
from websockets.uri import WebSocketURI

END_OF_HEAD = b"\r\n\r\n"
MOST_HEAD_BYTES = 64 * 1024
"""Beyond that `websockets` is given what has come of the head, and keeps to bounds of its own."""
_STATUS = b"HTTP/1.1 101 "
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NEGOTIATED = frozenset({b"sec-websocket-extensions", b"sec-websocket-protocol"})

_host = lru_cache(maxsize=16)(build_host)


class Handshake:
    """One handshake, asking for no extension and no subprotocol."""

    __slots__ = ("_key", "_protocol", "_seen", "_uri", "request")

    def __init__(self, uri: WebSocketURI, headers: Mapping[str, str]) -> None:
        """`headers` are sent besides those of the handshake."""
        self._uri = uri
        self._key = base64.b64encode(os.urandom(16)).decode()
        self._seen = b""
        self._protocol: ClientProtocol | None = None
        """For a reply that is not the usual one."""
        fields = {
            "Host": _host(uri.host, uri.port, uri.secure),
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": self._key,
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.request = f"GET {uri.resource_name} HTTP/1.1\r\n{lines}\r\n".encode()

    def receive(self, data: bytes) -> bytes | None:
        """Bytes of the reply. Returns those that follow it; None while it is incomplete.

        Raises InvalidHandshake, e.g. InvalidStatus with a refusal and its body.
        """
        if self._protocol is None:
            self._seen += data
            end = self._seen.find(END_OF_HEAD) + len(END_OF_HEAD)
            if end < len(END_OF_HEAD):
                if len(self._seen) > MOST_HEAD_BYTES:
                    self._fall_back(self._seen)
                return None
            head, data = self._seen[:end], self._seen[end:]
            if self._is_usual(head) or self._fall_back(head).state is State.OPEN:
                return data
        if self._protocol is not None:
            self._protocol.receive_data(data)
            self._check(self._protocol)
        return None

    def receive_eof(self) -> None:
        """No more will come. Raises InvalidHandshake."""
        protocol = self._protocol or self._fall_back(self._seen)
        protocol.receive_eof()
        self._check(protocol)

    def _fall_back(self, seen: bytes) -> ClientProtocol:
        protocol = self._protocol = ClientProtocol(self._uri)
        protocol.key = self._key
        protocol.receive_data(seen)
        self._check(protocol)
        return protocol

    def _check(self, protocol: ClientProtocol) -> None:
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc

    def _is_usual(self, head: bytes) -> bool:
        """Whether the reply is as in the RFC, without a field twice and without anything negotiated."""
        status, *lines = head[: -len(END_OF_HEAD)].split(b"\r\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip(b" \t")
        return (
            status.startswith(_STATUS)
            and len(fields) == len(lines)
            and fields.get(b"upgrade", b"").lower() == b"websocket"
            and fields.get(b"connection", b"").lower() == b"upgrade"
            and fields.get(b"sec-websocket-accept") == _accept(self._key)
            and not fields.keys() & _NEGOTIATED
        )


def _accept(key: str) -> bytes:
    return base64.b64encode(hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest())
