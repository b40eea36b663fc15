"""Reads where a request comes from: the page's origin, as the browser sends it, and the address."""

from collections.abc import Mapping

from aiohttp import web

from runner.serve.addresses import ClientAddress, counted_as, is_loopback
from runner.serve.browser.refusal import RefusedError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def check_origin(request: web.Request, origins: tuple[str, ...]) -> str:
    """The origin of a page that may call. Our own pages may. Raises RefusedError.

    Browsers send it with every POST, and no page can change it (Fetch, 3.1); programs can, and have a token.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        raise RefusedError(403, "origin_missing", "the request has no Origin header; calls come from pages")
    if origin in origins or _is_own(request, origin):
        return origin
    message = f'pages of "{origin[:200]}" may not call; server.browser.origins names those that may'
    raise RefusedError(403, "origin_refused", message)


def shared_with(request: web.Request, origins: tuple[str, ...]) -> Mapping[str, str]:
    """Headers that let a page read the reply (Fetch, 3.2). Tokens travel in a header, never in cookies."""
    origin = request.headers.get("Origin", "")
    allowed = {"Access-Control-Allow-Origin": origin} if origin in origins else {}
    return {**allowed, "Vary": "Origin", "Access-Control-Expose-Headers": "Location, Retry-After"}


def _is_own(request: web.Request, origin: str) -> bool:
    return origin.partition("://")[2] == request.host != ""


def is_on_loopback(request: web.Request) -> bool:
    """Whether the request comes from this machine, and by a name that only this machine has.

    A page elsewhere can have its own name lead to 127.0.0.1, but cannot make `Host` name another.
    """
    host = request.host.rpartition(":")[0] if not request.host.endswith("]") else request.host
    return is_loopback(request.remote) and (host or request.host) in LOOPBACK_NAMES


def rate_limit_address(request: web.Request) -> str:
    """The address for rate limits."""
    seen = ClientAddress.of(request.remote or "", request.headers.get("X-Forwarded-For", ""))
    return counted_as(seen.address)
