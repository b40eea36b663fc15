"""Reads the webhook that announces a call."""

import sys

from runner.api.webhook import WebhookEvent, identifier
from runner.errors import WebhookRejectedError
from runner.model.call import Headers, Ringing, SipOrigin
from runner.model.values import Instant, Json

CALL_INCOMING = "realtime.call.incoming"
SAFETY = "safety."
"""Prefixes of event types about content or callers that the API's policies do not allow."""
LATEST = 10_000_000_000
"""The year 2286: a later time is in milliseconds, or no time at all."""


def is_warning(event: WebhookEvent) -> bool:
    """Whether it is a notice of the API's safety checks, which may lead to a blocked account."""
    return event.type.startswith(SAFETY)


def ringing(event: WebhookEvent) -> Ringing | None:
    """The call that rings; None for an event of another type. Raises WebhookRejectedError."""
    if event.type != CALL_INCOMING:
        return None
    created_at = _instant(event.body.get("created_at"))
    if created_at is None:
        raise WebhookRejectedError("created_at is not a time in seconds")
    data = event.body.get("data")
    if not isinstance(data, dict):
        raise WebhookRejectedError("the event has no data")
    return Ringing(
        call_id=identifier(data.get("call_id"), "call_id"),
        created_at=created_at,
        origin=SipOrigin(headers=_sip_headers(data.get("sip_headers"))),
    )


def _instant(value: Json) -> Instant | None:
    # Python's bool is an int, and its JSON reader takes NaN, Infinity and integers that no float holds.
    return float(value) if type(value) in (int, float) and 0 <= value < LATEST else None


def _sip_headers(entries: Json) -> Headers:
    """As received, in order and with repeated names. An odd entry is dropped, and never costs the call."""
    if not isinstance(entries, list):
        return ()
    return tuple(
        # Calls have the same names, and need them once.
        (sys.intern(entry["name"]), entry["value"])
        for entry in entries
        if isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("value"), str)
    )
