"""The opening handshake of a sideband, byte by byte."""

import base64
import hashlib
import re

import pytest
from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    NegotiationError,
    SecurityError,
)
from websockets.uri import parse_uri

from runner.serve.websocket_handshake import MOST_HEAD_BYTES, Handshake

URI = parse_uri("wss://api.example/v1/realtime?call_id=rtc_1")
ACCEPTED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
FRAME = b"\x81\x02{}"


def begun() -> tuple[Handshake, str]:
    """A handshake, and the field with which a server accepts it."""
    handshake = Handshake(URI, {"Authorization": "Bearer key"})
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", handshake.request)
    assert key
    digest = hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return handshake, f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n"


def test_the_request() -> None:
    handshake, _ = begun()
    lines = re.sub(rb"Key: \S{22}==\r", rb"Key: KEY\r", handshake.request).decode().split("\r\n")
    assert lines == [
        "GET /v1/realtime?call_id=rtc_1 HTTP/1.1",
        "Host: api.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: KEY",
        "Sec-WebSocket-Version: 13",
        "Authorization: Bearer key",
        "",
        "",
    ]
    assert handshake.request != begun()[0].request


@pytest.mark.parametrize(
    "reply",
    [
        ACCEPTED,
        "HTTP/1.1 101 \r\nuPGRADE:WebSocket\r\nconnection:  upgrade \r\n",
        f"{ACCEPTED}Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n",
        ACCEPTED.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_server_accepts_in_pieces_of_any_size(reply: str, size: int) -> None:
    handshake, accept = begun()
    data = f"{reply}{accept}\r\n".encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [handshake.receive(piece) for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert handshake.receive(pieces[-1] + FRAME) == FRAME


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (f"{ACCEPTED}Sec-WebSocket-Accept: another\r\n\r\n", InvalidHandshake),
        (f"{ACCEPTED}\r\n", InvalidHandshake),
        (f"{ACCEPTED}ACCEPTSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", NegotiationError),
        (f"{ACCEPTED}ACCEPTSec-WebSocket-Protocol: realtime\r\n\r\n", NegotiationError),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", InvalidStatus),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", InvalidMessage),
        ("HTTP/1.1 101 " + "w" * MOST_HEAD_BYTES, SecurityError),
    ],
)
def test_any_other_reply_is_a_refusal(reply: str, error: type[Exception]) -> None:
    handshake, accept = begun()
    with pytest.raises(error):
        handshake.receive(reply.replace("ACCEPT", accept).encode())


def test_a_refusal_has_its_whole_body() -> None:
    handshake, _ = begun()
    assert handshake.receive(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 5\r\n\r\n") is None
    assert handshake.receive(b"bus") is None
    with pytest.raises(InvalidStatus) as refused:
        handshake.receive(b"y.")
    assert (refused.value.response.status_code, refused.value.response.body) == (503, b"busy.")


def test_a_refusal_without_a_length_ends_with_the_connection() -> None:
    handshake, _ = begun()
    assert handshake.receive(b"HTTP/1.1 404 Not Found\r\n\r\ngone") is None
    with pytest.raises(InvalidStatus) as refused:
        handshake.receive_eof()
    assert (refused.value.response.status_code, refused.value.response.body) == (404, b"gone")


def test_a_reply_that_is_cut_is_none() -> None:
    handshake, _ = begun()
    assert handshake.receive(b"HTTP/1.1 101 Swi") is None
    with pytest.raises(InvalidMessage):
        handshake.receive_eof()
