"""Verifies that a webhook comes from a voice API. Pure: bytes, headers, secrets and `now` in, an event out.

The scheme is Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, a timestamp within five minutes,
several `v1,…` candidates and several secrets while one rotates. The API's own module reads the event.
"""

import base64
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks import Webhook

from runner.errors import WebhookRejectedError
from runner.model.values import Instant, Json, JsonObject

TOLERANCE_S = 300
"""The largest difference between the sender's clock and ours, by the Standard Webhooks specification."""

MIN_KEY_BYTES = 16
"""Of a secret. Standard Webhooks requires 24 to 64; a shorter one could be guessed."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:=+@-]{0,199}")
"""Ids are opaque; this keeps them printable, and harmless in a URL's path."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """A verified event."""

    webhook_id: str
    """The same on every delivery of the event."""
    type: str
    body: JsonObject = field(repr=False)
    """The whole event, as it was sent."""


def is_secret(secret: str) -> bool:
    """Whether webhooks can be verified with this secret: `whsec_` and base64 of enough bytes."""
    return _signer(secret) is not None


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: Instant) -> WebhookEvent:
    """The event in a webhook that one of the secrets signed.

    Raises `WebhookRejectedError` for everything else, whatever the bytes. Without a secret nothing is
    accepted.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    webhook_id = identifier(fields.get("webhook-id"), "webhook-id")
    signed_at = _timestamp(fields.get("webhook-timestamp"), now)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise WebhookRejectedError("the body is not UTF-8") from error
    candidates = _candidates(fields.get("webhook-signature"))
    if not any(_signed(secret, candidates, webhook_id, signed_at, text) for secret in secrets):
        raise WebhookRejectedError("no signature matches the body")
    return _event(webhook_id, _parse(text))


def identifier(value: Json, name: str) -> str:
    """An id from a webhook. Raises `WebhookRejectedError` for what cannot be one."""
    if not isinstance(value, str) or not value:
        raise WebhookRejectedError(f"{name} is missing")
    if _IDENTIFIER.fullmatch(value) is None:
        raise WebhookRejectedError(f"{name} is not a valid id")
    return value


def _timestamp(value: str | None, now: Instant) -> int:
    """The package reads the clock for this check, so it is made here, before the package signs."""
    if not value:
        raise WebhookRejectedError("webhook-timestamp is missing")
    if _TIMESTAMP.fullmatch(value) is None:
        raise WebhookRejectedError("webhook-timestamp is not a whole number of seconds")
    signed_at = int(value)
    if abs(now - signed_at) > TOLERANCE_S:
        raise WebhookRejectedError(f"webhook-timestamp is more than {TOLERANCE_S} seconds from now")
    return signed_at


def _candidates(value: str | None) -> tuple[bytes, ...]:
    if not value:
        raise WebhookRejectedError("webhook-signature is missing")
    # Header bytes that are not UTF-8 arrive as lone surrogates, which no signature contains.
    return tuple(candidate.encode(errors="replace") for candidate in value.split(" "))


def _signed(secret: str, candidates: Sequence[bytes], webhook_id: str, signed_at: int, text: str) -> bool:
    signer = _signer(secret)
    if signer is None:
        return False
    signature = signer.sign(webhook_id, datetime.fromtimestamp(signed_at, UTC), text).encode()
    # Every candidate is compared as text: the package's own way of reading them raises on some.
    return any(hmac.compare_digest(signature, candidate) for candidate in candidates)


@lru_cache(maxsize=8)
def _signer(secret: str) -> Webhook | None:
    encoded = secret.removeprefix("whsec_")
    try:
        # Strictly: the package would skip whatever is not base64 and sign with a shorter key.
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return None
    return Webhook(key) if len(key) >= MIN_KEY_BYTES else None


def _parse(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WebhookRejectedError("the body is not JSON") from error


def _event(webhook_id: str, body: Json) -> WebhookEvent:
    if not isinstance(body, dict):
        raise WebhookRejectedError("the body is not a JSON object")
    kind = body.get("type")
    if not isinstance(kind, str):
        raise WebhookRejectedError("the event has no type")
    return WebhookEvent(webhook_id=webhook_id, type=kind, body=body)
