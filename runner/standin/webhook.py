"""The webhook that announces a call, signed by Standard Webhooks, as the API sends it."""

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from runner.model.call import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWebhook:
    """A webhook, ready to be posted."""

    headers: dict[str, str]
    body: bytes


def new_secret() -> str:
    """A fresh signing secret, as the API would hand it out."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def call_incoming(*, call_id: str, headers: Headers, secret: str, now: float) -> SignedWebhook:
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
    return signed(json.dumps(event).encode(), secret=secret, now=now, webhook_id=f"wh_{call_id}")


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
