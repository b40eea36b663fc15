"""A worker for jobs after calls, on a real store, and endpoints that receive what it delivers."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from typing import Any

import aiohttp
from aiohttp import web

from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.call.afterwards.jobs import jobs_after
from runner.call.templates.template import compile_template as words
from runner.model.agent import Agent, OutcomeQuestion
from runner.model.job import Job, JobKind
from runner.model.record import CallRecord, Turn
from runner.model.tool import Body, BodyKind, HttpBinding
from runner.model.values import Place
from runner.serve.api_client import ApiClient
from runner.serve.api_connections import ApiConnections
from runner.serve.jobs import JobWorker
from runner.serve.metrics import Metrics
from runner.serve.secrets import Secrets
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import ToolClient
from runner.standin.server import StandIn
from runner.standin.webhook import new_secret
from runner.store.store import Store
from tests.patience import PATIENCE_S

SECRET = new_secret()
SCHEMA = {"type": "object", "properties": {"booked": {"type": "boolean"}}, "required": ["booked"]}
OUTCOME = OutcomeQuestion(model="gpt-5-mini", schema=SCHEMA)
RECORD = CallRecord(
    id="rtc_1",
    agent="desk",
    route=None,
    why="",
    caller="+14155550100",
    called=None,
    transport="sip",
    created_at=0.0,
    ended="hangup",
    turns=(Turn(role="caller", text="Friday at nine.", at=1.0),),
)
ATTEMPT_S = 60.0
"""What an attempt at a receiver that hangs takes."""
SHORTER_THAN_AN_ATTEMPT_S = ATTEMPT_S / 2
NAMES = {"call": {"id": "rtc_1", "headers": {}}, "vars": {}, "lookup": None, "agent": "desk", "now": ""}


class Receiver:
    """An endpoint that takes deliveries, or answers with these statuses first. Any address of this machine
    leads to it (127.0.0.0/8)."""

    def __init__(self) -> None:
        self.port = 0
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append(({**request.headers}, await request.read()))
        self.changed.set()
        await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def url(self, number: int = 1) -> str:
        """By one of many names, each of which is a receiver of its own."""
        return f"http://127.0.{number // 200}.{number % 200 + 1}:{self.port}/calls"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


class Desk:
    """A worker with everything around it, and a clock that tests move."""

    def __init__(self, store: Store, api: StandIn, receiver: Receiver, stack: AsyncExitStack) -> None:
        self.now = 1000.0
        self.store = store
        self.api = api
        self.receiver = receiver
        self.metrics = Metrics()
        self.secrets = {"SIGN": SECRET}
        self._stack = stack
        self.worker: JobWorker

    async def start(self, store: Any = None) -> None:
        tools = await self._stack.enter_async_context(ToolClient(aiohttp.TCPConnector(limit=0)))
        timeouts = Timeouts(question_s=5.0)
        self.worker = JobWorker(
            store=store or self.store,
            model=ApiClient(
                ApiConnections(self.api.base_url),
                api=realtime,
                text_model=text_model,
                api_key=lambda: self.api.api_key,
                timeouts=timeouts,
            ),
            endpoints=tools,
            secrets=lambda: Secrets.fixed(self.secrets),
            metrics=self.metrics,
            timeouts=timeouts,
            clock=lambda: self.now,
        )
        self._stack.push_async_callback(self.worker.close)
        self.worker.start()

    def agent(self, *, deliveries: int = 1, outcome: bool = False, url: str | None = None) -> Agent:
        post = HttpBinding(
            method="POST",
            url=words(url or self.receiver.url()),
            body=Body(kind=BodyKind.JSON, is_arguments=True),
            sign=words("{{ secrets.SIGN }}"),
            timeout_s=ATTEMPT_S,
        )
        return Agent(
            id="desk",
            model="gpt-realtime-2.1",
            instructions=words("Be kind."),
            outcome=OUTCOME if outcome else None,
            on_end=(post,) * deliveries,
            place=Place("desk.yaml", 1, 1),
        )

    async def call_ends(self, call_id: str = "rtc_1", **agent: Any) -> tuple[Job, ...]:
        record = replace(RECORD, id=call_id)
        jobs = jobs_after(self.agent(**agent), record, NAMES, self.now)
        await self.store.save(record, jobs)
        return jobs

    async def passes(self, seconds: float) -> None:
        """Let time pass, and everything that is due then be attempted."""
        self.now += seconds
        async with asyncio.timeout(PATIENCE_S):
            await self.worker.settle()

    def count(self, kind: JobKind, result: str) -> float | None:
        return self.metrics._registry.get_sample_value(
            "phone_agents_job_attempts_total", {"kind": kind.value, "result": result}
        )

    def in_store(self, state: str) -> float | None:
        return self.metrics._registry.get_sample_value("phone_agents_jobs", {"state": state})


def rows(query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect("calls.db")) as connection:
        return connection.execute(query).fetchall()


@asynccontextmanager
async def serving(receiver: Receiver) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/calls", receiver.answer)
    server = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await server.setup()
    await web.TCPSite(server, "0.0.0.0", 0).start()
    receiver.port = server.addresses[0][1]
    try:
        yield
    finally:
        receiver.gate.set()
        await server.cleanup()
