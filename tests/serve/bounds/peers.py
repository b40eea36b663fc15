"""Peers that speak TLS badly, or not at all, for whoever connects to them."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_ALERT = bytes((21, 3, 3, 0, 2, 2, 40))
"""A fatal one: handshake_failure (RFC 8446, 6.2)."""
_HELLO_REQUESTS = bytes((22, 3, 3, 0x40, 0)) + bytes(0x4000)
"""A whole record of messages that a client ignores while it shakes hands (RFC 5246, 7.4.1.1)."""


class Peers:
    """One port at all loopback addresses, with a peer at each."""

    def __init__(self) -> None:
        self.at: dict[str, Peer] = {}
        """By address; the others hang up at once."""
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin."""
        self._server = await asyncio.start_server(self._meet, "0.0.0.0", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End."""
        if self._server is not None:
            self._server.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address: str = writer.get_extra_info("sockname")[0]
        await met(self.at.get(address), reader, writer)


async def met(peer: Peer | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a peer have this connection, to its end."""
    try:
        if peer is not None:
            with suppress(OSError):  # TLS's errors are such
                await peer(reader, writer)
    finally:
        writer.transport.abort()


async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Take all that comes, and let the handshake wait."""
    while await reader.read(1 << 16):
        pass


async def hangs_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Close in the middle of the handshake."""
    await reader.read(1)


async def alerts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse the handshake, as TLS wants it."""
    await reader.read(1)
    writer.write(_ALERT)
    await writer.drain()


async def speaks_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a port without TLS does."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def talks_on(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never come to the end of the handshake."""
    while not writer.transport.is_closing():
        writer.write(_HELLO_REQUESTS)
        await writer.drain()
        # Others live on this loop too.
        await asyncio.sleep(0.01)


def shows(context: ssl.SSLContext) -> Peer:
    """Serve one request with this certificate."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(context)
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{"ok":true}')
            await writer.drain()
            await reader.read()

    return serve
