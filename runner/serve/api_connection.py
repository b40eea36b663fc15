"""One connection to the voice API: it carries one request after the other, and at last perhaps a sideband.

Writes HTTP/1.1 itself and reads the replies that are usual; aiohttp reads all others.
"""

import asyncio
from typing import cast

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage

from runner.model.http import Failure, HttpReply
from runner.serve.head_first import HeadFirst, Turns
from runner.serve.plain_reply import NotPlainError, PlainReply, read_plain, status_of
from runner.serve.reply_body import CUT, BodyError, decoded, read_all

MOST_PIECES = 32
"""Of a reply. Its head is read again with each, so the rest of one in more is left to aiohttp."""
CLOSED = "the connection was closed without a reply"


class NotHttpError(Exception):
    """The peer does not speak HTTP."""


class CutReplyError(Exception):
    """The status has come, and no whole body after it. The status stands: it tells what the peer did."""

    def __init__(self, status: int, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.failure = failure
        self.detail = detail


class ApiConnection(asyncio.Protocol):
    """An open connection. Its owner sends no request before the reply to the last one."""

    __slots__ = ("__weakref__", "_pieces", "_reply", "_seen", "_transport", "_turns", "keeps")

    def __init__(self, turns: Turns) -> None:
        """`turns`: of all connections that read long replies."""
        self.keeps = True
        """Whether the last reply lets the connection carry another request."""
        self._turns = turns
        self._transport: asyncio.Transport | None = None
        self._seen = b""
        self._pieces = 0
        """In which that has come."""
        self._reply: asyncio.Future[PlainReply | HeadFirst] | None = None
        """While a request waits for it."""

    @property
    def is_open(self) -> bool:
        """Whether the connection can carry a request."""
        return self.keeps and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> HttpReply:
        """Send a request, and read its reply.

        Raises CutReplyError, NotHttpError, aiohttp's ClientError, and OSError. After any error the connection
        is of no more use, so `abort` it.
        """
        if self._transport is None:
            raise ConnectionResetError(CLOSED)
        self.keeps = False
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            reply = await self._reply
        finally:
            self._reply, self._seen, self._pieces = None, b"", 0
        if isinstance(reply, HeadFirst):
            return await self._read(reply)
        self.keeps = reply.keeps_connection
        headers = reply.headers
        encoding = headers.get(b"content-encoding", b"").decode("latin-1")
        location = headers.get(b"location", b"").decode("utf-8", "surrogateescape")
        try:
            body = decoded(reply.body, encoding)
        except BodyError as error:
            raise CutReplyError(reply.status, error.failure, error.detail) from None
        return HttpReply(status=reply.status, body=body, location=location)

    def give_away(self) -> asyncio.Transport | None:
        """The transport, for another protocol; None when it is closed."""
        is_open, transport = self.is_open, self._transport
        self._transport = None
        return transport if is_open else None

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of a reply."""
        reply = self._reply
        if reply is None or reply.done():
            # Nobody has asked, or nobody waits any more.
            self.abort()
            return
        self._seen += data
        self._pieces += 1
        try:
            if self._pieces > MOST_PIECES:
                raise NotPlainError
            plain = read_plain(self._seen)
        except NotPlainError:
            reply.set_result(self._hand_on())
        else:
            if plain is not None:
                reply.set_result(plain)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by either side."""
        self._transport = None
        if self._reply is not None and not self._reply.done():
            status = status_of(self._seen)
            cut = None if status is None else CutReplyError(status, Failure.BROKEN, CUT)
            self._reply.set_exception(cut or exc or ConnectionResetError(CLOSED))

    # Inside

    def _hand_on(self) -> HeadFirst:
        """Have aiohttp read the reply, from its first byte."""
        transport = cast(asyncio.Transport, self._transport)
        reader = HeadFirst(asyncio.get_running_loop(), self._turns)
        transport.set_protocol(reader)
        reader.connection_made(transport)
        reader.set_response_params(read_until_eof=True, auto_decompress=False)
        reader.data_received(self._seen)
        return reader

    async def _read(self, reader: HeadFirst) -> HttpReply:
        transport = cast(asyncio.Transport, self._transport)
        try:
            head, content = await reader.read()
            while 100 <= head.code < 200 and head.code != 101:  # only announces the reply
                head, content = await reader.read()
            body = await _body(head, content)
            self.keeps = not reader.should_close and reader.is_connected()
        except HttpProcessingError:
            # Its words quote what the peer sent.
            raise NotHttpError from None
        finally:
            # Its parts refer to each other, and would wait for the garbage collector.
            reader._parser = reader._payload = None
            if reader.is_connected():
                transport.set_protocol(self)
            else:
                self._transport = None
        return HttpReply(status=head.code, body=body, location=head.headers.get("Location", ""))


async def _body(head: RawResponseMessage, content: StreamReader) -> bytes:
    try:
        return decoded(await read_all(content), head.headers.get("Content-Encoding", ""))
    except BodyError as error:
        raise CutReplyError(head.code, error.failure, error.detail) from None
    except (ClientPayloadError, OSError):
        raise CutReplyError(head.code, Failure.BROKEN, CUT) from None
