"""Serves a page's requests about its own live call: hang up, report its media, follow it.

A load balancer may choose any runner, and the call may have moved since it was answered: a runner that does
not serve it forwards the request to the one that does. A call between two runners is waited for, as long as a
takeover may take.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager, suppress

from aiohttp import web

from runner.model.call import Ringing, WebRtcOrigin
from runner.serve.browser.admission import Admission, bearer, bearer_or_body, call_id_for
from runner.serve.browser.origins import check_origin, shared_with
from runner.serve.browser.peers import PagePeers, RunnerOfCall
from runner.serve.browser.refusal import RETRY_AFTER, RefusedError
from runner.serve.browser.watch import BrowserWatch
from runner.serve.forwarding import AGAIN_S, FORWARDED, HEARTBEAT_S
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls

BETWEEN_S = 30.0
"""How long a call without a runner is waited for: twice the time of a takeover."""
MOST_READERS = 4
"""Of one call: the token of one call must not fill the server's connections."""

WatchQueue = asyncio.Queue[BrowserWatch]
"""The watches that a page's stream has yet to show."""


class LivePages:
    """The calls of pages, here and at other runners."""

    def __init__(self, admission: Admission, *, origins: tuple[str, ...], is_dev: bool) -> None:
        self._admission = admission
        self._origins = origins
        self._is_dev = is_dev
        self._served: dict[str, BrowserWatch] = {}
        self._followers: dict[str, list[WatchQueue]] = {}
        """By call, who gets its watch whenever this process takes it over, however soon it is over again."""
        self._live_calls: LiveCalls | None = None
        self._peers: PagePeers | None = None

    def open(self, live_calls: LiveCalls, peers: PagePeers) -> None:
        """Answer from now on; `peers` serve the calls that this process does not."""
        self._live_calls, self._peers = live_calls, peers

    def watches(self, ringing: Ringing) -> tuple[BrowserWatch, ...]:
        """The watch of a call that this process is about to serve; none where no page began it."""
        call_id = ringing.call_id
        if not isinstance(ringing.origin, WebRtcOrigin):
            return ()

        def forget() -> None:
            if self._served.get(call_id) is watch:
                del self._served[call_id]

        self._served[call_id] = watch = BrowserWatch(with_tools=self._is_dev, on_end=forget)
        for follower in self._followers.get(call_id, ()):
            follower.put_nowait(watch)
        return (watch,)

    def serves(self, call_id: str) -> bool:
        """Whether this process serves such a call."""
        return call_id in self._served

    async def hang_up(self, request: web.Request) -> web.StreamResponse:
        """The caller hangs up. A beacon has no headers of its own, so the token may be the body."""
        return await self._tell(request, lambda live: live.end("caller_hung_up"))

    async def connected(self, request: web.Request) -> web.StreamResponse:
        """The page's media are connected: the caller hears us."""
        return await self._tell(request, LiveCall.hears_us)

    async def _tell(self, request: web.Request, do: Callable[[LiveCall], None]) -> web.StreamResponse:
        if FORWARDED not in request.headers:
            check_origin(request, self._origins)
        token = await bearer_or_body(request)
        call_id = self._call_id(request, token)
        until = asyncio.get_running_loop().time() + BETWEEN_S
        while True:
            live = self._live(call_id)
            if live is not None:
                do(live)
                return web.Response(status=204)
            owner = await self._owner(request, call_id)
            if owner is None:
                raise _no_call()
            if await self._tell_owner(owner, request.path, token):
                return web.Response(status=204)
            await _wait(until)

    def _live(self, call_id: str) -> LiveCall | None:
        if self._live_calls is None or call_id not in self._served:
            return None
        return self._live_calls.find(call_id)

    async def _tell_owner(self, owner: RunnerOfCall, path: str, token: str) -> bool:
        if owner.address is None or self._peers is None:
            return False
        return await self._peers.tell(owner.address, path, token)

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """The call as its caller may see it: server-sent events, each with the whole state."""
        if "Origin" in request.headers and FORWARDED not in request.headers:
            check_origin(request, self._origins)
        token = bearer(request)
        call_id = self._call_id(request, token)
        if call_id not in self._served and await self._owner(request, call_id) is None:
            raise _no_call()
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                # nginx would gather the events.
                "X-Accel-Buffering": "no",
                **shared_with(request, self._origins),
            }
        )
        served = self._served.get(call_id)
        if served is not None and served.readers >= MOST_READERS:
            raise RefusedError(
                429, "too_many_streams", "the call has too many followers already", RETRY_AFTER
            )
        await response.prepare(request)
        # The page has gone, or may ask again.
        with suppress(ConnectionError, RefusedError), self._follower(call_id) as follower:
            await self._follow(request, response, call_id, token, follower)
        return response

    @contextmanager
    def _follower(self, call_id: str) -> Iterator[WatchQueue]:
        follower = WatchQueue()
        if (served := self._served.get(call_id)) is not None:
            follower.put_nowait(served)
        followers = self._followers.setdefault(call_id, [])
        followers.append(follower)
        try:
            yield follower
        finally:
            followers.remove(follower)
            if not followers:
                del self._followers[call_id]

    async def _follow(
        self,
        request: web.Request,
        response: web.StreamResponse,
        call_id: str,
        token: str,
        follower: WatchQueue,
    ) -> None:
        until = asyncio.get_running_loop().time() + BETWEEN_S
        while True:
            while not follower.empty():
                served = follower.get_nowait()
                await _send(served, response)
                if not served.is_moved or FORWARDED in request.headers:
                    return
                until = asyncio.get_running_loop().time() + BETWEEN_S
            owner = await self._owner(request, call_id)
            if owner is not None and owner.address is not None and self._peers is not None:
                async with aclosing(self._peers.follow(owner.address, request.path, token)) as events:
                    async for event in events:
                        await response.write(event)
                        until = asyncio.get_running_loop().time() + BETWEEN_S
            if follower.empty():
                if owner is None:
                    return
                await _wait(until)

    def _call_id(self, request: web.Request, text: str) -> str:
        """The page's own call. Raises RefusedError."""
        call_id = request.match_info["id"]
        token = self._admission.token_of_call(request, text)
        # Only the owner learns whether there is such a call.
        if token is not None and call_id != call_id_for(token):
            raise _no_call()
        return call_id

    async def _owner(self, request: web.Request, call_id: str) -> RunnerOfCall | None:
        if FORWARDED in request.headers:
            return None
        if self._peers is None:
            raise _unreachable("the runner is about to start; try again in a while")
        return await self._peers.owner(call_id)


async def _send(served: BrowserWatch, response: web.StreamResponse) -> None:
    served.readers += 1
    try:
        async with aclosing(served.states(HEARTBEAT_S)) as states:
            async for state in states:
                text = b":\n\n" if state is None else b"data: %b\n\n" % json.dumps(state).encode()
                await response.write(text)
    finally:
        served.readers -= 1


async def _wait(until: float) -> None:
    """Wait before a call between two runners is looked for again. Raises RefusedError when it is too late."""
    if asyncio.get_running_loop().time() >= until:
        raise _unreachable("whoever serves the call cannot be reached; try again in a while")
    await asyncio.sleep(AGAIN_S)


def _unreachable(detail: str) -> RefusedError:
    return RefusedError(503, "call_unreachable", detail, RETRY_AFTER)


def _no_call() -> RefusedError:
    return RefusedError(404, "no_call", "the token has no such call")
