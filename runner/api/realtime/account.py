"""Asks what an account offers before the first call: its models, and whether it accepts a session.

Source: the reference of `models` and of `realtime/client_secrets`.
"""

import json

from runner.api.realtime.session import session_body
from runner.model.agent import Agent
from runner.model.http import HttpReply, HttpRequest
from runner.model.values import Json

SHORTEST_S = 10
"""The shortest life of a client secret. Nobody ever uses this one."""


def models_request() -> HttpRequest:
    """The request for the models of the key's project."""
    return HttpRequest(method="GET", url="/models")


def model_ids(reply: HttpReply) -> frozenset[str] | None:
    """The models of the project; None for a reply that names none."""
    match _parsed(reply):
        case {"data": list(entries)}:
            return frozenset(entry["id"] for entry in entries if isinstance(entry, dict) and "id" in entry)
        case _:
            return None


def session_request(agent: Agent) -> HttpRequest:
    """The request that has the API check an agent's session: model, voice, tools and every field of
    `session`.

    It creates a client secret, with which a browser could begin a session. Nothing is begun, and the secret
    expires after some seconds.
    """
    body: Json = {
        "expires_after": {"anchor": "created_at", "seconds": SHORTEST_S},
        "session": session_body(agent, "A session that is checked and never used."),
    }
    return HttpRequest.post_json("/realtime/client_secrets", body)


def error_of(reply: HttpReply) -> tuple[str, str]:
    """Code and message of the API's `{"error": {…}}`; each empty where the reply has none, such as the page
    of a proxy.
    """
    match _parsed(reply):
        case {"error": {**error}}:
            code, message = error.get("code") or error.get("type"), error.get("message")
            return code if isinstance(code, str) else "", message if isinstance(message, str) else ""
        case _:
            return "", ""


def _parsed(reply: HttpReply) -> Json:
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
