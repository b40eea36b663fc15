"""Connects to the voice API, keeps connections for its requests, and gives one away for a sideband.

A WebSocket may begin on any connection of HTTP/1.1 (RFC 9110, 7.8). The sideband of a call follows the
request that has answered it, so it needs no handshakes of its own, of TCP or of TLS.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from websockets.headers import build_host
from websockets.uri import WebSocketURI
from yarl import URL

from runner.model.http import HttpReply
from runner.serve.api_connection import ApiConnection
from runner.serve.head_first import Turns
from runner.serve.names import NameResolver
from runner.serve.reply_body import ACCEPT_ENCODING
from runner.serve.tls import client_context

FRESH_S = 1.0
"""Since a connection was used last. The API may be about to close an older one."""
IDLE_S = 15.0
"""How long a connection is kept for another request. Servers close theirs after a minute or more."""
_FORBIDDEN = frozenset("\r\n\0")
"""Would end a header (RFC 9110, 5.5), such as the line break behind a key in a file."""


class NotConnectedError(Exception):
    """There is no connection, so nothing was sent."""


class _Idle(NamedTuple):
    connection: ApiConnection
    since: float
    expiry: asyncio.TimerHandle


class ApiConnections:
    """The connections to one API that carry requests. Needs a running event loop."""

    def __init__(
        self, base_url: str, *, names: NameResolver | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        """`base_url` stands before the path of every request."""
        self.base_url = base_url.rstrip("/")
        url = URL(self.base_url)
        self._host, self._port, self._is_secure = url.raw_host or "", url.port or 0, url.scheme == "https"
        self._path = url.raw_path.rstrip("/")
        self._head = (
            f"Host: {build_host(self._host, self._port, self._is_secure)}\r\n"
            f"User-Agent: phone-agents\r\nAccept: */*\r\nAccept-Encoding: {ACCEPT_ENCODING}\r\n"
        )
        self._names = names or NameResolver(threads=1)
        self._tls = (tls or client_context()) if self._is_secure else None
        self._turns = Turns(asyncio.get_running_loop())
        self._idle: deque[_Idle] = deque()
        """The one that was used last comes last, and is taken first: those before it expire in order."""

    async def send(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | None,
        *,
        is_sent_once: bool = False,
    ) -> HttpReply:
        """Send a request, once, and return its reply. Follows no redirect: that would carry the key along.

        A request that is lost on a connection that the API was closing cannot be told from one that was
        carried out. So one that will not be repeated goes on a connection that was just used, or a new one.

        Raises NotConnectedError, ValueError for a header that HTTP cannot hold, and what
        `ApiConnection.exchange` raises.
        """
        request = self._request(method, path, headers, body or b"")
        connection = self._kept(FRESH_S if is_sent_once else IDLE_S) or await self._open()
        try:
            reply = await connection.exchange(request)
        except BaseException:
            connection.abort()
            raise
        if connection.is_open:
            self._keep(connection)
        else:
            connection.abort()
        return reply

    def give_away(self) -> asyncio.Transport | None:
        """A connection that has just carried a request, and carries no other from now on."""
        connection = self._kept(FRESH_S)
        return None if connection is None else connection.give_away()

    def socket_uri(self, path: str) -> WebSocketURI:
        """The address of a WebSocket at this path, which may have a query."""
        path, _, query = path.partition("?")
        return WebSocketURI(self._is_secure, self._host, self._port, self._path + path, query)

    def close(self) -> None:
        """Close the connections that no request uses."""
        while self._idle:
            idle = self._idle.pop()
            idle.expiry.cancel()
            idle.connection.abort()

    def _request(self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
        fields = ""
        for name, value in headers:
            if not _FORBIDDEN.isdisjoint(value):
                raise ValueError("a header with a control character")
            fields += f"{name}: {value}\r\n"
        head = (
            f"{method} {self._path}{path} HTTP/1.1\r\n{self._head}{fields}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def _open(self) -> ApiConnection:
        try:
            _, connection = await self._names.open(
                lambda: ApiConnection(self._turns), self._host, self._port, tls=self._tls
            )
        except OSError as error:
            raise NotConnectedError(f"cannot connect to {self._host}:{self._port}: {error}") from error
        return connection

    def _kept(self, longest_s: float) -> ApiConnection | None:
        while self._idle and time.monotonic() - self._idle[-1].since <= longest_s:
            idle = self._idle.pop()
            idle.expiry.cancel()
            if idle.connection.is_open:
                return idle.connection
        return None

    def _keep(self, connection: ApiConnection) -> None:
        expiry = asyncio.get_running_loop().call_later(IDLE_S, self._expire)
        self._idle.append(_Idle(connection, time.monotonic(), expiry))

    def _expire(self) -> None:
        if self._idle:
            self._idle.popleft().connection.abort()
