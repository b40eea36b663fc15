"""The webhook that announces a call, signed by Standard Webhooks, with headers as a carrier sends them."""

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

PROJECT_ADDRESS = "<sip:proj_simulated0000000000@sip.api.openai.com;transport=tls>"
CARRIER_HOST = "pstn.carrier.example"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWebhook:
    """A webhook, ready to be posted."""

    headers: dict[str, str]
    body: bytes


def new_secret() -> str:
    """A fresh signing secret, as the API would hand it out."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def sip_headers(*, caller: str, called: str, call_id: str, more: Headers = ()) -> Headers:
    """The headers of an INVITE that a carrier forwards to the API.

    `To` is the API's project, and the dialled number stands in `Diversion`, as carriers really send it. A
    `called` that is a whole `sip:` address stands in `To` itself: so it comes from one's own exchange.
    """
    dialled_directly = called.startswith(("sip:", "sips:"))
    to = f"<{called}>" if dialled_directly else PROJECT_ADDRESS
    diversion = (("Diversion", f"<sip:{called}@{CARRIER_HOST}>;reason=unconditional"),)
    return (
        ("Via", f"SIP/2.0/TLS {CARRIER_HOST}:5061;branch=z9hG4bK{call_id[-8:]}"),
        ("From", _from(caller)),
        ("To", to),
        ("Call-ID", f"{call_id}@{CARRIER_HOST}"),
        ("CSeq", "1 INVITE"),
        *(() if dialled_directly else diversion),
        *more,
    )


def call_incoming(
    *,
    call_id: str,
    headers: Headers,
    secret: str,
    now: float,
    webhook_id: str | None = None,
) -> SignedWebhook:
    """A `realtime.call.incoming` event about this call, signed with the secret at `now`."""
    event = {
        "object": "event",
        "id": f"evt_{call_id}",
        "type": "realtime.call.incoming",
        "created_at": int(now),
        "data": {
            "call_id": call_id,
            "sip_headers": [{"name": name, "value": value} for name, value in headers],
            "sip_media_security": "srtp",
        },
    }
    return signed(
        json.dumps(event).encode(), secret=secret, now=now, webhook_id=webhook_id or f"wh_{call_id}"
    )


def signed(body: bytes, *, secret: str, now: float, webhook_id: str) -> SignedWebhook:
    """Any body, signed."""
    signature = Webhook(secret).sign(webhook_id, datetime.fromtimestamp(now, UTC), body.decode())
    headers = {
        "content-type": "application/json",
        "user-agent": "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": signature,
    }
    return SignedWebhook(headers=headers, body=body)


def _from(caller: str) -> str:
    if caller.startswith(("sip:", "sips:", "tel:")):
        return f"<{caller}>;tag=simulated"
    if caller == "anonymous":
        return '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=simulated'
    return f'"{caller}" <sip:{caller}@{CARRIER_HOST}>;tag=simulated'
