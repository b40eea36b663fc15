"""Set-up of a call from a browser: `phone-agents run` against a program that only forwards the offer.

That program serves nobody, since a call without a sideband has no tools; so it is measured with one too.
Ours checks token and route, claims the call, keeps its journal, attaches, and answers then.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import jwt

from tests.benchmarks.live_calls import HERE, SECRET, Process
from tests.benchmarks.row import Row

CALLS = 100
"""In each round."""
ROUNDS = 6
WARM_UP = 30
SETUP_LIMIT = 1.5
TOKENS = "the backend's secret, of more than 32 bytes"
SITE = "https://www.maple.example"
OFFER = (HERE.parent / "data" / "offers" / "chromium.sdp").read_text(encoding="utf-8")
RUNNER = """\
provider: {{base_url: "{base_url}"}}
server:
  port: 0
  drain_timeout: 1s
  browser: {{secret: {{env: CALL_TOKENS}}, origins: ["{site}"]}}
store: "sqlite:{store}"
"""
AGENT = """\
agent: desk
routes: [{transport: webrtc}]
model: gpt-realtime-2.1
instructions: You are the receptionist of Maple Dental. Be brief.
greeting: {wait: true}
"""


def rows() -> Iterator[Row]:
    """CPU of one call's set-up, to the answer and the open sideband."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        environment = {"OPENAI_API_KEY": "key", "OPENAI_WEBHOOK_SECRET": SECRET, "CALL_TOKENS": TOKENS}
        api = Process(stack, [str(HERE / "talking_api.py")])
        base_url = f"{api.url}/v1"
        agents = directory / "agents"
        agents.mkdir()
        settings = RUNNER.format(base_url=base_url, site=SITE, store=directory / "calls.db")
        (agents / "runner.yaml").write_text(settings)
        (agents / "desk.yaml").write_text(AGENT)
        floor = Process(stack, ["-m", "tests.benchmarks.least_forwarder", base_url, ""])
        serving = Process(stack, ["-m", "tests.benchmarks.least_forwarder", base_url, "attach"])
        ours = Process(stack, ["-m", "runner", "run", str(agents)], environment)
        forwards, attaches, serves = asyncio.run(set_up(floor, serving, ours))
    yield Row(
        name="browser call set up, CPU, forwarding only",
        ours=serves,
        floor=forwards,
        unit="µs",
        limit=SETUP_LIMIT,
    )
    yield Row(name="the same, forwarding and attaching", ours=serves, floor=attaches, unit="µs")


async def set_up(*processes: Process) -> list[float]:
    """Microseconds of CPU for one call, the best round of each: in turns, so that all meet one machine."""
    best = [float("inf")] * len(processes)
    numbers = count()
    async with aiohttp.ClientSession() as session:
        for process in processes:
            await _calls(session, process, numbers, WARM_UP)
        for _ in range(ROUNDS):
            for index, process in enumerate(processes):
                before = process.cpu_s
                await _calls(session, process, numbers, CALLS)
                best[index] = min(best[index], (process.cpu_s - before) / CALLS * 1e6)
    return best


async def _calls(
    session: aiohttp.ClientSession, process: Process, numbers: Iterator[int], calls: int
) -> None:
    for number in islice(numbers, calls):
        await _call(session, process, number)
    await asyncio.sleep(1.0)


async def _call(session: aiohttp.ClientSession, process: Process, number: int) -> None:
    claims = {"aud": "phone-agents", "sub": f"u{number}", "jti": f"t{number}", "agent": "desk"}
    token = jwt.encode({**claims, "exp": time.time() + 60}, TOKENS)
    headers = {
        "Origin": SITE,
        "Content-Type": "application/sdp",
        "Authorization": f"Bearer {token}",
        # As behind a proxy: each caller has an address of its own, and no two share a minute's calls.
        "X-Forwarded-For": f"203.0.113.{number % 250}, 198.51.{number // 250}.{number % 250}",
    }
    async with session.post(f"{process.url}/calls", data=OFFER, headers=headers) as response:
        if response.status != 201:
            raise RuntimeError(await response.text())
