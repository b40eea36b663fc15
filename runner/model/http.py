"""A request to the user's endpoint and its result, as values."""

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from runner.model.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Credentials for a token endpoint (RFC 6749, 4.4). Equal grants have the same token."""

    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    audience: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, ready to send. Headers and body may hold secrets, so they stay out of `repr`."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    is_sent_once: bool = False
    """No other attempt follows, whatever becomes of this one."""
    oauth: Grant | None = None
    """The request needs a bearer token of this grant, which the sender gets and adds."""

    @classmethod
    def post_json(cls, url: str, body: Json, timeout_s: float = 10.0) -> Self:
        """A POST of this value as JSON."""
        headers = (("Content-Type", "application/json"),)
        return cls(
            method="POST", url=url, headers=headers, body=json.dumps(body).encode(), timeout_s=timeout_s
        )


class Failure(Enum):
    """Why there is no reply."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Refused, unresolvable, bad TLS: nobody has read the request."""
    BROKEN = "broken"
    """The connection broke after that, or the reply cannot be read: it may have been carried out."""
    FORBIDDEN = "forbidden"
    """The address is one that tools may not reach."""
    TOO_LARGE = "too_large"
    UNKNOWN = "unknown"
    """The process that sent the request is gone: it may have been carried out or not."""
    UNAUTHORIZED = "unauthorized"
    """The token endpoint gave no token, so nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """The result of one attempt: a status with a body, or a failure."""

    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    failure: Failure | None = None
    detail: str = ""
    """For the log: what failed, in a few words without secrets."""
    took_s: float = 0.0
    location: str = ""
    """Where the reply says that the created resource is (RFC 9110, 10.2.2)."""
    was_sent: bool = True
    """Whether anybody can have read the request."""
