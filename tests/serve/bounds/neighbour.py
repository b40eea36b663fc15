"""The neighbour, whose call goes on all the time, and the endpoint that its tool asks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from runner.standin.script import CallerSays, ScriptStep, calls, greets, says
from runner.standin.server import StandIn
from tests.patience import PATIENCE_S

SLOT_S = 0.05
"""What the neighbour's tool takes."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Endpoint:
    """Where tools, lookups and deliveries go. A row says what happens at a path of its own."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.asked.append(request.path)
        handler = self.handlers.get(request.path.lstrip("/"))
        return web.json_response({"ok": True}) if handler is None else await handler(request)


class Neighbour:
    """A call that goes on all the time: the caller asks, a tool is called, the agent answers."""

    def __init__(self, api: StandIn) -> None:
        self._api = api
        self.turns = 0
        self._turned = asyncio.Event()
        self.call = api.place_call(greets(), *self._steps())

    def _steps(self) -> tuple[ScriptStep, ...]:
        return (CallerSays(text="And the next one?"), calls("next_slot"), says("It is free."))

    async def next_slot(self, _: web.Request) -> web.Response:
        """Answer the tool, and let the caller go on."""
        await asyncio.sleep(SLOT_S)
        self.turns += 1
        self.call.play(*self._steps())
        self._api.wake(self.call)
        self._turned.set()
        self._turned = asyncio.Event()
        return web.json_response({"slot": f"{self.turns}:00"})

    async def is_served(self) -> None:
        """Wait until a turn that has begun after now is over: the tool was asked a second time.

        Raises TimeoutError when it is not.
        """
        enough = self.turns + 2
        async with asyncio.timeout(PATIENCE_S):
            while self.turns < enough:
                await self._turned.wait()
        assert self.call.violations == []
