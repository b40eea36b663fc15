"""A voice API for thousands of calls, as cheap as it can be: it is not what is measured.

It accepts every call, and on demand talks on all sidebands of one runner at the speed of speech: each call
has its own place in the turn, and says the next event when it is its turn. It is also the tools' endpoint.
Written on bare sockets: messages are put together once, and only numbered when they are sent.
"""

import asyncio
import base64
import hashlib
import json
import resource
import ssl
import sys
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from tests.benchmarks.talking_api import GREETING_FROM, TURN, frame_text

TICK_S = 0.004
ANSWERED_S = 120.0
"""For the outputs of the last tools to come: late on a machine that has too much to do, or never."""
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
UNKNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
TOOL_CALL = (
    '{"id":"I","type":"function_call","status":"completed","name":"find_slots","call_id":"call_NUMBER",'
    '"arguments":"{}"}'
)


class Message:
    """One event as a WebSocket frame, with a gap for each number of it."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("%", "%%").replace("NUMBER", "%(n)09d").encode()
        self._head = _text_head(len(self._text % {b"n": 0}))

    def numbered(self, number: int) -> bytes:
        """The frame of this turn."""
        return self._head + self._text % {b"n": number}


def _text_head(size: int) -> bytes:
    return bytes([0x81, size]) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")


def _text_frame(text: str) -> bytes:
    return _text_head(len(text)) + text.encode()


ADDED = {"type": "conversation.item.added", "event_id": "event_added", "previous_item_id": None}
"""The API confirms an output. One that it has not confirmed is sent again on the next sideband."""
SAYS = tuple(Message(frame_text(frame, index, "NUMBER")) for index, frame in enumerate(TURN))
GREETS = SAYS[GREETING_FROM:]
ASKS = tuple(Message(frame_text(frame, index, "NUMBER", done=TOOL_CALL)) for index, frame in enumerate(TURN))
"""A turn in which the model calls a tool, and says something before that."""


class Crowd:
    """All sidebands, and what they were seen to do."""

    def __init__(self) -> None:
        self.attached = 0
        self.sidebands: dict[Connection, None] = {}
        self.sideband_of: dict[str, Connection] = {}
        """The last one of each call."""
        self.asked_at: dict[bytes, float] = {}
        self.round_trips_s: list[float] = []
        self.repeated = 0
        """Outputs that came once more, after a sideband was lost."""
        self.turns = 0

    def number(self) -> int:
        """Of a turn, so that no two have the same ids."""
        self.turns += 1
        return self.turns

    async def talk(
        self, group: str, seconds: float, events_a_second: float, tools: float
    ) -> dict[str, float]:
        """Talk on all sidebands of a group; so many of its turns call a tool."""
        call_ids = [one.call_id for one in self.sidebands if one.group == group]
        talkers = [Talker(self, call_id, tools) for call_id in dict.fromkeys(call_ids)]
        for place, talker in enumerate(talkers):
            talker.skip(place)
        self.round_trips_s.clear()
        self.asked_at.clear()
        self.repeated = 0
        began, said = time.perf_counter(), 0
        while (passed_s := time.perf_counter() - began) < seconds:
            due = int(passed_s * events_a_second * len(talkers))
            for turn in range(said, due):
                talkers[turn % len(talkers)].say()
            said = due
            await asyncio.sleep(TICK_S)
        until = time.perf_counter() + ANSWERED_S
        while self.asked_at and time.perf_counter() < until:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(TICK_S)
        trips = sorted(self.round_trips_s)
        return {
            "events": said,
            "seconds": passed_s,
            "tools": len(trips),
            "unanswered": len(self.asked_at),
            "unheard": sum(talker.unheard for talker in talkers),
            "repeated": self.repeated,
            "tool_p50_ms": _quantile(trips, 0.5) * 1000,
            "tool_p99_ms": _quantile(trips, 0.99) * 1000,
            "tool_max_ms": _quantile(trips, 1.0) * 1000,
        }


class Talker:
    """What is said in one call, on whichever sideband it has just then."""

    def __init__(self, crowd: Crowd, call_id: str, tools: float) -> None:
        self.unheard = 0
        """Events for which the call had no sideband. A tool that nobody heard of is not waited for."""
        self._crowd = crowd
        self._call_id = call_id
        self._tools = tools
        self._number = crowd.number()
        self._next = 0
        self._debt = 0.0
        self._messages = SAYS

    def skip(self, place: int) -> None:
        """Begin in the middle of a turn, as not all callers speak at once."""
        self._next = place * 7 % len(SAYS)
        self._debt = place * 0.37 % 1

    def say(self) -> None:
        """The next event."""
        if self._next == len(self._messages):
            self._next, self._number = 0, self._crowd.number()
            self._debt += self._tools
            asks = self._debt >= 1
            self._debt -= asks
            self._messages = ASKS if asks else SAYS
        message = self._messages[self._next]
        self._next += 1
        sideband = self._crowd.sideband_of[self._call_id]
        if sideband not in self._crowd.sidebands:
            self.unheard += 1
            return
        if self._messages is ASKS and message is ASKS[TOOL_AT]:
            self._crowd.asked_at[b"call_%09d" % self._number] = time.perf_counter()
        sideband.write(message.numbered(self._number))


TOOL_AT = next(index for index, frame in enumerate(TURN) if '"response.output_item.done"' in frame)


class Connection(asyncio.Protocol):
    """One connection: requests until one of them makes it a sideband."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._unread = b""
        self._is_sideband = False
        self._work: set[asyncio.Task[None]] = set()
        self.call_id = ""
        self.group = ""
        self.write: Callable[[bytes], None] = lambda data: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.write = self.transport.write

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.sidebands.pop(self, None)
        self.write = lambda data: None

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while self._one_frame() if self._is_sideband else self._one_request():
            pass

    def _one_request(self) -> bool:
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return False
        self._unread = rest[size:]
        url = urlsplit(first.split(" ")[1])
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if "sec-websocket-key" in headers:
            self._attach(query["call_id"], headers["sec-websocket-key"])
        elif url.path == "/talk":
            figures = {name: float(query[name]) for name in ("seconds", "events_a_second", "tools")}
            task = asyncio.create_task(self._talk(query["group"], **figures))
            self._work.add(task)
        elif url.path == "/lose":
            for sideband in [one for one in self._crowd.sidebands if one.group == query["group"]]:
                sideband.transport.abort()
            self._answer({})
        elif url.path == "/counts":
            self._answer([self._crowd.attached, len(self._crowd.sidebands)])
        else:
            self._answer({"slots": ["09:00"]})
        return True

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.write(ANSWER % (len(body), body))

    async def _talk(self, group: str, seconds: float, events_a_second: float, tools: float) -> None:
        self._answer(await self._crowd.talk(group, seconds, events_a_second, tools))

    def _attach(self, call_id: str, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest())
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._is_sideband = True
        self.call_id = call_id
        self.group = call_id.partition("_")[0]
        self._crowd.attached += 1
        self._crowd.sidebands[self] = None
        self._crowd.sideband_of[call_id] = self

    def _one_frame(self) -> bool:
        data = self._unread
        if len(data) < 6:
            return False
        size, at = data[1] & 0x7F, 2
        if size >= 126:
            at += 2 if size == 126 else 8
            if len(data) < at:
                return False
            size = int.from_bytes(data[2:at], "big")
        if len(data) < at + 4 + size:
            return False
        mask, masked = data[at : at + 4], data[at + 4 : at + 4 + size]
        self._unread = data[at + 4 + size :]
        pattern = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        payload = (int.from_bytes(masked, "big") ^ pattern).to_bytes(size, "big")
        self._take(data[0] & 0x0F, payload)
        return True

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.write(bytes([0x8A, len(payload)]) + payload)
        elif opcode == 8:
            self.write(bytes([0x88, len(payload)]) + payload)
            self.transport.close()
        elif b'"response.create"' in payload:
            number = self._crowd.number()
            self.write(b"".join(message.numbered(number) for message in GREETS))
        elif b'"function_call_output"' in payload:
            item = json.loads(payload)["item"]
            asked_at = self._crowd.asked_at.pop(item["call_id"].encode(), None)
            if asked_at is None:
                self._crowd.repeated += 1
            else:
                self._crowd.round_trips_s.append(time.perf_counter() - asked_at)
            self.write(_text_frame(json.dumps(ADDED | {"item": {"id": "item_" + item["call_id"]} | item})))


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


async def main(certificate: str | None = None) -> None:
    """Serve until standard input ends; over TLS with a file that holds a key and its certificate.

    Tools' endpoint is always without TLS.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    crowd = Crowd()
    loop = asyncio.get_running_loop()
    ports = []
    for context in (tls, None):
        server = await loop.create_server(
            lambda: Connection(crowd), "127.0.0.1", 0, ssl=context, backlog=4096
        )
        ports.append(server.sockets[0].getsockname()[1])
    # The address of the API, and without TLS that of the tools' endpoint and for the benchmark.
    print(f"http{'s' if tls else ''}://127.0.0.1:{ports[0]} {ports[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
