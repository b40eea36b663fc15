"""Checks the public address of webhooks with an event that no runner acts upon."""

import json
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from standardwebhooks import Webhook

from runner.doctor.finding import Finding, Topic
from runner.doctor.probe import LookUp, NotReached, probe
from runner.model.values import Instant
from runner.serve.app import WEBHOOK_PATH
from runner.serve.webhooks import IGNORED

WEBHOOK = Topic("webhook")
REPLY_S = 10.0
EVENT = "phone_agents.doctor"
"""A type of event that no API sends: a runner verifies it and does nothing."""
MOST_BODY = 200


def complete_url(url: str) -> str:
    """The complete URL: an address without a path means the path that a runner serves."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=WEBHOOK_PATH)) if parts.path in {"", "/"} else url


async def examine_webhook(
    url: str, secret: str, tls: ssl.SSLContext, *, now: Instant, look_up: LookUp | None = None
) -> Finding:
    """Post a signed event to the address, as the API would."""
    where = complete_url(url)
    parts = urlsplit(where)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return WEBHOOK.error(
            f'"{url}" is not an address of the web', f"write https://calls.example.com{WEBHOOK_PATH}"
        )
    reached = await probe(where, tls, look_up=look_up)
    if isinstance(reached, NotReached):
        return reached.finding(WEBHOOK, where)
    body = json.dumps({"type": EVENT, "data": {}})
    webhook_id = f"wh_doctor_{int(now)}"
    headers = {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": Webhook(secret).sign(webhook_id, datetime.fromtimestamp(now, UTC), body),
    }
    timeout, connector = aiohttp.ClientTimeout(total=REPLY_S), aiohttp.TCPConnector(ssl=tls)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            session.post(where, data=body, headers=headers, allow_redirects=False) as response,
        ):
            text = (await response.content.read(MOST_BODY)).decode(errors="replace").strip()
            return webhook_finding(where, response.status, text, response.headers.get("Location"))
    except TimeoutError:
        return WEBHOOK.error(
            f"{where} does not answer in {REPLY_S:g} s", "does the proxy before the runner reach it?"
        )
    except (aiohttp.ClientError, OSError) as error:
        return WEBHOOK.error(f"{where}: {error}", "is that the address of the runner, or of its proxy?")


def webhook_finding(url: str, status: int, text: str, location: str | None) -> Finding:
    """The meaning of the answer to a signed event. Pure."""
    is_public = urlsplit(url).scheme == "https"
    match status:
        case 200 if text == IGNORED and not is_public:
            return WEBHOOK.warning(
                f"{url} reaches a runner that has the same secret, and is not https://",
                "enter an https:// address at the API",
            )
        case 200 if text == IGNORED:
            return WEBHOOK.ok(f"{url} reaches a runner that has the same secret")
        case 400:
            return WEBHOOK.error(
                f"{url} refuses an event that is signed with our secret",
                "have that runner use the webhook secret of this configuration; its log says more",
            )
        case 404 | 405:
            return WEBHOOK.error(
                f"{url} has no webhook there ({status})",
                f"have the proxy forward POST {WEBHOOK_PATH} to the runner, and enter that path at the API",
            )
        case 401 | 403:
            return WEBHOOK.error(
                f"{url} does not let the request in ({status})",
                "have the proxy forward POST requests without asking who sends them: a signature says that",
            )
        case status if 300 <= status < 400:
            return WEBHOOK.error(
                f"{url} redirects to {location or 'another address'}, which the API does not follow",
                "enter the address that it redirects to",
            )
        case 502 | 503 | 504:
            return WEBHOOK.error(
                f"{url} has no runner behind it ({status})", "start the runner, or mend where the proxy leads"
            )
        case status if 200 <= status < 300:
            return WEBHOOK.error(
                f"{url} is answered by another program ({status})",
                "have the proxy forward it to the runner's server.host and server.port",
            )
    return WEBHOOK.error(f"{url} answers {status}", "see the log of the runner, or of its proxy")
