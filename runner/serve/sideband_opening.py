"""Opens the WebSocket of a sideband: on a connection of its own, or on one that has carried requests."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import cast

from websockets.exceptions import WebSocketException
from websockets.uri import WebSocketURI

from runner.serve.names import NameResolver
from runner.serve.pings import Pings
from runner.serve.sideband_socket import SidebandSocket
from runner.serve.timeouts import Timeouts
from runner.serve.websocket_handshake import Handshake


async def open_socket(
    uri: WebSocketURI,
    headers: Mapping[str, str],
    *,
    names: NameResolver,
    tls: ssl.SSLContext,
    timeouts: Timeouts,
    pings: Pings,
) -> SidebandSocket:
    """Open a WebSocket within `sideband_open_s`. Follows no redirect: that would carry the key elsewhere.

    `names`, `tls` and `pings` are shared by all sockets.

    Raises InvalidHandshake (InvalidStatus for a refusal), OSError, TimeoutError.
    """
    async with asyncio.timeout(timeouts.sideband_open_s):
        _, opening = await names.open(
            lambda: _Opening(uri, headers, timeouts, pings),
            uri.host,
            uri.port,
            tls=tls if uri.secure else None,
        )
        return await opening.opened()


async def upgrade(
    transport: asyncio.Transport,
    uri: WebSocketURI,
    headers: Mapping[str, str],
    timeouts: Timeouts,
    pings: Pings,
) -> SidebandSocket:
    """Open a WebSocket on a connection that has carried requests. Raises InvalidHandshake, OSError."""
    opening = _Opening(uri, headers, timeouts, pings)
    transport.set_protocol(opening)
    opening.connection_made(transport)
    return await opening.opened()


class _Opening(asyncio.Protocol):
    """A connection until the handshake is over. Thousands of sockets keep nothing of it."""

    def __init__(
        self, uri: WebSocketURI, headers: Mapping[str, str], timeouts: Timeouts, pings: Pings
    ) -> None:
        self._handshake = Handshake(uri, headers)
        self._timeouts = timeouts
        self._pings = pings
        self._transport: asyncio.Transport | None = None
        self._socket: asyncio.Future[SidebandSocket] = asyncio.get_running_loop().create_future()

    async def opened(self) -> SidebandSocket:
        """Wait for the handshake. Raises InvalidHandshake, e.g. InvalidStatus, or OSError."""
        try:
            return await self._socket
        except BaseException:
            self._abort()
            raise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._handshake.request)

    def data_received(self, data: bytes) -> None:
        try:
            rest = self._handshake.receive(data)
        except WebSocketException as refusal:
            self._refused(refusal)
            return
        if rest is None or self._transport is None or self._socket.done():
            return
        # Whoever waits learns that the socket is open, and listens, before more is read.
        socket = SidebandSocket(self._transport, self._timeouts, self._pings)
        self._transport.set_protocol(socket)
        self._socket.set_result(socket)
        if rest:
            socket.data_received(rest)

    def eof_received(self) -> None:
        try:
            self._handshake.receive_eof()
        except WebSocketException as refusal:
            self._refused(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._socket.done():
            self._socket.set_exception(exc or ConnectionResetError("the connection was closed"))

    def _refused(self, refusal: WebSocketException) -> None:
        if not self._socket.done():
            self._socket.set_exception(refusal)
        self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
