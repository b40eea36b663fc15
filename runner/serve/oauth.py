"""Gets the tokens that requests need, keeps them while they are valid, and sends the requests with them.

`runner.call.tools.oauth` builds the requests for tokens and reads the replies. Tokens are never logged.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from runner.call.tools.oauth import ClientAuth, NoToken, Token, token_of_reply, token_request, with_token
from runner.model.http import Failure, Grant, HttpReply, HttpRequest
from runner.model.values import Instant
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import Sender

log = logging.getLogger("runner.serve.oauth")

MOST_GRANTS = 256
"""Tokens that are kept; a rotated secret makes another grant of the same client."""

_Fetch = asyncio.Task[Token | NoToken]


class TokenSender:
    """A sender that adds the token to requests that need one, and passes on all others unchanged.

    Tokens are requested through the same sender as everything else, so that they keep to the same addresses.
    All requests of a grant that need a token at the same time wait for the same one.
    """

    def __init__(
        self, sender: Sender, *, timeouts: Timeouts, clock: Callable[[], Instant] = time.time
    ) -> None:
        """`clock` decides when tokens expire."""
        self._sender = sender
        self._timeouts = timeouts
        self._clock = clock
        self._fetches: dict[Grant, _Fetch] = {}
        """The latest fetch for each grant: in flight, or done with its result."""
        self._running: set[_Fetch] = set()
        self._by_body: set[tuple[str, str]] = set()
        """Clients, by token endpoint and id, that must authenticate in the request body."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """One attempt; a refused token is replaced and the request sent once more.

        `request.timeout_s` covers the wait for tokens too. Raises nothing but CancelledError.
        """
        if request.oauth is None:
            return await self._sender.send(request)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            reply = await self._with_token(request, request.oauth, began + request.timeout_s)
        except TimeoutError:
            detail = f"no token within {request.timeout_s:g} s"
            reply = HttpReply(failure=Failure.TIMEOUT, detail=detail)
        return replace(reply, took_s=loop.time() - began)

    async def close(self) -> None:
        for fetch in self._running:
            fetch.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _with_token(self, request: HttpRequest, grant: Grant, deadline: float) -> HttpReply:
        token: Token | None = None
        while True:
            async with asyncio.timeout_at(deadline):
                grant_token = await self._token(grant, refused=token)
            if isinstance(grant_token, NoToken):
                return grant_token.reply
            left_s = deadline - asyncio.get_running_loop().time()
            reply = await self._sender.send(with_token(request, grant_token, left_s))
            if reply.status != 401 or token is not None:
                return reply
            token = grant_token

    async def _token(self, grant: Grant, *, refused: Token | None) -> Token | NoToken:
        """The token of a grant, but not the one that was just refused. A caller that stops waiting leaves the
        fetch to the others.
        """
        fetch = self._fetches.get(grant)
        if fetch is None or (fetch.done() and not self._is_usable(fetch, refused)):
            fetch = self._begin(grant)
        return await asyncio.shield(fetch)

    def _is_usable(self, done: _Fetch, refused: Token | None) -> bool:
        if done.cancelled() or done.exception() is not None:
            return False
        token = done.result()
        return isinstance(token, Token) and token is not refused and token.is_fresh(self._clock())

    def _begin(self, grant: Grant) -> _Fetch:
        fetch = asyncio.create_task(self._fetch(grant))
        self._running.add(fetch)
        fetch.add_done_callback(self._running.discard)
        self._fetches.pop(grant, None)
        self._fetches[grant] = fetch
        if len(self._fetches) > MOST_GRANTS:
            del self._fetches[next(iter(self._fetches))]
        return fetch

    async def _fetch(self, grant: Grant) -> Token | NoToken:
        client = grant.token_url, grant.client_id
        ways = (ClientAuth.BASIC, ClientAuth.BODY)
        for way in reversed(ways) if client in self._by_body else ways:
            reply = await self._sender.send(token_request(grant, way, self._timeouts.token_s))
            result = token_of_reply(reply, self._clock())
            _log(grant, way, reply, result)
            if isinstance(result, Token):
                (self._by_body.add if way is ClientAuth.BODY else self._by_body.discard)(client)
                return result
            if not result.asks_otherwise:
                break
        return result


def _log(grant: Grant, way: ClientAuth, reply: HttpReply, result: Token | NoToken) -> None:
    extra = {
        "host": urlsplit(grant.token_url).hostname,
        "client_auth": way.value,
        "took_s": round(reply.took_s, 3),
    }
    if isinstance(result, Token):
        log.info("token was obtained", extra=extra)
    else:
        log.warning("token could not be obtained", extra={**extra, "detail": result.reply.detail})
