"""An API that sends a body where HTTP allows none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BodiesAfter204:
    """Answers 204 with a body, against RFC 9110, 15.3.5."""

    def __init__(self) -> None:
        self.asked = 0
        """How many requests have come."""
        self.base_url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    @classmethod
    @asynccontextmanager
    async def served(cls) -> "AsyncIterator[BodiesAfter204]":
        """One on a port of its own."""
        api = cls()
        async with await asyncio.start_server(api._serve, "127.0.0.1", 0) as server:
            api.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            yield api
