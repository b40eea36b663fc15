"""A tool's round trip (request built, sent, reply selected) against a bare GET and JSON with aiohttp.

Compares CPU seconds of this process; the endpoint runs in a process of its own.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp

from runner.call.templates.template import compile_template
from runner.call.tools.endpoint_reply import read_reply
from runner.call.tools.tool_request import build_request
from runner.call.tools.tool_result import model_output
from runner.model.settings import Egress
from runner.model.tool import Bearer, HttpBinding, ResultSpec
from runner.serve.egress import GuardedConnector
from runner.serve.tool_client import ToolClient
from tests.benchmarks.row import Row

LIMIT = 2.0
ROUNDS = 12
TRIPS = 150

SLOTS = {
    "day": "2026-11-27",
    "slots": [{"start": f"{hour:02}:00", "provider": {"name": f"Dr. {hour}"}} for hour in range(9, 17)],
}
NAMES = {
    "call": {"id": "rtc_1", "from": {"number": "+14155550100"}},
    "args": {"day": "2026-11-27"},
    "secrets": {"MAPLE_TOKEN": "token"},
    "vars": {},
}
ENDPOINT = """
import json, sys
from aiohttp import web

async def answer(request):
    return web.Response(body=sys.argv[1].encode(), content_type="application/json")

async def main():
    app = web.Application()
    app.router.add_get("/slots", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

import asyncio
asyncio.run(main())
"""

Trip = Callable[[], Awaitable[object]]


def rows() -> Iterator[Row]:
    """CPU of one round trip, each the best of several rounds."""
    with _endpoint() as url:
        floor_s, ours_s = asyncio.run(_measure(url))
    yield Row(name="tool round trip, CPU", ours=ours_s * 1e6, floor=floor_s * 1e6, unit="µs", limit=LIMIT)


async def _measure(url: str) -> tuple[float, float]:
    async with _floor(url) as floor, _ours(url) as ours:
        # In turns, so that both meet the same machine.
        rounds = [(await _round(floor), await _round(ours)) for _ in range(ROUNDS)]
    floors, totals = zip(*rounds, strict=True)
    return min(floors), min(totals)


async def _round(trip: Trip) -> float:
    started = time.process_time()
    for _ in range(TRIPS):
        await trip()
    return (time.process_time() - started) / TRIPS


@asynccontextmanager
async def _floor(url: str) -> AsyncIterator[Trip]:
    async with aiohttp.ClientSession() as session:

        async def trip() -> str:
            query = {"day": "2026-11-27", "caller": "+14155550100"}
            headers = {"Authorization": "Bearer token"}
            async with session.get(url, params=query, headers=headers) as response:
                return json.dumps(await response.json())

        yield trip


@asynccontextmanager
async def _ours(url: str) -> AsyncIterator[Trip]:
    binding = HttpBinding(
        method="GET",
        url=compile_template(url),
        query={
            "day": compile_template("{{ args.day }}"),
            "caller": compile_template("{{ call.from.number }}"),
        },
        auth=Bearer(token=compile_template("{{ secrets.MAPLE_TOKEN }}")),
    )
    result = ResultSpec(select="slots[].{start: start, doctor: provider.name}")
    async with ToolClient(GuardedConnector(Egress(allow=("localhost",)))) as client:

        async def trip() -> str:
            request = build_request(
                binding, NAMES, call_id="rtc_1", tool_call_id="call_1", agent_id="front-desk", now=0.0
            )
            output = model_output(result, read_reply(await client.send(request)), NAMES)
            if not output.ok:
                raise RuntimeError(output.text)
            return output.text

        yield trip


@contextmanager
def _endpoint() -> Iterator[str]:
    command = [sys.executable, "-c", ENDPOINT, json.dumps(SLOTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://localhost:{process.stdout.readline().strip()}/slots"
        process.stdin.close()
