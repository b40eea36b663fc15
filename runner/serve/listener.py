"""The listening side of HTTP: who may keep a connection, for how long, and how many there may be.

aiohttp serves the requests. It has no deadline for a request's head and no bound on connections, so both are
kept here. Knows no path and no handler.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.listener")

SERVER = "phone-agents"
"""The `Server` header. aiohttp's own reveals the versions of everything."""
MAX_HEADERS = 64
MAX_HEADER_BYTES = 4096
LINGER_S = 0.5
"""How long the rest of an unwanted body is read, so that its sender gets to see the answer."""

_TOO_LONG = f"a header or the address is longer than {MAX_HEADER_BYTES:,} bytes\n"
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: phone-agents\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ClosedBecause(Enum):
    """Why we closed a connection. The value is its label in the metrics."""

    HEAD = "head_timeout"
    """No complete request came in time."""
    IDLE = "idle"
    """No request has come since the last one."""
    STALLED = "stalled"
    """The client does not read its answer."""
    EVICTED = "evicted"
    """It had waited longest when a place was needed."""
    REFUSED = "refused"
    """There was no place."""
    NOT_HTTP = "not_http"


class Listener:
    """Accepts connections for one application.

    When there is no place for another connection, the one that has waited longest without a complete request
    is closed: a client that opens connections and sends nothing displaces only its own. When all others are
    being served, a new one is refused with 503.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        most: int,
        metrics: Metrics,
        timeouts: Timeouts,
        shares_port: bool = False,
    ) -> None:
        """`most`: connections open together, so that descriptors are left for everything else.

        `shares_port`: other processes listen at the same port, and the kernel spreads connections over them.
        """
        app.middlewares.append(_mark)
        app.on_response_prepare.append(_hide_versions)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=timeouts.shutdown_s)
        self._most = most
        self._shares_port = shares_port
        self._metrics = metrics
        self.timeouts = timeouts
        self._open: dict[ClientConnection, None] = {}
        """In order of waiting, the longest first; connections being served stand anywhere."""
        self._server: asyncio.Server | None = None
        metrics.watch_connections(lambda: len(self._open))

    async def listen(self, host: str, port: int, backlog: int = 128) -> tuple[str, int]:
        """Open the port; returns the address in use. Raises OSError.

        `backlog` is also how many connections may be accepted before the first of them is counted.
        """
        await self._runner.setup()
        server = self._runner.server
        if server is None:
            raise RuntimeError("aiohttp made no server")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ClientConnection(self, server, loop),
            host,
            port,
            backlog=backlog,
            reuse_port=self._shares_port or None,
        )
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return address

    async def close(self) -> None:
        """Stop listening, let requests end within `Timeouts.shutdown_s`, and close every connection."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def admit(self, connection: "ClientConnection") -> bool:
        """Count a new connection, closing another one if necessary; False when there is no place."""
        if len(self._open) >= self._most:
            victim = next((one for one in self._open if one.is_waiting), None)
            log.warning("connection limit reached", extra={"limit": self._most})
            if victim is None:
                self.count(ClosedBecause.REFUSED)
                return False
            # At once: its end is noticed later than the next connections of a burst.
            del self._open[victim]
            victim.drop(ClosedBecause.EVICTED)
        self._open[connection] = None
        return True

    def renew(self, connection: "ClientConnection") -> None:
        """It waits for its next request from now on."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def forget(self, connection: "ClientConnection") -> None:
        """It is closed."""
        self._open.pop(connection, None)

    def count(self, reason: ClosedBecause) -> None:
        """Count a connection that we closed."""
        self._metrics.connections_closed.labels(reason=reason.value).inc()


class ClientConnection(web.RequestHandler):
    """One connection, with a deadline whenever it waits for its client."""

    __slots__ = ("_deadline", "_is_idle", "_listener", "_request", "_send_deadline", "_tcp")

    def __init__(self, listener: Listener, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            # Ours come first, and say why.
            keepalive_timeout=2 * max(listener.timeouts.head_s, listener.timeouts.idle_s),
            access_log=None,  # type: ignore[arg-type]
            # Webhooks are signed as sent; no body is ever decompressed.
            auto_decompress=False,
            lingering_time=LINGER_S,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )
        self._listener = listener
        self._tcp: asyncio.Transport | None = None
        self._request: web.BaseRequest | None = None
        self._is_idle = False
        self._deadline: asyncio.TimerHandle | None = None
        self._send_deadline: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no complete request has arrived."""
        return self._request is None or not self._request.content.is_eof()

    @property
    def has_more(self) -> bool:
        """Whether further requests have come with this one."""
        return bool(self._messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tcp = cast(asyncio.Transport, transport)
        self._tcp = tcp
        super().connection_made(transport)
        self._wait(self._listener.timeouts.head_s, ClosedBecause.HEAD)
        if not self._listener.admit(self):
            tcp.write(_FULL)
            self.force_close()

    def data_received(self, data: bytes) -> None:
        if self._is_idle:
            self._is_idle = False
            self._wait(self._listener.timeouts.head_s, ClosedBecause.HEAD)
        super().data_received(data)

    def pause_writing(self) -> None:
        """The client does not read as fast as we answer."""
        super().pause_writing()
        send_s = self._listener.timeouts.send_s
        self._send_deadline = self._loop.call_later(send_s, self.drop, ClosedBecause.STALLED)

    def resume_writing(self) -> None:
        _cancel(self._send_deadline)
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        _cancel(self._deadline)
        _cancel(self._send_deadline)
        self._tcp = None
        self._listener.forget(self)
        super().connection_lost(exc)

    def begin(self, request: web.BaseRequest) -> None:
        """The head of a request is complete: its handler decides how long it may take."""
        _cancel(self._deadline)
        self._request = request

    def end(self) -> None:
        """The request was answered."""
        self._request = None
        self._is_idle = True
        self._wait(self._listener.timeouts.idle_s, ClosedBecause.IDLE)
        self._listener.renew(self)

    def drop(self, reason: ClosedBecause) -> None:
        """Close the connection at once, whatever is still unsent."""
        if self._tcp is not None:
            self._listener.count(reason)
            self._tcp.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer bytes that are not HTTP, or an error in a handler. Neither log nor answer quotes the
        client."""
        if isinstance(exc, HttpProcessingError):
            self._listener.count(ClosedBecause.NOT_HTTP)
            log.debug("request is not HTTP", extra={"error": type(exc).__name__})
            sentence = _TOO_LONG if isinstance(exc, LineTooLong) else "this is not a valid HTTP request\n"
        else:
            log.error("request failed", exc_info=exc, extra={"method": request.method, "path": request.path})
            sentence = "the request failed\n"
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        response = web.Response(status=status, text=sentence, headers={"Server": SERVER})
        response.force_close()
        return response

    def _wait(self, longest_s: float, reason: ClosedBecause) -> None:
        _cancel(self._deadline)
        self._deadline = self._loop.call_later(longest_s, self.drop, reason)


def refuse_long_body(request: web.Request, most_bytes: int) -> None:
    """Raises HTTPRequestEntityTooLarge when a longer body is announced. aiohttp looks at what has arrived, so
    the sender would be told only after so many bytes, or never.
    """
    announced = request.content_length or 0
    if announced > most_bytes:
        raise web.HTTPRequestEntityTooLarge(max_size=most_bytes, actual_size=announced)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


@web.middleware
async def _mark(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the connection which request it is serving."""
    connection = request.protocol
    if not isinstance(connection, ClientConnection):
        return await handler(request)
    connection.begin(request)
    try:
        if connection.has_more:
            # aiohttp answers what has come together in one turn of the event loop.
            await asyncio.sleep(0)
        return await handler(request)
    finally:
        connection.end()


async def _hide_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER
