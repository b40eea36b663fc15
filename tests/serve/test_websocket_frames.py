"""Frames are cut the same however their bytes arrive, and what is odd about them is left to the protocol."""

import pytest
from websockets.frames import Frame, Opcode

from runner.serve.websocket_frames import ForProtocol, FrameCutter, Piece

MOST = 70_000


def serialized(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return b"".join([Frame(opcode, data, fin=fin).serialize(mask=mask)])


def text(data: bytes) -> bytes:
    return serialized(Opcode.TEXT, data)


def cut_up(cutter: FrameCutter, data: bytes) -> list[Piece]:
    """As a socket does."""
    message = cutter.whole_message(data)
    return cutter.cut(data) if message is None else [message]


PING = serialized(Opcode.PING, b"there?")
PARTS = [
    serialized(Opcode.TEXT, b"a", fin=False),
    PING,
    serialized(Opcode.CONT, b"b", fin=False),
    serialized(Opcode.CONT, b"c"),
]
STREAMS: list[tuple[str, list[bytes], list[Piece]]] = [
    ("messages", [text(b"{}"), text(b""), serialized(Opcode.BINARY, b"x")], [b"{}", b"", b"x"]),
    ("lengths", [text(b"a" * n) for n in (125, 126, 300)], [b"a" * n for n in (125, 126, 300)]),
    ("control", [text(b"1"), PING, text(b"2")], [b"1", ForProtocol(PING), b"2"]),
    ("parts", [*PARTS, text(b"d")], [*map(ForProtocol, PARTS), b"d"]),
    ("in parts", [PARTS[0], text(b"d")], [ForProtocol(PARTS[0]), ForProtocol(text(b"d"))]),
]


@pytest.mark.parametrize(("stream", "pieces"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_frames_are_cut_the_same_however_their_bytes_arrive(stream: list[bytes], pieces: list[Piece]) -> None:
    data = b"".join(stream)
    for size in range(1, len(data) + 1):
        cutter = FrameCutter(MOST)
        cuts = [piece for at in range(0, len(data), size) for piece in cut_up(cutter, data[at : at + size])]
        assert cuts == pieces


@pytest.mark.parametrize("size", [125, 126, 300, MOST // 2])
def test_a_message_that_has_come_alone_is_found_at_once_and_in_parts(size: int) -> None:
    data, cutter = text(b"a" * size), FrameCutter(MOST)
    at_once = cutter.whole_message(data)
    assert at_once == (None if size == 125 else b"a" * size)
    assert cutter.cut(data) == [b"a" * size]
    assert cut_up(cutter, PARTS[0]) == [ForProtocol(PARTS[0])]
    assert cutter.whole_message(data) is None, "the protocol has to see what comes amid another message"


def test_what_looks_like_a_message_amid_another_one_is_a_part_of_it() -> None:
    inner = text(b"a" * 200)
    data, cutter = text(b"[" + inner + b"]"), FrameCutter(MOST)
    begin = len(data) - len(inner) - 1
    chunks = (data[:begin], inner, data[-1:])
    assert [piece for chunk in chunks for piece in cut_up(cutter, chunk)] == [b"[" + inner + b"]"]


def test_a_long_message_is_put_together() -> None:
    cutter, data = FrameCutter(MOST), text(b"a" * MOST)
    cuts = [piece for at in range(0, len(data), 1000) for piece in cut_up(cutter, data[at : at + 1000])]
    assert cuts == [b"a" * MOST]


@pytest.mark.parametrize(
    "odd",
    [text(b"a" * (MOST + 1)), serialized(Opcode.TEXT, b"{}", mask=True)],
    ids=["too long", "masked"],
)
def test_what_no_server_may_send_is_left_to_the_protocol_with_all_that_follows(odd: bytes) -> None:
    cutter = FrameCutter(MOST)
    assert cut_up(cutter, text(b"1") + odd[:20]) == [b"1", ForProtocol(odd[:20])]
    assert cut_up(cutter, odd[20:] + text(b"2")) == [ForProtocol(odd[20:] + text(b"2"))]
