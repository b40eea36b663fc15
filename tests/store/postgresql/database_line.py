"""A line to the database that can fail: for one runner alone, where others have their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

SOCKET = ".s.PGSQL.5432"
MOST_BYTES = 1 << 16


class LineFault(Enum):
    """What can be wrong with a line."""

    HELD = "held"
    """Nothing gets through, until all of it does."""
    LATE = "late"
    """Everything gets through, but later."""
    CUT = "cut"
    """Connections are closed, and no new ones are taken."""
    DEAD = "dead"
    """Connections get nothing through ever again, and nobody says so; new ones are held."""


class DatabaseLine:
    """A proxy on a port of its own."""

    def __init__(self, url: str, *, late_s: float = 0.0) -> None:
        """`late_s`: by how much everything is delayed when the line is late."""
        self._url = url
        self._late_s = late_s
        self._fault: LineFault | None = None
        self._is_fine = asyncio.Event()
        self._is_fine.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._dead: set[asyncio.Task[None] | None] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The URL of the database over this line."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        parts = urlsplit(self._url)
        query = {name: value for name, value in parse_qsl(parts.query) if name != "host"}
        try:
            yield parts._replace(netloc=f"postgres@127.0.0.1:{port}", query=urlencode(query)).geturl()
        finally:
            server.close()
            self._close()

    def fail(self, fault: LineFault, *, late_s: float | None = None) -> None:
        """From now on this is wrong; `late_s` as in `__init__`, from now on as well."""
        self._late_s = self._late_s if late_s is None else late_s
        self._fault = fault
        self._is_fine.clear()
        if fault is LineFault.CUT:
            self._close()
        if fault is LineFault.DEAD:
            self._dead |= self._connections

    def mend(self) -> None:
        """Nothing is wrong any more, except for dead connections."""
        self._fault = None
        self._is_fine.set()

    def _close(self) -> None:
        for connection in self._connections:
            connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        ends = [writer]
        try:
            if self._fault is LineFault.CUT:
                raise ConnectionResetError
            socket = Path(parse_qs(urlsplit(self._url).query)["host"][0]) / SOCKET
            server_reader, server_writer = await asyncio.open_unix_connection(socket)
            ends.append(server_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(connection, reader, server_writer))
                both.create_task(self._pump(connection, server_reader, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(connection)
            self._dead.discard(connection)
            for end in ends:
                end.close()

    async def _pump(
        self, connection: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while read := await reader.read(MOST_BYTES):
            due = loop.time() + (self._late_s if self._fault is LineFault.LATE else 0.0)
            if connection in self._dead:
                continue
            if self._fault is LineFault.LATE:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self._is_fine.wait()
            else:
                await self._is_fine.wait()
            if connection in self._dead:
                continue
            writer.write(read)
            await writer.drain()
        if connection not in self._dead:
            await self._is_fine.wait()
        writer.close()
