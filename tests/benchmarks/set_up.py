"""Set-up of a call, by telephone and from a browser: `phone-agents run` against the least that could do it.

The least for a telephone (`least_runner.py`) verifies the webhook, accepts and attaches. For a browser it
(`least_forwarder.py`) only forwards the offer, and so serves nobody, since a call without a sideband has no
tools; so it is measured with a sideband too. Ours checks token and route, claims the call, keeps its journal
and attaches.

All reach the API over TLS, or all do without. Calls come one after the other, so that each program may use
its connection to the API again. "Alone" are calls before which the API has closed idle connections, as
servers do, and aiohttp itself after 15 seconds: with a minute between two calls, each needs a connection.
Measured in turns of a few calls each, and what is shown is the median of the turns: CPU of the process, all
its threads, until it is idle again.

`python -m tests.benchmarks.set_up` has options; `--beside DIRECTORY` measures another working tree as well.
"""

import argparse
import asyncio
import ssl
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import jwt

from runner.call.examples.example_call import sip_headers
from runner.standin.webhook import call_incoming
from tests.benchmarks.least_runner import INSTRUCTIONS
from tests.benchmarks.live_calls import HERE, SECRET, Process
from tests.benchmarks.row import Row
from tests.certificates import Authority
from tests.store.postgresql.server import PostgresqlServer

CALLS = 20
"""In each turn."""
TURNS = 15
WARM_UP = 40
LIMITS = {
    ("sqlite", True): 1.5,
    ("postgresql", True): 2.0,
    ("sqlite", False): 3.5,
    ("postgresql", False): 3.5,
}
"""Of a call by telephone, by store and whether over TLS."""
BROWSER_LIMIT = 8.0
ALONE_LIMIT = 1.5
"""Of a call from a browser for which each program needs a connection."""
CLOSED_S = 0.005
"""For a program to notice that the API has closed a connection."""
QUIET_S = 0.03
IDLE_S = 0.0015
"""CPU of `QUIET_S` in which a process does nothing but look at its timers."""
TOKENS = "the backend's secret, of more than 32 bytes"
SITE = "https://www.maple.example"
OFFER = (HERE.parent / "data" / "offers" / "chromium.sdp").read_text(encoding="utf-8")
RUNNER = """\
provider: {{base_url: "{base_url}"}}
server:
  port: 0
  drain_timeout: 1s
  browser: {{secret: {{env: CALL_TOKENS}}, origins: ["{site}"]}}
store: "{store}"
"""
AGENT = """\
agent: desk
routes: [{{to: "+18005551212"}}]
model: gpt-realtime-2.1
instructions: {instructions}
"""
"""Greets, as the least for a telephone asks for a response."""
QUIET_AGENT = """\
agent: web
routes: [{{transport: webrtc}}]
model: gpt-realtime-2.1
instructions: {instructions}
greeting: {{wait: true}}
"""

Ring = Callable[[aiohttp.ClientSession, str, int], Awaitable[None]]


@dataclass(slots=True)
class Program:
    """One of those that are compared, as one kind of caller meets it."""

    name: str
    process: Process
    ring: Ring
    attaches: bool = True
    turns_us: list[float] = field(default_factory=list)
    """CPU of one call, in each turn."""

    @property
    def median_us(self) -> float:
        """CPU of one call."""
        return statistics.median(self.turns_us)


def rows() -> Iterator[Row]:
    """Over TLS first, as in life."""
    for tls in (True, False):
        how = "TLS" if tls else "plain"
        with SetUp(tls=tls) as bench:
            yield from bench.rows(how)
        with SetUp(tls=tls, store="postgresql") as bench:
            yield from bench.rows(f"{how}, PostgreSQL", browser=False)
    with SetUp(tls=True, alone=True) as bench:
        yield from bench.rows("TLS, alone")


class SetUp:
    """An API, and all that reach it in one way."""

    def __init__(
        self,
        *,
        tls: bool,
        store: str = "sqlite",
        alone: bool = False,
        beside: str | None = None,
        turns: int = TURNS,
        at_once: int = 1,
    ) -> None:
        """`beside`: another working tree, measured too; `at_once`: how many calls ring together."""
        self._stack = ExitStack()
        directory = Path(self._stack.enter_context(TemporaryDirectory()))
        self._environment = {
            "OPENAI_API_KEY": "key",
            "OPENAI_WEBHOOK_SECRET": SECRET,
            "CALL_TOKENS": TOKENS,
        }
        self._trusted = None
        certificate: list[str] = []
        if tls:
            authority = Authority(directory)
            certificate = [str(authority.issue())]
            self._environment["SSL_CERT_FILE"] = str(authority.file)
            self._trusted = ssl.create_default_context(cafile=authority.file)
        self._api = Process(self._stack, [str(HERE / "talking_api.py"), *certificate])
        self._is_alone = alone
        self._base_url = f"{self._api.url}{'/alone' if alone else ''}/v1"
        self._directory = directory
        self._store = store
        self._numbers = count(1)
        self._turns = turns
        self._at_once = at_once
        self._trees = ["."] if beside is None else [".", beside]

    def __enter__(self) -> "SetUp":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def rows(self, how: str, *, telephone: bool = True, browser: bool = True) -> Iterator[Row]:
        """The ratios of the medians."""
        limit = LIMITS[self._store, self._trusted is not None]
        ours = [self._ours(tree) for tree in self._trees]
        names = ["", *(f" ({tree})" for tree in self._trees[1:])]
        if telephone:
            least = self._least("tests.benchmarks.least_runner", SECRET)
            programs = [Program("", process, _telephone) for process in (least, *ours)]
            floor, *rest = self.measure(programs)
            for name, us in zip(names, rest, strict=True):
                row = f"telephone, {how}{name}"
                yield Row(name=row, ours=us, floor=floor, unit="µs", limit=None if name else limit)
        if browser:
            forwarder = self._least("tests.benchmarks.least_forwarder", "")
            attacher = self._least("tests.benchmarks.least_forwarder", "attach")
            programs = [Program("", forwarder, _browser, attaches=False)]
            programs += [Program("", process, _browser) for process in (attacher, *ours)]
            floor, attaching, *rest = self.measure(programs)
            most = ALONE_LIMIT if self._is_alone else BROWSER_LIMIT
            row = f"least that attaches, browser, {how}"
            yield Row(name=row, ours=attaching, floor=floor, unit="µs")
            for name, us in zip(names, rest, strict=True):
                row = f"browser, {how}{name}"
                yield Row(name=row, ours=us, floor=floor, unit="µs", limit=None if name else most)
                yield Row(
                    name=f"  beside forwarding and attaching{name}", ours=us, floor=attaching, unit="µs"
                )

    def measure(self, programs: list[Program]) -> list[float]:
        """Microseconds of CPU for one call, the median of the turns of each."""
        asyncio.run(self._measure(programs))
        return [program.median_us for program in programs]

    async def _measure(self, programs: list[Program]) -> None:
        connector = aiohttp.TCPConnector(ssl=self._trusted or True)
        async with aiohttp.ClientSession(connector=connector) as session:
            for program in programs:
                await self._turn(session, program, WARM_UP)
            for _ in range(self._turns):
                for program in programs:
                    spent_s = await self._turn(session, program, CALLS)
                    program.turns_us.append(spent_s / CALLS * 1e6)

    async def _turn(self, session: aiohttp.ClientSession, program: Program, calls: int) -> float:
        """CPU of so many calls, which are over at the API afterwards."""
        attached = await self._attached(session)
        before_s = program.process.cpu_s
        numbers = iter([next(self._numbers) for _ in range(calls)])

        async def ring() -> None:
            for number in numbers:
                if self._is_alone:
                    async with session.post(f"{self._api.url}/close-idle"):
                        await asyncio.sleep(CLOSED_S)
                await program.ring(session, program.process.url, number)

        await asyncio.gather(*(ring() for _ in range(self._at_once)))
        while program.attaches and await self._attached(session) < attached + calls:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        await _settled(program.process)
        spent_s = program.process.cpu_s - before_s
        # Not measured: what a call costs that is live, and its end.
        async with session.post(f"{self._api.url}/end"):
            await _settled(program.process)
        return spent_s

    async def _attached(self, session: aiohttp.ClientSession) -> int:
        async with session.get(f"{self._api.url}/counts") as response:
            counts: list[int] = await response.json(content_type=None)
            return counts[0]

    def _least(self, module: str, argument: str) -> Process:
        return Process(self._stack, ["-m", module, self._base_url, argument], self._environment)

    def _ours(self, tree: str) -> Process:
        agents = Path(self._stack.enter_context(TemporaryDirectory()))
        store = f"sqlite:{agents}/calls.db" if self._store == "sqlite" else self._database()
        settings = RUNNER.format(base_url=self._base_url, site=SITE, store=store)
        (agents / "runner.yaml").write_text(settings)
        for name, agent in (("desk", AGENT), ("web", QUIET_AGENT)):
            (agents / f"{name}.yaml").write_text(agent.format(instructions=INSTRUCTIONS))
        environment = {**self._environment, "PYTHONPATH": str(Path(tree).absolute())}
        return Process(self._stack, ["-P", "-m", "runner", "run", str(agents)], environment)

    def _database(self) -> str:
        server = PostgresqlServer()
        self._stack.callback(server.delete)
        return server.new_database()


async def _settled(process: Process) -> None:
    """Until the process has used next to no CPU for a while."""
    quiet, last = 0, process.cpu_s
    while quiet < 5:
        await asyncio.sleep(QUIET_S)
        now = process.cpu_s
        quiet, last = (quiet + 1 if now - last < IDLE_S else 0), now


async def _telephone(session: aiohttp.ClientSession, url: str, number: int) -> None:
    call_id = f"call_{number}"
    headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call_id)
    webhook = call_incoming(call_id=call_id, headers=headers, secret=SECRET, now=time.time())
    await _post(session, f"{url}/webhooks/openai", webhook.body, webhook.headers, 200)


async def _browser(session: aiohttp.ClientSession, url: str, number: int) -> None:
    claims = {"aud": "phone-agents", "sub": f"u{number}", "jti": f"t{number}", "agent": "web"}
    token = jwt.encode({**claims, "exp": time.time() + 60}, TOKENS)
    headers = {
        "Origin": SITE,
        "Content-Type": "application/sdp",
        "Authorization": f"Bearer {token}",
        # As behind a proxy: each caller has an address of its own, and no two share a minute's calls.
        "X-Forwarded-For": f"203.0.113.{number % 250}, 198.51.{number // 250}.{number % 250}",
    }
    await _post(session, f"{url}/calls", OFFER.encode(), headers, 201)


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str], expected: int
) -> None:
    async with session.post(url, data=body, headers=headers) as response:
        if response.status != expected:
            raise RuntimeError(await response.text())


def main() -> int:
    """Print the rows of one way to reach the API."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.set_up")
    parser.add_argument("--plain", action="store_true", help="without TLS")
    parser.add_argument(
        "--alone", action="store_true", help="before each call the API closes idle connections"
    )
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--only", choices=("telephone", "browser"))
    parser.add_argument("--at-once", type=int, default=1, help="calls that ring together (default: 1)")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"of each program (default: {TURNS})")
    parser.add_argument("--beside", help="another working tree, measured too")
    options = parser.parse_args()
    if options.alone and options.at_once > 1:
        parser.error("calls that ring together are not alone")
    with SetUp(
        tls=not options.plain,
        store=options.store,
        alone=options.alone,
        beside=options.beside,
        turns=options.turns,
        at_once=options.at_once,
    ) as bench:
        how = "plain" if options.plain else "TLS"
        for row in bench.rows(how, telephone=options.only != "browser", browser=options.only != "telephone"):
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
            print(f"{row.name:60} {row.floor:8.0f} {row.ours:8.0f} {ratio:>6}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
