"""Connects to the voice API, and gives a connection away for a sideband once it has carried a request.

A WebSocket may begin on any connection of HTTP/1.1 (RFC 9110, 7.8). The sideband of a call follows the
request that has answered it, so it needs no handshakes of its own, of TCP or of TLS.
"""

import asyncio
import ssl
import time
from typing import cast

import aiohttp
from aiohttp.client import ClientTimeout
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from runner.serve.head_first import read_heads_first
from runner.serve.names import NameResolver

FRESH_S = 1.0
"""Since a connection was used last. The API may be about to close an older one."""


class ApiConnector(aiohttp.TCPConnector):
    """The connections to one API that carry requests. Needs a running event loop."""

    def __init__(self, *, names: NameResolver, tls: ssl.SSLContext) -> None:
        # No limit: with aiohttp's own of 100, callers would keep ringing until others are answered.
        super().__init__(limit=0, resolver=names)
        self._names = names
        self._tls = tls
        read_heads_first(self)

    def give_away(self, host: str, port: int) -> asyncio.Transport | None:
        """A connection to this host that has just carried a request, and carries no other from now on."""
        # aiohttp has no public way to take a connection out of its pool.
        for key, idle in self._conns.items():
            if (key.host, key.port) == (host, port):
                protocol, since = idle[-1]
                if time.monotonic() - since > FRESH_S or protocol.should_close or not protocol.is_connected():
                    return None
                idle.pop()
                if not idle:
                    del self._conns[key]
                transport = cast(asyncio.Transport, protocol.transport)
                # Its parts refer to each other, and thousands would wait for the garbage collector.
                protocol._parser = protocol._payload = None
                return transport
        return None

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - the name is aiohttp's
    ) -> ResponseHandler:
        """Connect as sidebands do. aiohttp calls `sock_connect`, for which uvloop asks a thread each time."""
        host, port = req.url.raw_host or "", req.port or 0
        try:
            connected = await self._names.connect(host, port)
            _, protocol = await asyncio.get_running_loop().create_connection(
                self._factory,
                sock=connected,
                ssl=self._tls if req.is_ssl() else None,
                server_hostname=host if req.is_ssl() else None,
            )
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        return protocol
