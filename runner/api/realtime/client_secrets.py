"""Secrets with which a page makes a call of its own. Source: the reference of `realtime/client_secrets`.

Whoever has one holds the session's data channel.
"""

from runner.api.realtime.session import session_body
from runner.model.action import AnswerCall
from runner.model.http import HttpReply, HttpRequest
from runner.model.json_text import read_json
from runner.model.values import JsonObject

LASTS_S = 60
"""Until the call begins. One secret makes many calls until it expires, so it should expire soon."""


def secret_request(answer: AnswerCall) -> HttpRequest:
    """The request for a secret with the session of the call."""
    body: JsonObject = {
        "expires_after": {"anchor": "created_at", "seconds": LASTS_S},
        "session": session_body(answer.agent, answer.instructions, answer.servers),
    }
    return HttpRequest.post_json("/realtime/client_secrets", body)


def secret_of(reply: HttpReply) -> JsonObject | None:
    """The secret and when it expires, in seconds; None when the API gave none."""
    try:
        body = read_json(reply.body)
    except ValueError:
        return None
    match body:
        case {"value": str(value), "expires_at": int(expires_at)} if reply.status == 200:
            return {"value": value, "expires_at": expires_at}
        case _:
            return None
