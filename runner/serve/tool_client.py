"""Sends one attempt of a tool's request and says what came of it. Never retries, follows or raises."""

import asyncio
import os
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from runner import __version__
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.serve.egress import AddressForbiddenError

MAX_REPLY_BYTES = 1024 * 1024
"""A longer reply is refused. Counted after decompression, so a small bomb is a large reply."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The one deadline is `HttpRequest.timeout_s`; aiohttp's own would round it up to whole seconds."""


class ToolClient:
    """One pool of connections to the users' endpoints, shared by all calls.

    Where it may connect to is the connector's matter: `runner.serve.egress.GuardedConnector` in service,
    an `aiohttp.UnixConnector` where every host is to be played by one local server (it speaks plain HTTP
    for `https` addresses too). The client owns the connector and closes it.
    """

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        """Wants a running event loop."""
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"phone-agents/{__version__}"},
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

        `timeout_s` covers waiting for a connection, resolving, connecting, sending and reading.
        """
        started = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout_s):
                reply = await self._exchange(request)
        # Whatever goes wrong with an endpoint, the call goes on; CancelledError is no Exception.
        except Exception as error:
            failure, detail = _explain(error, request)
            reply = HttpReply(failure=failure, detail=detail)
        return replace(reply, took_s=time.perf_counter() - started)

    async def _exchange(self, request: HttpRequest) -> HttpReply:
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
        ) as response:
            body = await _read(response)
            if body is None:
                detail = f"the reply is longer than {MAX_REPLY_BYTES} bytes"
                return HttpReply(status=response.status, failure=Failure.TOO_LARGE, detail=detail)
            return HttpReply(
                status=response.status, body=body, content_type=response.headers.get("Content-Type", "")
            )


class _BrokenError(Exception):
    """The connection broke before a reply began."""


async def _send_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a GET or PUT again by itself when the connection breaks: the endpoint would
    see two attempts where one was declared."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError:
        raise _BrokenError("the connection was closed before a reply") from None
    except aiohttp.ClientOSError as error:
        raise _BrokenError(f"the connection broke: {_reason(error)}") from None


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body, or None as soon as it is too long: leaving it unread closes the connection."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            return None
    return bytes(body)


def _explain(error: Exception, request: HttpRequest) -> tuple[Failure, str]:
    """What failed, in words that hold no path, no query and no header: they may hold secrets."""
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
            detail = str(error)
        case aiohttp.ClientPayloadError():
            detail = "the reply was cut off or cannot be decoded"
        case aiohttp.ClientResponseError():
            detail = "the reply is not HTTP"
        case aiohttp.InvalidURL():
            detail = "the URL is not valid"
        case _:
            detail = f"the request cannot be sent: {type(error).__name__}"
    return Failure.CONNECTION, detail


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__
