"""Decides who makes a request and whether they may: tokens, console sessions, failed attempts, origin.

Knows neither aiohttp nor a clock: a request is its headers, `now` is passed in.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from runner.model.settings import May
from runner.model.values import Instant
from runner.serve.addresses import ClientAddress, counted_as, parsed
from runner.serve.admin.problem import AdminProblem
from runner.serve.rates import Rate

MIN_TOKEN = 32
"""Characters of a token. A shorter one can be guessed."""
COOKIE = "__Host-phone-agents"
SESSION_S = 12 * 3600.0
MOST_FAILURES = 10
"""Invalid tokens of one address in a minute."""
MOST_BEHIND_PROXY = 100
"""Of all clients behind one proxy together: only the proxy says which of them it was."""
DEV = "dev"
"""The identity where no token is needed."""

_AUDIENCE = "phone-agents-console"
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentToken:
    """The value of a token as it is now, and what its holder may do."""

    value: str
    may: May


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who makes a request."""

    by: str
    may: May
    expires_at: Instant | None = None
    """When a console session ends."""


class Access:
    """Decides about requests to one listener."""

    def __init__(
        self, tokens: Callable[[], Mapping[str, CurrentToken]], *, hosts: frozenset[str], is_dev: bool = False
    ) -> None:
        """`tokens` are read at each request: the file of one may have changed. `hosts`: our names."""
        self._tokens = tokens
        self._hosts = hosts
        self._is_dev = is_dev
        self._failures = Rate(MOST_FAILURES)
        self._failures_behind = Rate(MOST_BEHIND_PROXY)

    # Origin of a request

    def check_host(self, host: str | None) -> None:
        """Raise AdminProblem unless `host` is one of our names, or an address.

        A page of another site whose name leads to us (DNS rebinding) still sends its own name.
        """
        if not self._is_ours(host):
            raise AdminProblem(
                421,
                "host",
                "the Host header names a host that this runner is not declared to be; "
                "name it in server.admin.hosts, or use an address",
            )

    def check_origin(self, method: str, headers: Mapping[str, str], *, by_browser: bool) -> None:
        """Raise AdminProblem where a browser adds the credentials by itself and the page is not ours.

        SameSite does not distinguish two ports of one host. `by_browser`: the request holds nothing that
        proves an intention, as an Authorization header does.
        """
        if not by_browser:
            return
        site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
        if method in _UNSAFE:
            same = site == "same-origin" if site is not None else _is_same(origin, headers.get("Host"))
            if self._is_dev and site is None and origin is None and COOKIE not in headers.get("Cookie", ""):
                return  # Not a browser: every browser sends one of the two with such a request.
        else:
            same = site in {None, "same-origin", "none"}
        if not same:
            raise AdminProblem(
                403, "cross-site", "the request comes from another site, or does not say from where"
            )

    def _is_ours(self, host: str | None) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname if host else None
        except ValueError:
            return False
        if not name:
            return False
        return parsed(name) is not None or name == "localhost" or name in self._hosts

    # Identity

    def identify(
        self, headers: Mapping[str, str], cookie: str | None, source: ClientAddress, now: Instant
    ) -> Identity:
        """Identify the sender. Raises AdminProblem."""
        authorization = headers.get("Authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise _no_token("write the token as Authorization: Bearer …")
            return self.by_token(token.strip(), source, now)
        if cookie is not None:
            identity = self._by_session(cookie, now)
            if identity is not None:
                return identity
            if not self._is_dev:
                raise _no_token("the console session is over; sign in again")
        if self._is_dev:
            return Identity(by=DEV, may=May.STEER)
        raise _no_token("send a token as Authorization: Bearer …, or sign in at /console/")

    def by_token(self, value: str, source: ClientAddress, now: Instant) -> Identity:
        """The holder of the token with this value. Raises AdminProblem, also for a valid one after too many
        invalid ones.
        """
        counts = [(self._failures, counted_as(source.address))]
        if source.proxy is not None:
            counts.append((self._failures_behind, counted_as(source.proxy)))
        wait_s = max(rate.wait_s(key, now) for rate, key in counts)
        if wait_s > 0:
            raise AdminProblem(
                429,
                "too-many-attempts",
                "too many failed attempts from this address; wait a minute",
                headers={"Retry-After": str(int(wait_s) + 1)},
            )
        digest = hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
        identity = None
        # All of them are compared, so that the time reveals nothing.
        for name, token in self._tokens().items():
            same = hmac.compare_digest(hashlib.sha256(token.value.encode()).digest(), digest)
            if same and len(token.value) >= MIN_TOKEN:
                identity = Identity(by=name, may=token.may)
        if identity is None:
            for rate, key in counts:
                rate.note(key, now)
            raise _no_token("the token is not valid")
        return identity

    def may_still(self, headers: Mapping[str, str], cookie: str | None, now: Instant) -> bool:
        """Whether a sender who was identified by these still would be: tokens rotate, and sessions end."""
        try:
            self.identify(headers, cookie, ClientAddress(address=""), now)
        except AdminProblem:
            return False
        return True

    # Console sessions

    def session(self, identity: Identity, now: Instant) -> tuple[str, Identity]:
        """A console session for this identity: the cookie's value, and the identity that it proves."""
        expires_at = now + SESSION_S
        claims = {"sub": identity.by, "aud": _AUDIENCE, "iat": int(now), "exp": int(expires_at)}
        key = _session_key(self._tokens()[identity.by].value)
        text = jwt.encode(claims, key, algorithm="HS256", headers={"kid": identity.by})
        return text, Identity(by=identity.by, may=identity.may, expires_at=float(int(expires_at)))

    def _by_session(self, text: str, now: Instant) -> Identity | None:
        try:
            name: Any = jwt.get_unverified_header(text).get("kid")
            token = self._tokens().get(name) if isinstance(name, str) else None
            if token is None or len(token.value) < MIN_TOKEN:
                return None
            claims = jwt.decode(
                text,
                _session_key(token.value),
                algorithms=["HS256"],
                audience=_AUDIENCE,
                # By our own clock, below.
                options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return None
        expires_at = claims["exp"]
        is_valid = claims["sub"] == name and isinstance(expires_at, int) and now < expires_at
        return Identity(by=name, may=token.may, expires_at=float(expires_at)) if is_valid else None


def _session_key(token: str) -> bytes:
    """A key other than the token: a cookie can be attacked offline, and must not reveal the token."""
    return hmac.new(token.encode(), b"phone-agents console session 1", hashlib.sha256).digest()


def _no_token(detail: str) -> AdminProblem:
    return AdminProblem(401, "token", detail, headers={"WWW-Authenticate": 'Bearer realm="phone-agents"'})


def _is_same(origin: str | None, host: str | None) -> bool:
    """Whether the origin is this host, port included."""
    if origin is None or host is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
