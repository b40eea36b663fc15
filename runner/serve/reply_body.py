"""Reads the body of a reply: whole, decompressed, and within a bound. Its sender is not trusted."""

import zlib

import aiohttp

from runner.model.http import Failure

MAX_REPLY_BYTES = 1024 * 1024
"""A longer reply is refused. Counted after decompression too, so a small bomb is a large reply."""
ACCEPT_ENCODING = "gzip, deflate"
"""For sessions with `auto_decompress=False`: aiohttp takes a compressed body that was cut off for a whole
one.
"""

GZIP_MAGIC = b"\x1f\x8b"
MAX_MEMBERS = 16
"""Members of a gzip body. Ordinary ones have one; each costs a copy of all that follow."""

CUT = "the reply was cut off or cannot be decoded"


class BodyError(Exception):
    """The body cannot be used."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, decompressed. Raises BodyError, as soon as it is too long, and aiohttp's own errors.

    A body that is left unread closes its connection.
    """
    return decoded(await read_all(response.content), response.headers.get("Content-Encoding", ""))


async def read_all(content: aiohttp.StreamReader) -> bytes:
    """The whole body as it came. Raises BodyError, as soon as it is too long, and aiohttp's own errors."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        _check_size(len(body))
    return bytes(body)


def decoded(body: bytes, encoding: str) -> bytes:
    """A whole body, decompressed; `encoding` is its `Content-Encoding`. Raises BodyError."""
    encoding = encoding.strip().lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "x-gzip"):
        return _unzip(body)
    if encoding == "deflate":
        # With the header that RFC 9110 requires, or without it, as from some servers.
        has_header = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _unpack(body, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS, 0)[0]
    raise BodyError(Failure.BROKEN, "the reply has a content encoding that was not requested")


def _unzip(packed: bytes) -> bytes:
    """The members of a gzip file (RFC 1952, 2.2); what follows the last one is ignored."""
    body = b""
    for number in range(MAX_MEMBERS + 1):
        if number and not packed.startswith(GZIP_MAGIC):
            return body
        part, packed = _unpack(packed, zlib.MAX_WBITS | 16, len(body))
        body += part
    raise BodyError(Failure.BROKEN, CUT)


def _unpack(packed: bytes, window_bits: int, before: int) -> tuple[bytes, bytes]:
    """The content, and what follows it. `before`: bytes that came before this content."""
    unpacker = zlib.decompressobj(window_bits)
    try:
        body = unpacker.decompress(packed, MAX_REPLY_BYTES + 1 - before)
    except zlib.error:
        raise BodyError(Failure.BROKEN, CUT) from None
    _check_size(before + len(body))
    if not unpacker.eof:
        raise BodyError(Failure.BROKEN, CUT)
    return body, unpacker.unused_data


def _check_size(size: int) -> None:
    if size > MAX_REPLY_BYTES:
        raise BodyError(Failure.TOO_LARGE, f"the reply is longer than {MAX_REPLY_BYTES} bytes")
