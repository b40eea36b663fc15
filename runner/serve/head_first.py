"""Reads the head of a reply before its body: a broken body does not undo what a server did.

A server that sends very much in very small parts is read in turns with everybody else.
"""

import asyncio
import logging
import time
from collections import deque
from functools import partial
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception

log = logging.getLogger("runner.serve.head_first")

SLICE_BYTES = 4 * 1024
"""How much of what has arrived is parsed without a look at the clock."""
TURN_S = 0.001
"""How long the replies of all servers together are parsed before the event loop goes on. To read what was
parsed takes several times as long where it came in very small parts.
"""
MOST_INTERIM = 32
"""Replies that only announce the final one (1xx). A server that sends more is not waited for."""


def read_heads_first(connector: aiohttp.BaseConnector) -> None:
    """Make the connections of this connector read heads first. Needs a running event loop."""
    # aiohttp has no public way to another protocol.
    loop = asyncio.get_running_loop()
    factory = partial(HeadFirst, loop=loop, turns=Turns(loop))
    connector._factory = cast("partial[ResponseHandler]", factory)


class Turns:
    """The connections that have more than a slice to parse. They take turns, a slice each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[HeadFirst] = deque()

    def join(self, connection: "HeadFirst") -> None:
        """It has more than a slice."""
        self._waiting.append(connection)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        until = time.monotonic() + TURN_S
        while self._waiting and time.monotonic() < until:
            connection = self._waiting.popleft()
            try:
                has_more = connection.take_slice()
            except Exception as bug:
                # A failure in one reply must not hold up the others.
                log.exception("reply cannot be read")
                connection.give_up(bug)
            else:
                if has_more:
                    self._waiting.append(connection)
        if self._waiting:
            self._loop.call_soon(self._go_on)


class HeadFirst(ResponseHandler):
    """Gives aiohttp the head of a reply before what follows it.

    An unexpected body (after 204, or longer than announced) makes aiohttp's parser fail before it hands on
    the head that came with it: an endpoint that has acted would look like one that does not speak HTTP. The
    connection is closed after such a reply, as otherwise too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns) -> None:
        super().__init__(loop=loop)
        self._turns = turns
        self._slices: deque[bytes] = deque()
        self._lost: tuple[BaseException | None] | None = None
        """Set when the connection was lost before everything was parsed: the error, if there was one."""
        self._interim = 0
        """Since the last final reply."""

    @property
    def should_close(self) -> bool:
        """Whether the connection serves no further request."""
        return bool(self._slices) or super().should_close

    def data_received(self, data: bytes) -> None:
        if not data:  # aiohttp itself asks to continue with what it has.
            super().data_received(data)
            return
        if not self._slices and len(data) <= SLICE_BYTES:
            self._parse(data)
            return
        is_first = not self._slices
        self._slices.extend(data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES))
        if is_first:
            self._turns.join(self)
            if self.transport is not None:
                # uvloop reads up to 32 times in one turn.
                self.transport.pause_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is closed; a body may end so."""
        if self._slices:
            self._lost = (exc,)
        else:
            super().connection_lost(exc)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Nothing more can be read. aiohttp lets the reader of a body wait on when the rest is not HTTP."""
        cause = exc if exc_cause is None else exc_cause
        super().set_exception(exc, cause)
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            set_exception(body, aiohttp.ClientPayloadError("the rest of the body cannot be read"), cause)

    def take_slice(self) -> bool:
        """Parse one slice; returns whether there are more."""
        if self._slices:
            self._parse(self._slices.popleft())
        if self._slices:
            return True
        transport = self.transport
        if self._lost is not None:
            super().connection_lost(*self._lost)
        elif transport is not None and not (
            transport.is_closing() or self._reading_paused or self._buffer_paused
        ):
            transport.resume_reading()
        return False

    def give_up(self, error: BaseException) -> None:
        """Read no more: the request that waits for the reply learns that the connection is lost."""
        self._slices.clear()
        if self._lost is not None:
            super().connection_lost(error)
        elif self.transport is not None:
            self.transport.abort()

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
