"""Sends one attempt of a tool's request and returns the result. Never retries, redirects or raises."""

import asyncio
import os
import time
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from runner import __version__
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.serve.bulkhead import Bulkhead
from runner.serve.egress import AddressForbiddenError
from runner.serve.head_first import read_heads_first
from runner.serve.metrics import Metrics
from runner.serve.reply_body import ACCEPT_ENCODING, CUT, BodyError, read_body

PLACES = 1024
"""Requests in flight together, by default."""
MOST_HOSTS = 100
"""Hosts that metrics name; templates may make up more, which count as "other"."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The one deadline is `HttpRequest.timeout_s`; aiohttp's own would round it up to whole seconds."""


class Sender(Protocol):
    """Sends one attempt of a request to an endpoint. Raises only CancelledError."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """The reply, or why there is none."""


class ToolClient:
    """One pool of connections to the users' endpoints, shared by all calls.

    The connector decides where it may connect: `runner.serve.egress.GuardedConnector` in service, an
    `aiohttp.UnixConnector` where one local server plays every host (it speaks plain HTTP for `https`
    addresses too). The client owns the connector and closes it. `Bulkhead` bounds the requests in flight and
    shares them among hosts.
    """

    def __init__(
        self, connector: aiohttp.BaseConnector, *, places: int = PLACES, metrics: Metrics | None = None
    ) -> None:
        """`places`: requests in flight together, to all hosts. Needs a running event loop."""
        self._metrics = metrics or Metrics()
        self._bulkhead = Bulkhead(places, on_wait=self._waits)
        self._hosts: set[str] = set()
        read_heads_first(connector)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"phone-agents/{__version__}", "Accept-Encoding": ACCEPT_ENCODING},
            auto_decompress=False,
            # A request is sent as it was built: aiohttp would call an untyped body octet-stream.
            skip_auto_headers=("Content-Type",),
            timeout=_NO_TIMEOUT,
            middlewares=(_send_once,),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def send(self, request: HttpRequest) -> HttpReply:
        """One attempt: the reply of any status, or why there is none. Raises nothing but CancelledError.

        `timeout_s` covers waiting for a place, resolving, connecting, sending and reading.
        """
        started = time.perf_counter()
        host = _host_of(request)
        has_place = False
        try:
            async with asyncio.timeout(request.timeout_s), self._bulkhead.place(host):
                has_place = True
                with self._metrics.endpoint_requests.labels(host=self._label(host)).track_inprogress():
                    reply = await self._exchange(request)
        # Whatever goes wrong with an endpoint, the call continues; CancelledError is not an Exception.
        except Exception as error:
            failure, detail = _explain(error, request)
            if not has_place:
                detail = f'too many requests to "{host}" are under way'
            reply = HttpReply(failure=failure, detail=detail)
        took_s = time.perf_counter() - started
        result = reply.failure.value if reply.failure else f"{(reply.status or 0) // 100}xx"
        self._metrics.endpoint_seconds.labels(host=self._label(host), result=result).observe(took_s)
        return replace(reply, took_s=took_s)

    def _waits(self, host: str) -> None:
        self._metrics.endpoint_waits.labels(host=self._label(host)).inc()

    def _label(self, host: str) -> str:
        if host not in self._hosts:
            if len(self._hosts) >= MOST_HOSTS:
                return "other"
            self._hosts.add(host)
        return host

    async def _exchange(self, request: HttpRequest) -> HttpReply:
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
        ) as response:
            try:
                body = await read_body(response)
            except BodyError as error:
                status = response.status if error.failure is Failure.TOO_LARGE else None
                return HttpReply(status=status, failure=error.failure, detail=error.detail)
            return HttpReply(
                status=response.status, body=body, content_type=response.headers.get("Content-Type", "")
            )


def _host_of(request: HttpRequest) -> str:
    """Host and port, as bulkheads and metrics name them; empty for a text that is not a URL."""
    try:
        return urlsplit(request.url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


class _BrokenError(Exception):
    """The connection broke before a reply began."""


async def _send_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a GET or PUT by itself when the connection breaks: the endpoint would see
    two attempts where one was declared.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError:
        raise _BrokenError("the connection was closed before a reply") from None
    except aiohttp.ClientOSError as error:
        raise _BrokenError(f"the connection broke: {_reason(error)}") from None


def _explain(error: Exception, request: HttpRequest) -> tuple[Failure, str]:
    """What failed, without path, query and headers: they may hold secrets."""
    match error:
        case AddressForbiddenError():
            return Failure.FORBIDDEN, str(error)
        case TimeoutError():
            return Failure.TIMEOUT, f"no complete reply within {request.timeout_s:g} s"
        case aiohttp.ClientConnectorDNSError(host=host):
            detail = f'"{host}" cannot be resolved'
        case aiohttp.ClientConnectorCertificateError(host=host, certificate_error=cause):
            detail = f'the certificate of "{host}" is not accepted: {getattr(cause, "verify_message", cause)}'
        case aiohttp.ClientConnectorSSLError(host=host, os_error=cause):
            detail = f'TLS with "{host}" failed: {getattr(cause, "reason", None) or type(cause).__name__}'
        case aiohttp.ClientConnectorError(host=host, port=port, os_error=cause):
            detail = f'no connection to "{host}" port {port}: {_reason(cause)}'
        case _BrokenError():
            return Failure.BROKEN, str(error)
        case aiohttp.ClientPayloadError():
            return Failure.BROKEN, CUT
        case aiohttp.ClientResponseError():
            return Failure.BROKEN, "the reply is not HTTP"
        case aiohttp.InvalidURL():
            detail = "the URL is not valid"
        case _:
            detail = f"the request cannot be sent: {type(error).__name__}"
    return Failure.CONNECTION, detail


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__
