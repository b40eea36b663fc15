"""Reads an endpoint's reply: as JSON if its bytes are, whatever its media type says; otherwise as text, if
possible.

An endpoint has acted by the time it replies, so a wrong media type or an unknown charset never turns a
success into a failure.
"""

import codecs
import re
from dataclasses import dataclass, field
from http import HTTPStatus

from runner.model.http import Failure, HttpReply
from runner.model.json_text import OversizedError, read_json
from runner.model.values import Json

_CHARSETS = re.compile(r"utf-?(8|16(-?[bl]e)?)|iso-?8859-?1|latin-?1|(us-)?ascii|(windows-|cp)125[0-8]")
"""The charsets of the web, each of which decodes in time linear in the text; Python knows others."""
_BINARY = re.compile(r"(image|audio|video|font)/")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")

_FAILURES = {
    Failure.TIMEOUT: "the endpoint did not answer in time",
    Failure.CONNECTION: "the endpoint could not be reached",
    Failure.BROKEN: "the endpoint was reached, but no reply came back that can be read",
    Failure.FORBIDDEN: "the endpoint's address is one that tools may not reach",
    Failure.TOO_LARGE: "the endpoint's reply is too large",
    Failure.UNKNOWN: "it is unknown whether this was done",
    Failure.UNAUTHORIZED: "no access token was given for the endpoint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointReply:
    """A reply, or its absence, with its body parsed once."""

    status: int | None
    error: str | None = None
    """Why it is not a success, as a sentence."""
    media_type: str = ""
    text: str | None = field(default=None, repr=False)
    """The body, or None where it is not text."""
    value: Json = field(default=None, repr=False)
    is_json: bool = False
    """Whether the body is JSON; `value` is its content."""
    why_not_json: str = "not JSON"

    @property
    def is_empty(self) -> bool:
        """Whether the body is empty."""
        return not self.is_json and self.text is not None and not self.text.strip()


class UnusableReplyError(Exception):
    """There is no reply, it is not a success, or it is a success with an unexpected body."""


def read_reply(reply: HttpReply) -> EndpointReply:
    """Read the reply. Never raises."""
    if reply.failure is not None or reply.status is None:
        return EndpointReply(status=reply.status, error=_FAILURES[reply.failure or Failure.CONNECTION])
    media_type = reply.content_type.partition(";")[0].strip().lower()
    error = None if 200 <= reply.status <= 299 else _status_error(reply.status)
    text = _text(reply)
    try:
        value = read_json(reply.body if text is None else text)
    except ValueError as fault:
        if text is not None and (_BINARY.match(media_type) or _CONTROL.search(text)):
            text = None
        return EndpointReply(
            status=reply.status,
            error=error,
            media_type=media_type,
            text=text,
            why_not_json=str(fault) if isinstance(fault, OversizedError) else "not JSON",
        )
    return EndpointReply(
        status=reply.status, error=error, media_type=media_type, text=text, value=value, is_json=True
    )


def json_of(reply: EndpointReply) -> Json:
    """The JSON value of a success. Raises UnusableReplyError, which says what it is instead."""
    if reply.error is not None:
        raise UnusableReplyError(reply.error)
    if not reply.is_json:
        raise unusable(reply, "empty" if reply.is_empty else reply.why_not_json)
    return reply.value


def unusable(reply: EndpointReply, what: str) -> UnusableReplyError:
    """The error for a success whose body is `what`. It says that the endpoint has acted."""
    return UnusableReplyError(f"the endpoint answered {reply.status}, but its reply is {what}")


def _text(reply: HttpReply) -> str | None:
    declared = re.search(r'(?i)charset="?([\w.:-]+)', reply.content_type)
    charset = declared[1].lower() if declared else ""
    likely = "utf-16" if reply.body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    for name in (charset, likely) if _CHARSETS.fullmatch(charset) else (likely,):
        try:
            return reply.body.decode(name).removeprefix("\ufeff")
        except (LookupError, ValueError):
            continue
    return None


def phrase(status: int) -> str:
    """The name of a status, such as "Conflict"; empty for one without a name."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


def _status_error(status: int) -> str:
    redirect = ", a redirect, which is not followed" if 300 <= status <= 399 else ""
    return f"the endpoint answered {status} {phrase(status)}".rstrip() + redirect
