"""How a page begins a call: with its offer, or by attaching a call that it has made itself.

Once admitted, it is a call like any other.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from aiohttp import web

from runner.call.browser.token import MIN_SECRET_BYTES, BrowserToken
from runner.call.machine.world import World
from runner.call.routes.routing import RouteTable
from runner.errors import CannotRunError, OfferRefusedError
from runner.model.call import Ringing, WebRtcOrigin
from runner.model.reception import RingResult
from runner.model.settings import Browser, SecretRef, Server
from runner.model.values import Instant
from runner.serve.api_client import ApiClient
from runner.serve.browser.admission import SDP, Admission, check_route
from runner.serve.browser.client_secret import make_secret
from runner.serve.browser.live_pages import LivePages
from runner.serve.browser.origins import LOOPBACK_NAMES, check_origin, shared_with
from runner.serve.browser.pages import page_routes
from runner.serve.browser.refusal import RETRY_AFTER, RefusedError, not_answered
from runner.serve.live_call import LiveCall

log = logging.getLogger("runner.serve.browser.calls")

SERVED_S = 2.0
"""For the sideband to open before the browser is answered: some APIs open it only for an answered browser."""
ATTACHED_S = 7.0
"""For the sideband of a call that the page has made: the page is told whether there is such a call."""
API_CALL_ID = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,199}")
AUDIO_ONLY = (
    "the voice API has refused an offer without a data channel; if it says so of every call, set "
    "server.browser.data_channel: open, and read what that lets a page see"
)
CLOSED = (
    "whoever has a secret of the voice API has the data channel of a session, and server.browser.data_channel"
    " is closed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What calls are served with, once the runner is ready."""

    ring: Callable[[Ringing, World], Awaitable[LiveCall]]
    is_open: Callable[[], bool]
    world: Callable[[], World]
    client: ApiClient


class BrowserCalls:
    """The endpoints for pages."""

    def __init__(
        self,
        settings: Browser,
        *,
        secret: Callable[[], str],
        clock: Callable[[], Instant],
        is_dev: bool = False,
    ) -> None:
        """`is_dev` accepts callers on this machine without a token."""
        self._settings = settings
        self.is_dev = is_dev
        self._serving: Serving | None = None
        self._admission = Admission(
            settings, secret=secret, clock=clock, is_dev=is_dev, agents=lambda: list(self._world_now())
        )
        self.pages = LivePages(self._admission, origins=settings.origins, is_dev=is_dev)
        """The live calls, and what their pages ask."""
        self._has_told_of_audio_only = False

    def open(self, serving: Serving) -> None:
        self._serving = serving

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to the server."""
        handlers = {
            "/calls": self._begin,
            "/calls/{id}/attach": self._attach,
            "/client-secrets": self._client_secret,
        }
        routes = [web.post(path, self._guarded(handler)) for path, handler in handlers.items()]
        routes += self.peer_routes()
        paths = [route.path for route in routes]
        routes += [web.options(path, self._guarded(self._preflight)) for path in paths]
        return [*routes, *page_routes(self._world_now, is_dev=self.is_dev)]

    def peer_routes(self) -> list[web.RouteDef]:
        """What other runners ask, where they do not reach the server itself."""
        return [
            web.post("/calls/{id}/hangup", self._guarded(self.pages.hang_up)),
            web.post("/calls/{id}/connected", self._guarded(self.pages.connected)),
            web.get("/calls/{id}/events", self._guarded(self.pages.follow)),
        ]

    def _guarded(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Turn refusals into replies, with the headers that a page of another site needs to read them."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                response = await handler(request)
            except RefusedError as refused:
                log.info("browser was refused", extra={"path": request.path[:200], "code": refused.code})
                response = refused.response()
            if not response.prepared:
                response.headers.update(shared_with(request, self._settings.origins))
            return response

        return answer

    async def _preflight(self, request: web.Request) -> web.StreamResponse:
        check_origin(request, self._settings.origins)
        headers = {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers=headers)

    # The beginning of a call

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        """Check origin, rate, token, agent, room and form, in this order; then begin the call."""
        token, agent = self._admission.who(request)
        ringing = self._admission.ringing(token, agent)
        serving = self._room_for(ringing)
        offer = await self._admission.offer(request)
        offered = self._admission.ringing(
            token, agent, offer=offer.sdp, has_data_channel=self._settings.has_data_channel
        )
        live = await self._serve(replace(offered, created_at=ringing.created_at), token, serving)
        await live.served(SERVED_S)
        if live.is_over:
            raise not_answered(RingResult.FAILED)
        if request.transport is None or request.transport.is_closing():
            # The page has gone, and would never hang up a call that it does not know of.
            live.end("caller_hung_up")
        try:
            sdp = offer.answer(live.sdp)
        except OfferRefusedError as refused:
            live.end("failed")
            extra = {"call_id": live.id, "reason": str(refused)}
            log.error("voice API's answer does not fit the offer", extra=extra)
            raise not_answered(RingResult.FAILED) from None
        headers = {"Location": f"/calls/{live.id}", "Cache-Control": "no-store"}
        return web.Response(status=201, text=sdp, content_type=SDP, headers=headers)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        """Serve a call that the page has made itself, with a secret from us."""
        token, agent = self._admission.who(request)
        made_as = request.match_info["id"]
        if API_CALL_ID.fullmatch(made_as) is None:
            raise RefusedError(400, "call_id", "this is not the id of a call")
        ringing = self._admission.ringing(token, agent, made_as=made_as)
        serving = self._room_for(ringing)
        live = await self._serve(ringing, token, serving)
        await live.served(ATTACHED_S)
        if live.is_over:
            raise RefusedError(404, "no_call", "the voice API has no such call now")
        return web.Response(status=201, headers={"Location": f"/calls/{live.id}"})

    async def _client_secret(self, request: web.Request) -> web.StreamResponse:
        """A secret for one agent's session. The token stays valid, for the call that it attaches."""
        token, agent = self._admission.who(request)
        if not self._settings.has_data_channel:
            raise RefusedError(403, "data_channel_closed", CLOSED)
        ringing = self._admission.ringing(token, agent, offer="", has_data_channel=False)
        serving = self._room_for(ringing)
        secret = await make_secret(serving.client, ringing, self._world(serving, ringing))
        return web.json_response(secret, headers={"Cache-Control": "no-store"})

    def _room_for(self, ringing: Ringing) -> Serving:
        """Check first that some agent would answer, then that there is room. Raises RefusedError."""
        serving = self._serving
        if serving is not None:
            check_route(ringing, self._world(serving, ringing))
        if serving is None or not serving.is_open():
            raise RefusedError(503, "no_room", "no calls are accepted now; try again in a while", RETRY_AFTER)
        return serving

    async def _serve(self, ringing: Ringing, token: BrowserToken, serving: Serving) -> LiveCall:
        """Answer the call. Raises RefusedError."""
        if self.pages.serves(ringing.call_id):
            raise not_answered(RingResult.TAKEN)
        self._admission.use(token)
        # A task of its own: every line that it logs names the call.
        ring = asyncio.create_task(self._ring(ringing, serving), name=f"ring {ringing.call_id}")
        live, result = await asyncio.shield(ring)
        if result is not RingResult.ACCEPTED:
            self._admission.give_back(token)
            if result is RingResult.FAILED and not self._settings.has_data_channel:
                self._tell_of_audio_only()
            is_made_by_page = isinstance(ringing.origin, WebRtcOrigin) and ringing.origin.offer is None
            raise not_answered(result, is_made_by_page=is_made_by_page)
        return live

    async def _ring(self, ringing: Ringing, serving: Serving) -> tuple[LiveCall, RingResult]:
        live = await serving.ring(ringing, self._world(serving, ringing))
        return live, await live.ring_result()

    def _world(self, serving: Serving, ringing: Ringing) -> World:
        """The world of the call. A developer may speak with an agent before it has a route."""
        world = serving.world()
        agent = ringing.origin.agent if isinstance(ringing.origin, WebRtcOrigin) else None
        if not self.is_dev or agent is None or agent not in world.agents:
            return world
        return replace(world, table=RouteTable.always(agent))

    def _world_now(self) -> Mapping[str, object]:
        return self._serving.world().agents if self._serving is not None else {}

    def _tell_of_audio_only(self) -> None:
        if not self._has_told_of_audio_only:
            self._has_told_of_audio_only = True
            log.warning("call from a browser failed", extra={"reason": AUDIO_ONLY})


def browser_calls(
    server: Server, secret: Callable[[], str], *, clock: Callable[[], Instant], is_dev: bool
) -> BrowserCalls | None:
    """The endpoints for pages, where they are declared, or while an agent is developed.

    Raises CannotRunError when tokens could be forged, or when anybody could call without one.
    """
    if server.browser is not None and server.browser.secret is not None:
        check_secret(server.browser.secret, secret())
    elif not is_dev:
        return None
    if is_dev and server.host not in LOOPBACK_NAMES:
        raise CannotRunError(
            f'--dev asks for no token, and server.host is "{server.host}"; listen at 127.0.0.1'
        )
    return BrowserCalls(server.browser or Browser(), secret=secret, clock=clock, is_dev=is_dev)


def check_secret(reference: SecretRef, value: str) -> None:
    """Raise CannotRunError for a secret with which tokens could be forged."""
    if len(value.encode()) < MIN_SECRET_BYTES:
        raise CannotRunError(
            f"{reference} holds a secret of less than {MIN_SECRET_BYTES} bytes, which could be guessed;"
            " make one with: openssl rand -hex 32"
        )
