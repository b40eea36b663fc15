"""Decides who may have a call: the page's origin, its rate, the token, the agent, and the form of the
offer."""

import asyncio
import logging
import secrets as randomness
from collections.abc import Callable
from hashlib import blake2b

from aiohttp import web

from runner.call.addresses.incoming import incoming_call
from runner.call.browser.sdp import MOST_BYTES, AudioOffer, audio_offer
from runner.call.browser.token import BrowserToken, read_token
from runner.call.machine.world import World
from runner.config.checking.suggest import or_there_is
from runner.errors import OfferRefusedError, TokenRefusedError
from runner.model.call import Ringing, WebRtcOrigin
from runner.model.reception import RingResult
from runner.model.settings import Browser
from runner.model.values import Instant
from runner.serve.browser.origins import check_origin, is_on_loopback, rate_limit_address
from runner.serve.browser.refusal import RefusedError, not_answered
from runner.serve.rates import Rate

log = logging.getLogger("runner.serve.browser.admission")

MOST_A_SUBJECT = 10
MOST_AN_ADDRESS = 60
"""Calls a minute."""
BODY_S = 5.0
SWEEP_S = 10.0
"""Between two looks for used tokens that have expired."""
SDP = "application/sdp"


class Admission:
    """The checks before a call, each with its refusal."""

    def __init__(
        self,
        settings: Browser,
        *,
        secret: Callable[[], str],
        clock: Callable[[], Instant],
        is_dev: bool,
        agents: Callable[[], list[str]],
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._is_dev = is_dev
        self._agents = agents
        self._by_subject = Rate(MOST_A_SUBJECT)
        self._by_address = Rate(MOST_AN_ADDRESS)
        self._used: dict[str, Instant] = {}
        """The calls that tokens have begun, until those expire."""
        self._swept_at: Instant = 0.0

    def who(self, request: web.Request) -> tuple[BrowserToken, str]:
        """The token of a request, and the agent that it asks for. Raises RefusedError."""
        check_origin(request, self._settings.origins)
        now = self._clock()
        self._count(self._by_address, rate_limit_address(request), now, "address")
        name = request.query.get("agent")
        if self._is_dev and is_on_loopback(request):
            agents = self._agents()
            if name and agents and name not in agents:
                message = f'there is no agent "{name[:64]}"{or_there_is(name, agents)}'
                raise RefusedError(404, "no_agent", message)
            token = BrowserToken(
                subject=request.query.get("sub") or "dev",
                id=randomness.token_hex(8),
                agents=(name,) if name else tuple(agents),
                expires_at=now + 60,
            )
        else:
            token = self._token(bearer(request), now)
            # Counted once the token is verified: a forged one must not use up somebody's calls.
            self._count(self._by_subject, token.subject, now, "caller")
        return token, _agent_of(token, name)

    def use(self, token: BrowserToken) -> None:
        """The token begins its call now. Raises RefusedError if it has begun one."""
        if call_id_for(token) in self._used:
            raise not_answered(RingResult.TAKEN)
        self._used[call_id_for(token)] = token.expires_at

    def give_back(self, token: BrowserToken) -> None:
        """The call failed: the page may try again with the same token."""
        self._used.pop(call_id_for(token), None)

    def token_of_call(self, request: web.Request, text: str) -> BrowserToken | None:
        """The token of a page that asks about its call; None where no token is needed. Raises
        RefusedError."""
        if self._is_dev and is_on_loopback(request):
            return None
        try:
            return read_token(text, self._secret(), self._clock(), for_live_call=True)
        except TokenRefusedError as refused:
            raise RefusedError(401, refused.code, str(refused)) from None

    def ringing(
        self,
        token: BrowserToken,
        agent: str,
        *,
        offer: str | None = None,
        made_as: str | None = None,
        has_data_channel: bool = True,
    ) -> Ringing:
        """The call that such a token begins. For the rest see `WebRtcOrigin`."""
        origin = WebRtcOrigin(
            subject=token.subject,
            agent=agent,
            vars=token.vars,
            offer=offer,
            made_as=made_as,
            has_data_channel=has_data_channel,
        )
        return Ringing(call_id=call_id_for(token), created_at=self._clock(), origin=origin)

    async def offer(self, request: web.Request) -> AudioOffer:
        """The offer in the body. Raises RefusedError."""
        if request.content_type != SDP:
            raise RefusedError(415, "content_type", f"the body is not {SDP}")
        too_large = RefusedError(413, "offer_too_large", f"the offer is longer than {MOST_BYTES} bytes")
        if (request.content_length or 0) > MOST_BYTES:
            raise too_large  # The rest may never come.
        body = await _body(request, "the offer")
        if len(body) > MOST_BYTES:
            raise too_large
        try:
            return audio_offer(body, with_data_channel=self._settings.has_data_channel)
        except OfferRefusedError as refused:
            raise RefusedError(400, "offer_refused", str(refused)) from None

    def _token(self, text: str, now: Instant) -> BrowserToken:
        try:
            token = read_token(text, self._secret(), now)
        except TokenRefusedError as refused:
            raise RefusedError(
                401, refused.code, str(refused), {"WWW-Authenticate": 'Bearer realm="calls"'}
            ) from None
        if now - self._swept_at > SWEEP_S:
            self._used = {used: until for used, until in self._used.items() if until > now}
            self._swept_at = now
        if call_id_for(token) in self._used:
            raise not_answered(RingResult.TAKEN)
        return token

    def _count(self, rate: Rate, key: str, now: Instant, whose: str) -> None:
        wait_s = rate.wait_s(key, now)
        if wait_s:
            headers = {"Retry-After": str(int(wait_s) + 1)}
            raise RefusedError(429, "too_many_calls", f"too many calls of this {whose} in a minute", headers)
        rate.note(key, now)


def call_id_for(token: BrowserToken) -> str:
    """The id of the one call that a token may begin.

    Derived from the token alone: runners that get it at the same time claim the same call, and each can tell
    whose a call is.
    """
    return "web_" + blake2b(f"{token.subject}\0{token.id}".encode(), digest_size=16).hexdigest()


def check_route(ringing: Ringing, world: World) -> None:
    """Check that some agent would answer, before anything is done for the call. Raises RefusedError."""
    match = world.table.match(incoming_call(ringing, world.routing), ringing.created_at)
    if match.agent is None:
        log.info("no route for a browser", extra={"call_id": ringing.call_id, "reason": match.why})
        raise not_answered(RingResult.REJECTED)
    declared = world.agents[match.agent].vars
    brought = ringing.origin.vars if isinstance(ringing.origin, WebRtcOrigin) else {}
    unknown = sorted(set(brought) - set(declared))
    if unknown:
        message = f'the token has a value for "{unknown[0]}", which the agent does not declare under "vars"'
        raise RefusedError(403, "vars_not_declared", message)


def bearer(request: web.Request) -> str:
    """The token in the Authorization header, or empty text."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def bearer_or_body(request: web.Request) -> str:
    """The token of the header, or of the body: a beacon has no headers of its own. Raises RefusedError."""
    if text := bearer(request):
        return text
    return (await _body(request, "the token")).decode("ascii", "replace").strip()


async def _body(request: web.Request, what: str) -> bytes:
    """The body, or as much of it as shows that it is too long."""
    body = b""
    try:
        async with asyncio.timeout(BODY_S):
            while len(body) <= MOST_BYTES and (more := await request.content.read(MOST_BYTES + 1)):
                body += more
    except TimeoutError:
        raise RefusedError(408, "too_slow", f"{what} took too long to arrive") from None
    return body


def _agent_of(token: BrowserToken, name: str | None) -> str:
    """The agent of this name, or the only one that the token allows. Raises RefusedError."""
    if name is None and len(token.agents) == 1:
        return token.agents[0]
    if name is None:
        message = "several agents may be called; say which, such as POST /calls?agent=NAME"
        raise RefusedError(400, "which_agent", message)
    if name not in token.agents:
        raise RefusedError(403, "agent_not_allowed", f'the token does not allow the agent "{name[:64]}"')
    return name
