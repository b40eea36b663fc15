"""The wire between the runner and the API, which can be held up or spoken into for one call.

It knows a sideband by the first line of its connection, so every request has a connection of its own, unless
a row wants it otherwise.
"""

import asyncio
import json
import re
import socket
from contextlib import suppress

from websockets.frames import Frame, Opcode

from tests.serve.bounds.peers import Peer, met

_CALL = re.compile(rb"call_id=([^& ]+)")
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_ACCEPT = re.compile(rb"/calls/([^/ ]+)/accept")


class Sideband:
    """The sideband of a call as it passes."""

    def __init__(self, to_runner: asyncio.StreamWriter) -> None:
        self.to_runner = to_runner
        self.passes = asyncio.Event()
        """Clear it, and nothing passes in either direction."""
        self.passes.set()
        self.is_read = asyncio.Event()
        """Clear it, and nothing of the runner's is read."""
        self.is_read.set()

    async def say(self, *texts: str) -> None:
        """Send the runner these messages, all at once, as if the API did."""
        self.to_runner.write(frames(*texts))
        await self.to_runner.drain()

    async def hear(self, *texts: str) -> None:
        """Send the runner what the caller has said, a turn for each text, all at once."""
        kind = "conversation.item.input_audio_transcription.completed"
        turns = [
            {"type": kind, "item_id": f"item_{number}", "content_index": 0, "transcript": text}
            for number, text in enumerate(texts)
        ]
        await self.say(*map(json.dumps, turns))


def frames(*texts: str) -> bytes:
    """These messages as a server sends them."""
    return b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)


class Wire:
    """Passes on every byte, except where a row wants it otherwise."""

    def __init__(self, base_url: str) -> None:
        """`base_url`: of the API behind it."""
        self._scheme, _, rest = base_url.partition(":")
        self._port = int(rest.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
        self.base_url = ""
        self.unanswered: set[str] = set()
        """Calls whose sideband is dialled and not answered."""
        self.cut: set[str] = set()
        """Calls whose sideband is dialled and cut."""
        self.answered_without_end: set[str] = set()
        """Calls whose sideband is answered with a head that does not end."""
        self.silent_when_kept: set[str] = set()
        """Calls whose answer leaves its connection open, and nothing that follows there is answered."""
        self.dialled: list[str] = []
        """The calls of all sidebands that were dialled."""
        self.sidebands: dict[str, Sideband] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Begin."""
        listening = socket.socket()
        # A reader that stops reads little ahead.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._pass_on, sock=listening, limit=1 << 14)
        self.base_url = f"{self._scheme}://127.0.0.1:{listening.getsockname()[1]}/v1"

    async def close(self) -> None:
        """End."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            # One that is closed cannot be aborted any more.
            if not writer.transport.is_closing() or writer.transport.get_write_buffer_size():
                writer.transport.abort()

    async def _pass_on(self, from_runner: asyncio.StreamReader, to_runner: asyncio.StreamWriter) -> None:
        self._open.add(to_runner)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await from_runner.readuntil(b"\r\n\r\n")
            found = _CALL.search(head.split(b"\r\n", 1)[0])
            sideband = Sideband(to_runner)
            if found is not None:
                call_id = found[1].decode()
                self.dialled.append(call_id)
                if call_id in self.answered_without_end:
                    await _talk(to_runner)
                if call_id in self.unanswered:
                    await from_runner.read()
                if call_id in self.cut | self.unanswered | self.answered_without_end:
                    to_runner.close()
                    return
                self.sidebands[call_id] = sideband
            from_api, to_api = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
            self._open.add(to_api)
            accepts = _ACCEPT.search(head.split(b"\r\n", 1)[0])
            if accepts is not None and accepts[1].decode() in self.silent_when_kept:
                length = _LENGTH.search(head)
                assert length is not None
                to_api.write(head + await from_runner.readexactly(int(length[1])))
                await asyncio.gather(_swallow(from_runner, to_api), _pump(from_api, to_runner))
                return
            if found is None:
                head = head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            to_api.write(head)
            await asyncio.gather(
                _pump(from_runner, to_api, sideband.passes, sideband.is_read),
                _pump(from_api, to_runner, sideband.passes),
            )


class Gate(Wire):
    """A wire over which TLS is spoken, so that it passes on whole connections and knows no call."""

    instead: Peer | None = None
    """Who gets the next connections, in place of the API."""

    @property
    def open_connections(self) -> set[asyncio.StreamWriter]:
        """The connections of the runner's that are open."""
        return {writer for writer in self._open if not writer.transport.is_closing()}

    async def _pass_on(self, from_runner: asyncio.StreamReader, to_runner: asyncio.StreamWriter) -> None:
        if self.instead is not None:
            await met(self.instead, from_runner, to_runner)
            return
        self._open.add(to_runner)
        from_api, to_api = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(_pump(from_runner, to_api), _pump(from_api, to_runner))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *open_: asyncio.Event) -> None:
    try:
        while data := await reader.read(1 << 16):
            for gate in open_:
                await gate.wait()
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        writer.transport.abort()
    finally:
        writer.close()


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _talk(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    while not writer.transport.is_closing():
        writer.write(b"X-More: and more\r\n" * 100)
        await writer.drain()
