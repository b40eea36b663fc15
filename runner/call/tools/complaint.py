"""Finds an endpoint's own words about a failure, for the log."""

import re
from collections.abc import Iterator, Mapping

from runner.call.records.redaction import Redactor
from runner.call.tools.endpoint_reply import phrase, read_reply
from runner.model.http import HttpReply
from runner.model.values import Json

LONGEST = 200
"""Characters of a complaint."""
MOST_READ = 16_384
"""Bytes of a reply that is searched; a longer one is hardly an error message."""

_FIELDS = ("detail", "message", "error_description", "error", "errors", "reason", "title")
"""Where APIs put a sentence about a failure (RFC 9457, RFC 6749, and common use)."""
_HTML = re.compile(r"\s*<")


def has_failed(reply: HttpReply) -> bool:
    """Whether an endpoint did not reply, or not with a success."""
    return reply.failure is not None or reply.status is None or not 200 <= reply.status <= 299


def complaint(reply: HttpReply, redactor: Redactor) -> str:
    """The endpoint's words about a failure, in one line, or else the name of its status. Never raises."""
    if reply.failure is not None or reply.status is None:
        return reply.detail
    is_readable = redactor.keeps_transcript and len(reply.body) <= MOST_READ
    words = redactor.text(" ".join(next(_words(reply, redactor), "").split())) if is_readable else ""
    redirect = ", a redirect, which is not followed" if 300 <= reply.status <= 399 else ""
    words = words or f"{phrase(reply.status)}{redirect}"
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def _words(reply: HttpReply, redactor: Redactor) -> Iterator[str]:
    read = read_reply(reply)
    if read.is_json:
        yield from _sentences(redactor.result(read.value))
    elif read.text and read.media_type != "text/html" and not _HTML.match(read.text):
        yield read.text.strip().partition("\n")[0]


def _sentences(value: Json) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, list):
        yield from _sentences(value[0] if value else None)
    elif isinstance(value, Mapping):
        for name in _FIELDS:
            yield from _sentences(value.get(name))
