"""OAuth 2 client credentials (RFC 6749, 4.4): builds the request for a token, and reads the reply. Sends and
keeps nothing.

Messages quote nothing of a reply but the codes that the RFC lists: the rest may hold secrets.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from math import isfinite
from urllib.parse import quote_plus

from runner.call.tools.endpoint_reply import EndpointReply, UnusableReplyError, json_of, read_reply
from runner.model.http import Failure, Grant, HttpReply, HttpRequest
from runner.model.values import Instant, Json

LONGEST_MARGIN_S = 30.0
"""A token is not used any more this long before its end, or a tenth of its life before it."""

_TOKEN = re.compile(r"[\x21-\x7e]+")
"""The characters allowed in a header after "Bearer " (RFC 6750, 2.1 allows even less)."""
_ERRORS = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant"),
        *("unauthorized_client", "unsupported_grant_type", "invalid_scope"),
    }
)
"""RFC 6749, 5.2."""
_NOT_KNOWN = frozenset({None, "invalid_client", "invalid_request"})
"""The errors of an endpoint that did not find the credentials where it looks for them."""


class ClientAuth(Enum):
    """How the client proves who it is (RFC 6749, 2.3.1)."""

    BASIC = "basic"
    """Every endpoint has to understand this, so it comes first."""
    BODY = "body"
    """Some understand only this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token. `expires_at` is None where the endpoint did not say: it is used until it is
    refused."""

    value: str = field(repr=False)
    expires_at: Instant | None = None

    def is_fresh(self, now: Instant) -> bool:
        """Whether it may still be used."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class NoToken:
    """Why there is no token, as the reply to a request that was never sent."""

    reply: HttpReply
    asks_otherwise: bool = False
    """Whether the endpoint may accept the same credentials in another place."""


def token_request(grant: Grant, way: ClientAuth, timeout_s: float) -> HttpRequest:
    """The request for a token."""
    form = {"grant_type": "client_credentials"}
    if grant.scopes:
        form["scope"] = " ".join(grant.scopes)
    if grant.audience is not None:
        form["audience"] = grant.audience
    headers = [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")]
    if way is ClientAuth.BODY:
        form |= {"client_id": grant.client_id, "client_secret": grant.client_secret}
    else:
        # RFC 6749, 2.3.1: both are form-encoded before they are joined.
        pair = f"{_encoded(grant.client_id)}:{_encoded(grant.client_secret)}"
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    return HttpRequest(
        method="POST",
        url=grant.token_url,
        headers=tuple(headers),
        body="&".join(f"{name}={_encoded(value)}" for name, value in form.items()).encode(),
        timeout_s=timeout_s,
    )


def token_of_reply(reply: HttpReply, now: Instant) -> Token | NoToken:
    """The token in a reply, or why there is none. Never raises."""
    if reply.failure is not None or reply.status is None:
        failure = reply.failure or Failure.CONNECTION
        return NoToken(
            reply=replace(reply, status=None, failure=failure, detail=f"for a token: {reply.detail}")
        )
    if not 200 <= reply.status <= 299:
        code = _error_code(read_reply(reply))
        detail = f"the token endpoint answered {reply.status}" + (f" ({code})" if code else "")
        return _refused(detail, asks_otherwise=reply.status in (400, 401) and code in _NOT_KNOWN)
    try:
        answer = json_of(read_reply(reply))
    except UnusableReplyError:
        return _refused("the token endpoint's reply is not JSON")
    value = answer.get("access_token") if isinstance(answer, Mapping) else None
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        return _refused('the token endpoint\'s reply has no "access_token" that could be sent')
    # RFC 6749, 5.1 requires a type; those who leave it out mean this one.
    if str(answer.get("token_type") or "bearer").lower() != "bearer":
        return _refused('the token endpoint issues tokens that are not of the type "Bearer"')
    life_s = _seconds(answer.get("expires_in"))
    if life_s is None:
        return Token(value=value)
    return Token(value=value, expires_at=now + life_s - min(LONGEST_MARGIN_S, life_s / 10))


def with_token(request: HttpRequest, token: Token, timeout_s: float) -> HttpRequest:
    """The request as it is sent."""
    headers = (*request.headers, ("Authorization", f"Bearer {token.value}"))
    return replace(request, headers=headers, oauth=None, timeout_s=timeout_s)


def _refused(detail: str, *, asks_otherwise: bool = False) -> NoToken:
    reply = HttpReply(failure=Failure.UNAUTHORIZED, detail=detail)
    return NoToken(reply=reply, asks_otherwise=asks_otherwise)


def _error_code(reply: EndpointReply) -> str | None:
    code = reply.value.get("error") if isinstance(reply.value, Mapping) else None
    return code if isinstance(code, str) and code in _ERRORS else None


def _seconds(value: Json) -> float | None:
    """The lifetime of a token in seconds; None where the reply gives none that can be understood."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        return float(value)  # against the RFC, and common
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value < 0:
        return None
    return float(value)


def _encoded(text: str) -> str:
    return quote_plus(text, errors="replace")
