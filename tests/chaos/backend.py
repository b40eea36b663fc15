"""The endpoints of the agents under test: they keep what they were asked, and answer late."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

LATE_S = 0.2


@dataclass(slots=True)
class Backend:
    """What was asked, by path and idempotency key."""

    url: str = ""
    asked: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    delivered: Counter[str] = field(default_factory=Counter)
    """The records that were delivered, by call."""
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a tool's request arrives, which is then answered late."""
    before_reply: Callable[[str], Awaitable[None]] | None = None
    """Called once, with the idempotency key of the next request that is answered."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Backend"]:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        server = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", 0).start()
        host, port = server.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await server.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        if request.path == "/done":
            self.delivered[(await request.json())["id"]] += 1
        else:
            # Counted before anything is waited for: whoever is killed meanwhile has asked all the same.
            self.asked[request.path][key] += 1
            self.was_asked.set()
            await asyncio.sleep(LATE_S)
            before_reply, self.before_reply = self.before_reply, None
            if before_reply is not None:
                await before_reply(key)
        return web.json_response({"ok": True})
