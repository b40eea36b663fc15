"""What live calls are played between: the stand-in for the API, and an endpoint for tools."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
from aiohttp import web

from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.model.agent import Agent, Say
from runner.model.record import CallRecord
from runner.model.tool import HttpBinding, Tool
from runner.model.values import Json
from runner.serve.api_client import ApiClient
from runner.serve.api_connections import ApiConnections
from runner.serve.call_actions import SharedByCalls
from runner.serve.call_driver import CallDriver
from runner.serve.call_watch import CallWatch
from runner.serve.clients import Clients
from runner.serve.fleet.hold import CallHold
from runner.serve.live_call import LiveCall
from runner.serve.metrics import Metrics
from runner.serve.pace import LoopPace
from runner.serve.sideband import Sidebands
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import ToolClient
from runner.standin.faults import FINE, Faults
from runner.standin.placed_call import PlacedCall
from runner.standin.script import ScriptStep
from runner.standin.server import StandIn
from tests.call.machine.playing import RINGING, a_world, an_agent, tool, words
from tests.clock import clock
from tests.patience import PATIENCE_S
from tests.serve.sole_hold import SoleHold
from tests.standin.openai_types import client_complaint, server_complaint

TIMEOUTS = Timeouts(
    decision_s=5.0,
    hangup_s=5.0,
    retry_s=0.001,
    attach_delays_s=(0.0, 0.01, 0.01, 0.01),
    redial_delays_s=(0.0, 0.01, 0.01),
)


class Stage:
    """The stand-in, an endpoint for tools, and a way to play one call between them."""

    def __init__(
        self,
        api: StandIn,
        endpoint: str,
        asked: list[str],
        tools: ToolClient,
    ) -> None:
        self.api = api
        self.endpoint = endpoint
        self.asked = asked
        self.tools = tools
        self.endings = LoopPace(1)
        self.counts = CallCounts()
        self.use(TIMEOUTS)

    def use(self, timeouts: Timeouts) -> None:
        """Let calls from now on have these deadlines."""
        self.timeouts = timeouts
        self.client = ApiClient(
            ApiConnections(self.api.base_url),
            api=realtime,
            text_model=text_model,
            api_key=lambda: self.api.api_key,
            timeouts=timeouts,
        )

    def slots(self, path: str = "/slots", method: str = "GET", **fields: Json) -> Tool:
        binding = HttpBinding(method=method, url=words(self.endpoint + path), **fields)
        return tool("find_slots", binding)

    def ringing(
        self,
        agent: Agent,
        *script: ScriptStep,
        faults: Faults = FINE,
        others: tuple[Agent, ...] = (),
        hold_of: Callable[[PlacedCall], CallHold] | None = None,
        taken_over: CallMachine | None = None,
        watches: Sequence[CallWatch] = (),
    ) -> tuple[LiveCall, PlacedCall]:
        """A call that rings, and that nobody serves yet."""
        call_id = None if taken_over is None else taken_over.call.id
        call = self.api.place_call(*script, faults=faults, call_id=call_id)
        clients = Clients(
            api=self.client, sidebands=Sidebands(self.client, self.timeouts), endpoints=self.tools
        )
        shared = SharedByCalls(
            clients=clients,
            counts=self.counts,
            metrics=Metrics(),
            timeouts=self.timeouts,
            clock=clock,
            endings=self.endings,
        )
        driver = CallDriver(
            replace(RINGING, call_id=call.id, created_at=clock()),
            a_world(agent, *others),
            shared,
            hold=SoleHold() if hold_of is None else hold_of(call),
            taken_over=taken_over,
            watches=watches,
        )
        return LiveCall(driver, shared), call

    async def play(
        self, agent: Agent, *script: ScriptStep, faults: Faults = FINE, others: tuple[Agent, ...] = ()
    ) -> tuple[CallRecord, PlacedCall]:
        live, call = self.ringing(agent, *script, faults=faults, others=others)
        async with asyncio.timeout(PATIENCE_S):
            record = await live.run()
        assert call.violations == []
        assert record is not None
        return record, call


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    app = web.Application()
    asked: list[str] = []

    async def slots(request: web.Request) -> web.Response:
        asked.append(request.headers["Idempotency-Key"])
        return web.json_response({"slots": ["09:00"]})

    async def flaky(request: web.Request) -> web.Response:
        asked.append(request.headers["Idempotency-Key"])
        return web.json_response({"n": len(asked)}, status=503 if len(asked) == 1 else 200)

    app.router.add_route("*", "/slots", slots)
    app.router.add_get("/flaky", flaky)
    server = web.AppRunner(app)
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    host, port = server.addresses[0][:2]
    async with (
        StandIn(inspect_received=client_complaint, inspect_sent=server_complaint) as api,
        ToolClient(aiohttp.TCPConnector()) as tools,
    ):
        yield Stage(api, f"http://{host}:{port}", asked, tools)
    await server.cleanup()


def greeting(*tools: Tool, **fields: Json) -> Agent:
    return an_agent(tools=tools, greeting=Say(text=words("Hello.")), **fields)


def creates(call: PlacedCall) -> int:
    return sum(event["type"] == "response.create" for event in call.received)
