"""The API's requests about a call (accept, reject, refer, hang up) and what its replies mean.

Source: https://developers.openai.com/api/docs/guides/realtime-sip and the reference of `realtime/calls`.
"""

import json
from dataclasses import replace
from hashlib import blake2b
from typing import assert_never
from urllib.parse import quote, unquote, urlsplit

from runner.api.port import Order
from runner.api.realtime.account import error_of
from runner.api.realtime.facts import INSUFFICIENT_QUOTA
from runner.api.realtime.session import session_body
from runner.model.action import AnswerCall, HangUp, Refer, RejectCall
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    Decided,
    HangUpFailed,
    ReferAnswered,
    RejectReplied,
)
from runner.model.http import HttpReply, HttpRequest
from runner.model.values import JsonObject

REPLY_S = 6.0
"""Accept was seen to take 5.3 s to report that the caller has gone; a shorter wait would look like an API
without an answer.
"""
REFER_REPLY_S = 10.0

LONGEST_MESSAGE = 200
"""Characters of the API's message in a line of the log."""
LONGEST_ID = 200
"""Of a call, in characters: it becomes part of paths."""


def request(order: Order, call_id: str) -> HttpRequest:
    """The request that carries out an order, relative to the base URL."""
    timeout_s = REPLY_S
    body: JsonObject | None = None
    match order:
        case AnswerCall(offer=str() as offer):
            return _call_of(offer, session_body(order.agent, order.instructions, order.servers))
        case AnswerCall(agent=agent, instructions=instructions, servers=servers):
            action, body = "accept", session_body(agent, instructions, servers)
        case RejectCall(status=status):
            action, body = "reject", {"status_code": status}
        case Refer(target=target):
            action, body, timeout_s = "refer", {"target_uri": target}, REFER_REPLY_S
        case HangUp():
            action = "hangup"
        case _:
            assert_never(order)
    url = f"/realtime/calls/{quote(call_id, safe='')}/{action}"
    if body is None:
        return HttpRequest(method="POST", url=url, timeout_s=timeout_s)
    return replace(HttpRequest.post_json(url, body, timeout_s), is_sent_once=isinstance(order, Refer))


def is_retryable(order: Order, reply: HttpReply) -> bool:
    """Whether a repeated request could help: no answer, trouble at the API, or too many requests.

    An account without quota has none a second later.

    Refer is sent once: a second one could transfer twice. So is a browser's offer, once the API may have read
    it: a second one could create a second call, which nobody hears and everybody pays for.
    """
    if isinstance(order, AnswerCall) and order.offer is not None:
        return not reply.was_sent
    if isinstance(order, AnswerCall) and _error(reply, may_quote_key=True)[0] == INSUFFICIENT_QUOTA:
        return False
    is_cut = reply.failure is not None and not _is_ok(reply)  # Why it was refused may be read the next time.
    return not isinstance(order, Refer) and (is_cut or _may_pass(reply.status))


def refuses_key(order: Order, reply: HttpReply) -> bool:
    """Whether the reply refuses our key. A 403 to a transfer may be the carrier's, and only about that."""
    return reply.status == 401 or (reply.status == 403 and not isinstance(order, Refer))


def complaint(order: Order, reply: HttpReply) -> str:
    """What the API says against the order: nothing for success."""
    if _is_ok(reply):
        return ""
    if reply.status is None:
        return f"the voice API could not be reached ({reply.detail or 'no reply'})"
    code, message = _error(reply, may_quote_key=refuses_key(order, reply))
    said = ": ".join(part for part in (code, message) if part)
    advice = "; add credit to the API account" if code == INSUFFICIENT_QUOTA else ""
    return f"the voice API answered {reply.status}" + (f" ({said})" if said else "") + advice


def answered(order: Order, reply: HttpReply, *, unsettled: bool) -> CallEvent:
    """The event for the reply to an order."""
    code, _ = _error(reply, may_quote_key=True)
    detail = complaint(order, reply)
    match order:
        case AnswerCall(offer=str()):
            return _call_made(reply, code, detail)
        case AnswerCall():
            return AnswerReplied(decided=_decided(reply, code, unsettled=unsettled), code=code, detail=detail)
        case RejectCall():
            return RejectReplied(decided=_decided(reply, code, unsettled=unsettled), code=code, detail=detail)
        case Refer():
            return ReferAnswered(ok=_is_ok(reply), detail=detail)
        case HangUp():
            # A call that is over already is what we wanted.
            if _is_ok(reply) or reply.status == 404:
                return CallGone()
            return HangUpFailed(detail=detail, final=not _may_pass(reply.status))
        case _:
            assert_never(order)


def _call_of(offer: str, session: JsonObject) -> HttpRequest:
    """A form of two parts, each with its own type (RFC 7578, 4.4).

    Source: https://developers.openai.com/api/docs/guides/realtime-webrtc, "unified interface".
    """
    session_json = json.dumps(session, ensure_ascii=False).encode("utf-8", "replace")
    sdp = offer.encode()
    # A hash of the parts occurs in neither of them.
    boundary = blake2b(sdp + session_json, digest_size=24).hexdigest().encode()
    parts = ((b"sdp", b"application/sdp", sdp), (b"session", b"application/json", session_json))
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\nContent-Type: %b\r\n\r\n%b\r\n'
        % (boundary, name, kind, content)
        for name, kind, content in parts
    )
    return HttpRequest(
        method="POST",
        url="/realtime/calls",
        headers=(("Content-Type", f"multipart/form-data; boundary={boundary.decode()}"),),
        body=b"%b--%b--\r\n" % (body, boundary),
        timeout_s=REPLY_S,
        is_sent_once=True,
    )


def _call_made(reply: HttpReply, code: str, detail: str) -> AnswerReplied:
    """The answer's SDP is the body, and the call's id the last part of `Location`."""
    if _is_ok(reply) and reply.failure is not None:
        return AnswerReplied(
            decided=Decided.REFUSED, detail=f"the voice API created a call, but {reply.detail}"
        )
    if not _is_ok(reply):
        may_pass = _may_pass(reply.status) or reply.status in (401, 403)
        decided = Decided.UNAVAILABLE if may_pass else Decided.REFUSED
        return AnswerReplied(decided=decided, code=code, detail=detail)
    try:
        path = urlsplit(reply.location).path
    except ValueError:
        path = ""
    api_call_id = unquote(path.rpartition("/")[2])
    if not _is_id(api_call_id):
        missing = "the voice API created a call and did not return its id"
        return AnswerReplied(decided=Decided.REFUSED, detail=missing)
    sdp = reply.body.decode("utf-8", "replace")
    return AnswerReplied(decided=Decided.DONE, api_call_id=api_call_id, sdp=sdp)


def _is_id(text: str) -> bool:
    return 0 < len(text) <= LONGEST_ID and text.isascii() and text.isprintable() and " " not in text


def _decided(reply: HttpReply, code: str, *, unsettled: bool) -> Decided:
    if _is_ok(reply):
        return Decided.DONE
    if reply.status == 404:
        return Decided.GONE
    if code == "decision_already_made":
        # After a request of ours whose reply was lost the decision is most likely our own; giving up the call
        # would leave the caller with an agent that nobody serves.
        return Decided.DONE_BEFORE if unsettled else Decided.TAKEN
    if code == INSUFFICIENT_QUOTA:
        return Decided.REFUSED
    # Somebody will replace a refused key: the webhook is delivered again, here or to another runner.
    may_pass = _may_pass(reply.status) or reply.status in (401, 403)
    return Decided.UNAVAILABLE if may_pass else Decided.REFUSED


def _is_ok(reply: HttpReply) -> bool:
    return reply.status is not None and 200 <= reply.status < 300


def _may_pass(status: int | None) -> bool:
    return status is None or status >= 500 or status in (408, 429)


def _error(reply: HttpReply, *, may_quote_key: bool) -> tuple[str, str]:
    """Code and message of the API's `{"error": {…}}`, each empty where there is none."""
    if _is_ok(reply):
        return "", ""
    code, message = error_of(reply)
    return code, "" if may_quote_key else " ".join(message.split())[:LONGEST_MESSAGE]
