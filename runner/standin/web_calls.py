"""Reads a client's request that creates a call from a browser's offer, and refuses what the API refuses.
Pure.

Source: https://developers.openai.com/api/docs/guides/realtime-webrtc; the parts are those that the `openai`
package sends (3.54, `realtime.calls.create`).
"""

import json
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

from runner.model.http import HttpRequest
from runner.model.values import Json
from runner.standin.placed_call import RestReply, error_reply

CALLS_PATH = "/realtime/calls"
PARTS = {"sdp": "application/sdp", "session": "application/json"}

ANSWER = "".join(
    f"{line}\r\n"
    for line in (
        "v=0",
        "o=- 3871029384756102938 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "m=audio 3478 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 203.0.113.9",
        "a=candidate:1 1 udp 2130706431 203.0.113.9 3478 typ host",
        "a=end-of-candidates",
        "a=ice-ufrag:nBvCxZaQ",
        "a=ice-pwd:pLoKiJuHyGtFrDeSwAqZxCvB",
        "a=fingerprint:sha-256 " + ":".join(["5B"] * 32),
        "a=setup:passive",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
    )
)
"""The answer to an offer where nobody speaks: a peer that no packet reaches (RFC 5737)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallForm:
    """The content of a request for a call."""

    sdp: str
    session: Json
    complaints: tuple[str, ...] = ()
    """What the real API might accept, and nobody should send."""


def call_of(request: HttpRequest) -> CallForm | None:
    """The form of a request; None for a request that creates no call."""
    if request.method != "POST" or request.url != CALLS_PATH:
        return None
    headers = {name.lower(): value for name, value in request.headers}
    form = read_form(headers.get("content-type", ""), request.body or b"")
    return form if isinstance(form, CallForm) else None


def read_form(content_type: str, body: bytes) -> CallForm | RestReply:
    """The two parts of a request's form, or why the API refuses it."""
    if not content_type.startswith("multipart/form-data; boundary="):
        return error_reply(400, None, "the body must be multipart/form-data with a boundary")
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = {str(part.get_param("name", header="content-disposition")): part for part in _parts(message)}
    if "sdp" not in parts:
        return error_reply(400, None, "Missing required parameter: 'sdp'.")
    sdp = _content(parts["sdp"]).decode("utf-8", "replace")
    if not sdp.startswith("v=0") or "\nm=audio " not in sdp:
        return error_reply(400, None, "The SDP offer could not be parsed, or has no audio.")
    try:
        session = json.loads(_content(parts["session"])) if "session" in parts else None
    except ValueError:
        return error_reply(400, None, "'session' is not JSON.")
    complaints = [f"create: unknown part '{name}'" for name in parts if name not in PARTS]
    for name, kind in PARTS.items():
        if name in parts and parts[name].get_content_type() != kind:
            complaints.append(f"create: the part '{name}' is not {kind}")
    return CallForm(sdp=sdp, session=session, complaints=tuple(complaints))


def _parts(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
