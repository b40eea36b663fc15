"""Reads the head of a reply before its body: a broken body does not undo what a server did.

A server that sends very much in very small parts is read in turns with everybody else.
"""

import asyncio
from collections import deque
from functools import partial
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

SLICE_BYTES = 16 * 1024
"""How much of what has arrived is parsed in one turn of the event loop."""
MOST_INTERIM = 32
"""Replies that only announce the final one (1xx). A server that sends more is not waited for."""


def read_heads_first(connector: aiohttp.BaseConnector) -> None:
    """Have the connections of this connector do so. Needs a running event loop."""
    # aiohttp has no public way to another protocol.
    factory = partial(_HeadFirst, loop=asyncio.get_running_loop())
    connector._factory = cast("partial[ResponseHandler]", factory)


class _HeadFirst(ResponseHandler):
    """Gives aiohttp the head of a reply before what follows it.

    An unexpected body (after 204, or longer than announced) makes aiohttp's parser fail before it hands on
    the head that came with it: an endpoint that has acted would look like one that does not speak HTTP. The
    connection is closed after such a reply, as otherwise too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._slices: deque[bytes] = deque()
        self._interim = 0
        """Since the last final reply."""

    @property
    def should_close(self) -> bool:
        """Whether the connection serves no further request."""
        return bool(self._slices) or super().should_close

    def data_received(self, data: bytes) -> None:
        """Bytes of a reply."""
        if not self._slices and len(data) <= SLICE_BYTES:
            self._parse(data)
            return
        is_first = not self._slices
        self._slices.extend(data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES))
        if is_first:
            self._take_a_turn()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is closed; a body may end so."""
        while self._slices:
            self._parse(self._slices.popleft())
        super().connection_lost(exc)

    def _take_a_turn(self) -> None:
        """Parse one slice, and read on in another turn: uvloop reads up to 32 times in one turn."""
        if self._slices:
            self._parse(self._slices.popleft())
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if self._slices:
            transport.pause_reading()
            self._loop.call_soon(self._take_a_turn)
        elif not (self._reading_paused or self._buffer_paused):
            transport.resume_reading()

    def _parse(self, data: bytes) -> None:
        is_interim = True
        while is_interim and 4 <= (end := data.find(b"\r\n\r\n") + 4) < len(data):
            head, data = data[:end], data[end:]
            is_interim = head.startswith(b"HTTP/1.1 1")
            self._interim = self._interim + 1 if is_interim else 0
            super().data_received(head)
            if self._interim > MOST_INTERIM and self.transport is not None:
                self._slices.clear()
                self.transport.abort()
                return
        super().data_received(data)
