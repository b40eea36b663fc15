"""Reads the reply that HTTP servers nearly always give: short, whole, and of a length that it names.

Anything else (a body in chunks, a long one, an interim reply, bytes that are not HTTP) is left to aiohttp's
parser, which takes several times as long.
"""

from typing import NamedTuple

MOST_BYTES = 16 * 1024
_VERSION = b"HTTP/1.1 "
_END_OF_HEAD = b"\r\n\r\n"
_BARE_END = b"\n\n"
"""Some servers end lines without a carriage return (RFC 9112, 2.2)."""
_FRAMING = frozenset({b"content-length", b"connection", b"transfer-encoding"})
_WITHOUT_BODY = frozenset({204, 304})


class PlainReply(NamedTuple):
    """Such a reply."""

    status: int
    headers: dict[bytes, bytes]
    """By name in lower case; of a repeated one the last."""
    body: bytes
    keeps_connection: bool
    """Whether the connection may carry another request."""


class NotPlainError(Exception):
    """Another parser has to read these bytes."""


def read_plain(data: bytes) -> PlainReply | None:
    """The reply that these bytes are; None while it is incomplete. Raises NotPlainError."""
    end = data.find(_END_OF_HEAD)
    if end < 0:
        is_ours = data[: len(_VERSION)] == _VERSION[: len(data)] and _BARE_END not in data
        if len(data) > MOST_BYTES or not is_ours:
            raise NotPlainError
        return None
    status, headers = _head(data[:end])
    length = headers.get(b"content-length", b"")
    # Digits of ASCII alone (RFC 9110, 8.6), and too few for a number that is not short.
    if not length.isdigit() or len(length) > 5 or b"transfer-encoding" in headers:
        raise NotPlainError
    begin = end + len(_END_OF_HEAD)
    whole = begin + int(length)
    if whole > MOST_BYTES:
        raise NotPlainError
    if len(data) < whole:
        return None
    keeps = headers.get(b"connection", b"keep-alive").lower() == b"keep-alive" and len(data) == whole
    return PlainReply(status, headers, data[begin:whole], keeps)


def status_of(data: bytes) -> int | None:
    """The status of a reply that broke off; None where its head is not there, or not usual."""
    end = data.find(_END_OF_HEAD)
    try:
        return None if end < 0 else _head(data[:end])[0]
    except NotPlainError:
        return None


def _head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    code = first[len(_VERSION) : len(_VERSION) + 3]
    # Lines may end in other ways, which not all read alike.
    is_usual = first.startswith(_VERSION) and first[len(_VERSION) + 3 :][:1] in {b" ", b""}
    if (
        not (is_usual and code.isdigit())
        or head.count(b"\n") != len(lines)
        or head.count(b"\r") != len(lines)
    ):
        raise NotPlainError
    status = int(code)
    if status < 200 or status in _WITHOUT_BODY:
        raise NotPlainError
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name or name.strip() != name or (name in _FRAMING and name in headers):
            raise NotPlainError
        headers[name] = value.strip(b" \t")
    return status, headers
