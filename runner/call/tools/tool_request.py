"""Builds one HTTP request from a tool's `http` and the names of a call. Sends nothing."""

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import floor
from typing import assert_never
from urllib.parse import quote

from runner.call.templates.template import TemplateFailure, as_text, render
from runner.call.tools.request_body import encoded_body, field_pairs
from runner.call.tools.url import compiled_url
from runner.call.trace_context import traceparent
from runner.model.http import Failure, Grant, HttpReply, HttpRequest
from runner.model.tool import ApiKey, Basic, Bearer, Body, ClientCredentials, HttpBinding, KeyIn, Retries
from runner.model.values import Instant, JsonObject

OURS = frozenset({"idempotency-key", "x-call-id", "x-agent", "traceparent"})
"""Headers that we set on every request and nobody else may set, in lower case."""
CONNECTION = frozenset(
    {"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that belong to the connection."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")


def build_request(
    binding: HttpBinding, names: JsonObject, *, call_id: str, tool_call_id: str, agent_id: str, now: Instant
) -> HttpRequest:
    """The request of a tool call; every attempt sends the same one. `names` holds `args` and `secrets` too.

    Raises TemplateFailure when the data does not fit the templates, or would change the URL's structure.
    """
    media_type, body = _body(binding.body, names, tool_call_id)
    query = list(field_pairs(render(binding.query, names), binding.styles))
    headers = _RequestHeaders()
    if media_type:
        headers.put("Content-Type", media_type)
    for name, template in binding.headers.items():
        value = template.value(names)
        if value is not None:
            headers.put(name, as_text(value))
    auth = binding.auth
    if isinstance(auth, ApiKey) and auth.location is KeyIn.QUERY:
        query.append((auth.name, auth.value.text(names)))
    elif auth is not None and not isinstance(auth, ClientCredentials):
        headers.put(*_credentials(auth, names))
    if binding.sign is not None:
        for name, value in _signature(binding.sign.text(names), tool_call_id, now, body or b""):
            headers.put(name, value)
    headers.put("Idempotency-Key", tool_call_id)
    headers.put("X-Call-Id", call_id)
    headers.put("X-Agent", agent_id)
    headers.put("traceparent", traceparent(call_id, tool_call_id))
    return HttpRequest(
        method=binding.method,
        url=_with_query(compiled_url(binding.url.source).made(names), query),
        headers=headers.all(),
        body=body,
        timeout_s=binding.timeout_s,
        oauth=_grant(auth, names) if isinstance(auth, ClientCredentials) else None,
    )


_RETRIED_AS: Mapping[Failure, str] = {
    Failure.TIMEOUT: "timeout",
    Failure.CONNECTION: "connection",
    Failure.BROKEN: "connection",
}
"""The words of `retries.on` for failures."""


def next_delay(retries: Retries, attempt: int, reply: HttpReply) -> float | None:
    """Seconds to wait before the next attempt, or None when there is none. `attempt` counts from 1.

    Only declared failures are retried.
    """
    if attempt >= retries.attempts:
        return None
    what = reply.status if reply.failure is None else _RETRIED_AS.get(reply.failure)
    return retries.backoff_s * 2 ** (attempt - 1) if what in retries.on else None


def _body(body: Body | None, names: JsonObject, message_id: str) -> tuple[str, bytes | None]:
    encoded = encoded_body(body, names, message_id) if body is not None else None
    return encoded if encoded is not None else ("", None)


def _with_query(url: str, pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return url
    query = "&".join(f"{_percent(name)}={_percent(value)}" for name, value in pairs)
    return f"{url}{_joint(url)}{query}"


def _joint(url: str) -> str:
    if "?" not in url:
        return "?"
    return "" if url.endswith(("?", "&")) else "&"


def _percent(text: str) -> str:
    return quote(text, safe="", errors="replace")


class _RequestHeaders:
    """Headers by name in any case: a later value replaces an earlier one."""

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[str, str]] = {}

    def put(self, name: str, value: str) -> None:
        """Set a header, on one line: a line break in it would begin another header (RFC 9112, 5)."""
        line = _CONTROL.sub(" ", value).strip(" \t")
        self._by_name[name.lower()] = (name, line.encode("utf-8", "replace").decode())

    def all(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._by_name.values())


def _credentials(auth: Bearer | Basic | ApiKey, names: JsonObject) -> tuple[str, str]:
    match auth:
        case Bearer():
            return "Authorization", f"Bearer {_filled(auth.token.text(names))}"
        case Basic():
            # RFC 7617, 2: the colon ends the user name, so the name cannot contain one.
            username = _filled(auth.username.text(names))
            if ":" in username:
                raise TemplateFailure('the user name of "basic" has a colon')
            pair = f"{username}:{auth.password.text(names)}".encode("utf-8", "replace")
            return "Authorization", f"Basic {base64.b64encode(pair).decode()}"
        case ApiKey():
            return auth.name, _filled(auth.value.text(names))
        case _:
            assert_never(auth)


def _grant(auth: ClientCredentials, names: JsonObject) -> Grant:
    """The grant with the current secret, so that a rotated one is another grant."""
    return Grant(
        token_url=auth.token_url,
        client_id=_filled(auth.client_id.text(names)),
        client_secret=_filled(auth.client_secret.text(names)),
        scopes=auth.scopes,
        audience=auth.audience,
    )


def _filled(credential: str) -> str:
    if not credential.strip():
        raise TemplateFailure('what "auth" sends is empty')
    return credential


def _signature(secret: str, message_id: str, now: Instant, body: bytes) -> Iterator[tuple[str, str]]:
    """The three headers of a Standard Webhooks signature."""
    from standardwebhooks.webhooks import Webhook  # noqa: PLC0415 - only few tools sign

    try:
        webhook = Webhook(secret)
    except Exception:
        # The package raises whatever its base64 decoder does; that text could quote the secret.
        raise TemplateFailure('the secret of "sign" is not a Standard Webhooks secret (whsec_…)') from None
    yield "webhook-id", message_id
    yield "webhook-timestamp", str(floor(now))
    yield (
        "webhook-signature",
        webhook.sign(msg_id=message_id, timestamp=datetime.fromtimestamp(now, UTC), data=body.decode()),
    )
