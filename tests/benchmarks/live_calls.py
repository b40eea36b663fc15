"""`phone-agents run` against the least that could serve a call: CPU of events and set-up, memory of a call.

Over TLS against the same without, since that is what TLS may cost.

Both run as processes of their own, against a voice API that is a third one, and are measured from outside
(/proc, so on Linux only). The least possible program stands in `least_runner.py`.
"""

import asyncio
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from runner.call.examples.example_call import sip_headers
from runner.standin.webhook import call_incoming, new_secret
from tests.benchmarks.row import Row
from tests.benchmarks.talking_api import TURN
from tests.certificates import Authority

TLS_SETUP_LIMIT = 2.0
"""Of ours without TLS. The sideband has a handshake of its own; accept's connection is mostly kept alive."""
TLS_MEMORY_LIMIT = 120.0
"""KiB: OpenSSL's own state, and buffers of one record."""
BACK_LIMIT_S = 5.0
EVENT_LIMIT = 1.5
SETUP_LIMIT = 2.5
MEMORY_LIMIT = 2.5

TURNS = 1500
ROUNDS = 4
WARM_UP = 50
CALLS = 80
"""In each round."""
SETUP_ROUNDS = 5
LOST = 500
IDLE_S = 0.002
"""CPU of 30 ms in which a process does nothing but look at its timers."""

HERE = Path(__file__).parent
SECRET = new_secret()

RUNNER = """\
provider: {{base_url: "{base_url}"}}
server: {{port: 0, host: 127.0.0.1, drain_timeout: 1s}}
store: "sqlite:{store}"
"""
AGENT = """\
agent: desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: You are the receptionist of Maple Dental. Be brief.
"""


class Process:
    """A server in a process of its own, that prints its address."""

    def __init__(
        self,
        stack: ExitStack,
        command: list[str],
        environment: dict[str, str] | None = None,
        *,
        directory: str | None = None,
    ) -> None:
        """With `-m` in `command` the module is looked for in `directory` first."""
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(environment or {})},
            cwd=directory,
        )
        stack.callback(self._process.wait)
        stack.callback(self._process.kill)
        self.words: list[str] = []
        """Of the line with the address that was printed last."""
        self.url = self.next_address().removesuffix("/webhooks/openai")

    def next_address(self) -> str:
        """The next address that it prints."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.words = line.split()
            for word in self.words:
                if word.startswith(("http://127.0.0.1:", "https://127.0.0.1:")):
                    return word
        raise RuntimeError(f"{self._process.args!r} printed no address")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far, user and system, of all its threads."""
        # Its clock, as clock_getcpuclockid(3) makes its id: a hundred times as precise as /proc.
        return time.clock_gettime((~self._process.pid << 3) | 2)

    @property
    def memory_kib(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("no VmRSS")


@contextmanager
def _serving(*, tls: bool = False) -> Iterator[tuple["Lab", Process, Process]]:
    """A laboratory, the floor and ours, which reach the API over TLS or without."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        environment = {"OPENAI_API_KEY": "key", "OPENAI_WEBHOOK_SECRET": SECRET}
        certificate: list[str] = []
        trusted = None
        if tls:
            authority = Authority(directory)
            certificate = [str(authority.issue())]
            environment["SSL_CERT_FILE"] = str(authority.file)
            trusted = ssl.create_default_context(cafile=authority.file)
        api = Process(stack, [str(HERE / "talking_api.py"), *certificate])
        base_url = f"{api.url}/v1"
        agents = directory / "agents"
        agents.mkdir()
        (agents / "runner.yaml").write_text(RUNNER.format(base_url=base_url, store=directory / "calls.db"))
        (agents / "desk.yaml").write_text(AGENT)
        floor = Process(stack, [str(HERE / "least_runner.py"), base_url, SECRET], environment)
        ours = Process(stack, ["-m", "runner", "run", str(agents)], environment)
        yield Lab(api.url, trusted), floor, ours


def rows() -> Iterator[Row]:
    """Over TLS first, as in life, against ours without; then floor and ours without TLS, in turns."""
    with _serving(tls=True) as (lab, _, ours):
        (tls_setup,), (tls_memory,) = asyncio.run(lab.calls(ours))
        back_s = asyncio.run(lab.back_after_loss(ours, LOST))
    with _serving() as (lab, floor, ours):
        setups, memory = asyncio.run(lab.calls(floor, ours))
    yield Row(
        name="call set up over TLS, CPU", ours=tls_setup, floor=setups[1], unit="µs", limit=TLS_SETUP_LIMIT
    )
    above = tls_memory - memory[1]
    yield Row(name="live call over TLS, memory above plain", ours=above, unit="KiB", limit=TLS_MEMORY_LIMIT)
    yield Row(name=f"{LOST} sidebands lost at once over TLS", ours=back_s, unit="s", limit=BACK_LIMIT_S)
    yield Row(name="call set up, CPU", ours=setups[1], floor=setups[0], unit="µs", limit=SETUP_LIMIT)
    yield Row(name="live call, memory", ours=memory[1], floor=memory[0], unit="KiB", limit=MEMORY_LIMIT)
    with _serving() as (lab, floor, ours):
        base, total = asyncio.run(lab.events(floor, ours))
        yield Row(name="sideband event, CPU", ours=total, floor=base, unit="µs", limit=EVENT_LIMIT)


class Lab:
    """Rings, and waits until the API has seen what should follow."""

    def __init__(self, api: str, trusted: ssl.SSLContext | None) -> None:
        """`trusted`: what verifies the API when it is served over TLS."""
        self._api = api
        self._trusted = trusted
        self._rung = 0

    async def events(self, *processes: Process) -> list[float]:
        """Microseconds of CPU for one event of the sideband, the best round of each."""
        best = [float("inf")] * len(processes)
        async with self._session() as session:
            for _ in range(ROUNDS):
                for index, process in enumerate(processes):
                    before = process.cpu_s
                    over = (await self._counts(session))[1]
                    await self._ring(session, process, f"talk_{TURNS}")
                    await self._until(session, 1, over + 1)
                    await self._settled(process)
                    spent = (process.cpu_s - before) / (TURNS * len(TURN))
                    best[index] = min(best[index], spent * 1e6)
        return best

    async def calls(self, *processes: Process) -> tuple[list[float], list[float]]:
        """Microseconds of CPU to set a call up, the best round of each; KiB that a live call takes."""
        best = [float("inf")] * len(processes)
        async with self._session() as session:
            for process in processes:
                await self._ring_all(session, process, WARM_UP)
            before_kib = [process.memory_kib for process in processes]
            for _ in range(SETUP_ROUNDS):
                for index, process in enumerate(processes):
                    before = process.cpu_s
                    await self._ring_all(session, process, CALLS)
                    best[index] = min(best[index], (process.cpu_s - before) / CALLS * 1e6)
        calls = SETUP_ROUNDS * CALLS
        memory = [
            (process.memory_kib - kib) / calls for process, kib in zip(processes, before_kib, strict=True)
        ]
        return best, memory

    async def back_after_loss(self, process: Process, calls: int) -> float:
        """Seconds until as many sidebands are open again as were lost together."""
        async with self._session() as session:
            await self._ring_all(session, process, max(calls - SETUP_ROUNDS * CALLS - WARM_UP, 0))
            attached = (await self._counts(session))[0]
            began = time.monotonic()
            async with session.post(f"{self._api}/lose"):
                await self._until(session, 0, attached + calls)
            return time.monotonic() - began

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trusted or True))

    async def _ring_all(self, session: aiohttp.ClientSession, process: Process, calls: int) -> None:
        attached = (await self._counts(session))[0]
        for _ in range(calls):
            await self._ring(session, process, "idle")
        await self._until(session, 0, attached + calls)
        await self._settled(process)

    async def _ring(self, session: aiohttp.ClientSession, process: Process, name: str) -> None:
        self._rung += 1
        call_id = f"{name}_{self._rung}"
        headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call_id)
        webhook = call_incoming(call_id=call_id, headers=headers, secret=SECRET, now=time.time())
        url = process.url + "/webhooks/openai"
        async with session.post(url, data=webhook.body, headers=webhook.headers) as response:
            if response.status != 200:
                raise RuntimeError(await response.text())

    async def _counts(self, session: aiohttp.ClientSession) -> list[int]:
        async with session.get(f"{self._api}/counts") as response:
            counts: list[int] = await response.json(content_type=None)
            return counts

    async def _until(self, session: aiohttp.ClientSession, which: int, count: int) -> None:
        while (await self._counts(session))[which] < count:  # noqa: ASYNC110 - it happens in other processes
            await asyncio.sleep(0.02)

    async def _settled(self, process: Process) -> None:
        """Until the process has used next to no CPU for a while."""
        quiet, last = 0, process.cpu_s
        while quiet < 10:
            await asyncio.sleep(0.03)
            now = process.cpu_s
            quiet, last = (quiet + 1 if now - last < IDLE_S else 0), now
