"""A runner in a process of its own, the API and an endpoint that it talks to, and a neighbour's call."""

import asyncio
import json
import re
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from runner.call.examples.example_call import sip_headers
from runner.model.call import Headers
from runner.standin.faults import FINE, Faults
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerSays, Step, calls, greets, says
from runner.standin.server import StandIn
from runner.standin.webhook import SignedWebhook, call_incoming, new_secret
from tests.processes import CLOCK
from tests.serve.bounds import configuration
from tests.serve.bounds.metered import METER
from tests.standin.openai_types import client_complaint, server_complaint

SECRET = new_secret()
PATIENCE_S = 30.0
"""For what comes at last, on however slow a machine."""
MOST_BUSY_S = 0.1
"""The longest that one turn of the loop may work: that long a neighbour hears nothing."""
MOST_BLOCKED_S = 0.4
"""The longest that the loop's thread may stand still. A busy machine stops its other threads while they hold
the interpreter, which looks the same, so this is no tight bound; a call that blocks is far above it."""
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

    def _steps(self) -> tuple[Step, ...]:
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


class Service:
    """What a row has to its disposal."""

    def __init__(
        self, process: asyncio.subprocess.Process, directory: Path, api: StandIn, endpoint: Endpoint
    ) -> None:
        self.process = process
        self.directory = directory
        self.api = api
        self.endpoint = endpoint
        self.url = ""
        self.log: list[dict[str, Any]] = []
        self._logged = asyncio.Event()
        self.neighbour = Neighbour(api)
        endpoint.handlers["next-slot"] = self.neighbour.next_slot
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self.http = aiohttp.ClientSession(connector=connector)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    # Calls.

    async def ring(
        self, *script: Step, to: str = configuration.STRANGER, faults: Faults = FINE
    ) -> tuple[PlacedCall, int]:
        """A call rings: the call, and what its webhook is answered."""
        call = self.api.place_call(*script, faults=faults)
        return call, await self.announce(call, to)

    async def announce(self, call: PlacedCall, to: str = configuration.STRANGER) -> int:
        """Send the webhook of a call."""
        return (await self.post(self.webhook(call.id, to)))[0]

    async def post(self, webhook: SignedWebhook) -> tuple[int, str]:
        """Post a webhook: status and sentence of the answer."""
        address = f"{self.url}/webhooks/openai"
        async with self.http.post(address, data=webhook.body, headers=webhook.headers) as response:
            return response.status, await response.text()

    def webhook(self, call_id: str, to: str = configuration.STRANGER, *, more: Headers = ()) -> SignedWebhook:
        """What announces a call."""
        headers = (*sip_headers(caller="+14155550100", called=to, call_id=call_id), *more)
        return call_incoming(call_id=call_id, headers=headers, secret=SECRET, now=time.time())

    async def play(
        self, *script: Step, to: str = configuration.STRANGER, faults: Faults = FINE
    ) -> PlacedCall:
        """Play a call to its end, in which we do nothing that the API would not take."""
        call, status = await self.ring(*script, to=to, faults=faults)
        assert status == 200
        await self.api.until_over(call, PATIENCE_S)
        assert call.violations == []
        return call

    # What shows.

    async def connect(self, *first: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the runner that has sent this."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for data in first:
            writer.write(data)
            await writer.drain()
        return reader, writer

    async def metric(self, sample: str) -> float:
        """The value of one sample of the metrics, written as Prometheus does; 0 when there is none."""
        async with self.http.get(f"{self.url}/metrics") as response:
            found = re.search(rf"^{re.escape(sample)} (\S+)$", await response.text(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def counted(self, sample: str, least: float) -> None:
        """Wait until a sample is so large."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.metric(sample) < least:  # noqa: ASYNC110 - metrics tell nobody that they change
                await asyncio.sleep(0.02)

    async def logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for a line of the log."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                logged = self._logged
                for line in self.log:
                    if line["event"] == event and fields.items() <= line.items():
                        return line
                await logged.wait()

    async def record(self, call: PlacedCall) -> dict[str, Any]:
        """Wait for the record of a call that is over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with closing(sqlite3.connect(self.directory / "calls.db")) as connection:
                    query = "SELECT record FROM calls WHERE id = ?"
                    found = connection.execute(query, (call.id,)).fetchone()
                if found:
                    record: dict[str, Any] = json.loads(found[0])
                    return record
                await asyncio.sleep(0.02)

    async def read_log(self) -> None:
        """Read the log for ever."""
        assert self.process.stderr
        async for line in self.process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"event": line.decode()})
            self._logged.set()
            self._logged = asyncio.Event()

    # The neighbour.

    async def holds(self) -> dict[str, float]:
        """The longest holds of the runner's loop since the last time."""
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(self.directory / METER)
            told = await reader.read()
            writer.close()
        longest: dict[str, float] = json.loads(told)
        return longest

    @asynccontextmanager
    async def serves_neighbour(self) -> AsyncIterator[None]:
        """Fail when the neighbour is not served, or when one turn of the loop takes too long."""
        await self.holds()
        yield
        await self.neighbour.is_served()
        longest = await self.holds()
        assert longest["busy_s"] < MOST_BUSY_S, f"one turn of the loop worked for {longest['busy_s']:.3f} s"
        assert longest["blocked_s"] < MOST_BLOCKED_S, f"the loop stood still for {longest['blocked_s']:.3f} s"


@asynccontextmanager
async def serving(
    directory: Path,
    lowered: Mapping[str, Any] = configuration.LOWERED,
    *arguments: str,
    descriptors: int | None = None,
) -> AsyncIterator[Service]:
    """Everything, while it lasts. `descriptors`: the limit under which the runner is started."""
    endpoint = Endpoint()
    async with AsyncExitStack() as stack:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", endpoint.handle)
        server = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await server.setup()
        stack.push_async_callback(server.cleanup)
        await web.TCPSite(server, "127.0.0.1", 0).start()
        endpoint.url = f"http://127.0.0.1:{server.addresses[0][1]}"
        api = StandIn(inspect_received=client_complaint, inspect_sent=server_complaint)
        await stack.enter_async_context(api)
        configuration.write(directory / "agents", api=api.base_url, endpoint=endpoint.url)
        command = [sys.executable, "-m", "tests.serve.bounds.metered", json.dumps(dict(lowered))]
        command += ["run", "--port", "0", "--log-format", "json", *arguments]
        if descriptors is not None:
            command = ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh", *command]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env={
                **CLOCK,
                "PYTHONPATH": str(Path(__file__).parents[3]),
                "OPENAI_API_KEY": api.api_key,
                "OPENAI_WEBHOOK_SECRET": SECRET,
                "ADMIN_TOKEN": configuration.ADMIN_TOKEN,
                "PAGES_SECRET": configuration.SECRET_OF_PAGES,
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        service = Service(process, directory, api, endpoint)
        stack.push_async_callback(service.http.close)
        reading = asyncio.create_task(service.read_log())
        stack.callback(reading.cancel)
        stack.push_async_callback(_stop, process)
        service.url = (await service.logged("ready"))["url"]
        assert await service.announce(service.neighbour.call, configuration.NEIGHBOUR) == 200
        await service.neighbour.is_served()
        yield service


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
