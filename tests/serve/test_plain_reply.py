"""Which replies are read in one step, and which are left to another parser."""

import pytest

from runner.serve.plain_reply import MOST_BYTES, NotPlainError, PlainReply, read_plain

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def reply(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", body])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (EMPTY, PlainReply(200, {b"content-length": b"0"}, b"", True)),
        (
            b"HTTP/1.1 404 \r\nCONTENT-LENGTH:2\r\nConnection: Keep-Alive\r\n\r\n{}",
            PlainReply(404, {b"content-length": b"2", b"connection": b"Keep-Alive"}, b"{}", True),
        ),
        (
            b"HTTP/1.1 503\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
            PlainReply(503, {b"content-length": b"1", b"connection": b"close"}, b"x", False),
        ),
        (EMPTY + b"more", PlainReply(200, {b"content-length": b"0"}, b"", False)),
        (
            reply(b"Set-Cookie: a", b"Set-Cookie: b", b"Content-Length: 1", body=b"\r"),
            PlainReply(200, {b"set-cookie": b"b", b"content-length": b"1"}, b"\r", True),
        ),
    ],
)
def test_a_short_reply_of_a_known_length_is_read_at_once(data: bytes, expected: PlainReply) -> None:
    assert read_plain(data) == expected


@pytest.mark.parametrize("size", range(len(EMPTY)))
def test_an_incomplete_reply_is_waited_for(size: int) -> None:
    assert read_plain(EMPTY[:size]) is None


def test_so_is_the_rest_of_a_body() -> None:
    assert read_plain(reply(b"Content-Length: 2", body=b"{")) is None


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
        b"sk-secret",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        reply(),
        reply(b"Content-Length: +1", body=b"x"),
        reply(b"Content-Length: 1, 1", body=b"x"),
        reply(b"Content-Length: 1", b"Content-Length: 1", body=b"x"),
        reply(b"Content-Length: %d" % MOST_BYTES),
        reply(b"Content-Length: 000000"),
        reply(b"Content-Length: 0", b"Transfer-Encoding: chunked"),
        reply(b"Transfer-Encoding: chunked"),
        reply(b"Content-Length: 0", b" folded"),
        reply(b"Content-Length : 0"),
        reply(b"Content-Length: 0", b"nothing"),
        reply(b"Content-Length: 0", b": nameless"),
        reply(b"Content-Length: 0", b"A: b\nC: d"),
        reply(b"Content-Length: 0", b"A: b\rC: d"),
        b"HTTP/1.1 " + b"x" * MOST_BYTES,
    ],
)
def test_any_other_is_left_to_another_parser(data: bytes) -> None:
    with pytest.raises(NotPlainError):
        read_plain(data)
