"""Live calls at the speed of speech: `python -m tests.benchmarks.under_load --calls 500 2000 4000`.

For each number of calls, over TLS and without, one process of ours and one of the floor (`least_runner.py`)
hold as many calls each, and the API (`crowd_api.py`, a third process) rings and talks to one after the other,
in turns, so that both meet the same machine. Everything is measured from outside (/proc) and at `/metrics`.
Prints a table in Markdown.

With `--at-once` the API talks to both at the same time, and ratios are the median of the rounds: on a machine
that other work shares, they differ less from run to run.

With `--beside`, another program takes the floor's place: ours without its journal (`without_journal.py`), or
the runner of another version, in a directory of its own.
"""

import argparse
import asyncio
import re
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import aiohttp

from runner.call.examples.example_call import sip_headers
from runner.standin.webhook import call_incoming
from tests.benchmarks.live_calls import HERE, SECRET, WARM_UP, Process
from tests.certificates import Authority
from tests.store.postgresql.server import PostgresqlServer

EVENTS_A_SECOND = 4.0
TOOLS = 0.3
"""The share of turns that call a tool, while tools are measured: one call in 30 seconds."""
ADMIN_TOKEN = "benchmark" * 4
SETTLED_S = 60.0
IDLE = 0.05
"""Share of a core that thousands of calls take in which nobody says anything."""
GREETED_S = 2.0
"""For the calls that rang last to be greeted, and for what is put off until then."""
AT_ONCE = 16
"""Calls that ring together."""
SET_UP_TURNS = 4
"""In which the others are set up."""
FLOOR, NO_JOURNAL = "floor", "no-journal"

RUNNER = """\
provider: {{base_url: "{base_url}"}}
server: {{port: 0, host: 127.0.0.1, drain_timeout: 1s{admin}}}
store: "{store}"
egress: {{private_networks: allow}}
"""
AGENT = """\
agent: desk
routes: [{{to: "+18005551212"}}]
model: gpt-realtime-2.1
instructions: You are the receptionist of Maple Dental. Be brief.
tools:
  - {{name: find_slots, description: Find slots, http: {{method: GET, url: "{tools}/slots"}}}}
"""
COLUMNS = (
    ("calls", "{calls}"),
    ("", "{how}"),
    ("CPU of set-up, ms", "{setup_ms:.1f} / {floor_setup_ms:.1f} = {setup_ratio:.2f}"),
    ("memory a call, KiB", "{memory_kib:.0f} / {floor_memory_kib:.0f} = {memory_ratio:.2f}"),
    ("CPU an event, µs", "{event_us:.0f} / {floor_event_us:.0f} = {event_ratio:.2f}"),
    ("of a core", "{core:.0%} / {floor_core:.0%}"),
    ("loop lag p99", "{lag}"),
    ("tool round trip p50 / p99", "{tool_p50_ms:.1f} / {tool_p99_ms:.1f} ms"),
    ("journal a call", "{journal_writes:.1f} writes, {journal_bytes:.0f} B a second"),
    ("sidebands back", "{back}"),
)


@dataclass(slots=True)
class Side:
    """One of the two that are compared."""

    group: str
    process: Process
    setup_s: float = 0.0
    memory_kib: float = 0.0
    event_s: float = 0.0
    core: float = 0.0


class Load:
    """One number of calls, over TLS or not."""

    def __init__(
        self, api: Process, trusted: ssl.SSLContext | None, session: aiohttp.ClientSession, calls: int
    ) -> None:
        self._api = api.url
        self._trusted = trusted
        self._session = session
        self._calls = calls

    async def measure(
        self, floor: Side, ours: Side, *, seconds: float, rounds: int, at_once: bool = False
    ) -> dict[str, object]:
        """Set up, talk in turns or `at_once`, talk with tools, lose all of ours at once."""
        await self._set_up(floor, ours)
        before = await self._metrics(ours)
        ratios = []
        for _ in range(rounds):
            if at_once:
                spent = await asyncio.gather(self.talk(floor, seconds), self.talk(ours, seconds))
                ratios.append(spent[1] / spent[0])
            else:
                for side in (floor, ours):
                    await self.talk(side, seconds)
        after = await self._metrics(ours)
        tools = await self._ask(
            "/talk", ours.group, seconds=seconds * 2, events_a_second=EVENTS_A_SECOND, tools=TOOLS
        )
        began = time.monotonic()
        attached = (await self.counts())[0]
        await self._ask("/lose", ours.group)
        await self._until(attached + self._calls)
        back_s = time.monotonic() - began
        talked_s = self._calls * seconds * rounds
        return {
            "calls": self._calls,
            "setup_ms": ours.setup_s * 1e3,
            "floor_setup_ms": floor.setup_s * 1e3,
            "setup_ratio": ours.setup_s / floor.setup_s,
            "memory_kib": ours.memory_kib,
            "floor_memory_kib": floor.memory_kib,
            "memory_ratio": ours.memory_kib / floor.memory_kib,
            "event_us": ours.event_s * 1e6,
            "floor_event_us": floor.event_s * 1e6,
            "event_ratio": median(ratios) if at_once else ours.event_s / floor.event_s,
            "core": ours.core,
            "floor_core": floor.core,
            "lag": _lag(before, after),
            "tool_p50_ms": tools["tool_p50_ms"],
            "tool_p99_ms": tools["tool_p99_ms"],
            "journal_writes": _grown("phone_agents_journal_writes_total", before, after) / talked_s,
            "journal_bytes": _grown("phone_agents_journal_written_bytes_total", before, after) / talked_s,
            "back": f"{back_s:.1f} s",
        }

    async def call_tools(self, side: Side, *, seconds: float, events_a_second: float) -> dict[str, float]:
        """Talk on all calls so slowly, with a tool in each turn; how many were called and answered."""
        return await self._ask("/talk", side.group, seconds=seconds, events_a_second=events_a_second, tools=1)

    async def _set_up(self, *sides: Side) -> None:
        for side in sides:
            await self.ring_all(side, WARM_UP)
            side.memory_kib = -side.process.memory_kib
        measured = self._calls - WARM_UP
        for turn in range(SET_UP_TURNS):
            calls = measured * (turn + 1) // SET_UP_TURNS - measured * turn // SET_UP_TURNS
            for side in sides:
                cpu_s = side.process.cpu_s
                await self.ring_all(side, calls)
                side.setup_s += (side.process.cpu_s - cpu_s) / measured
        for side in sides:
            side.memory_kib = (side.process.memory_kib + side.memory_kib) / measured

    async def talk(self, side: Side, seconds: float) -> float:
        """Measure what an event costs while all calls of a side talk, in seconds of CPU."""
        # The first moments are those of whatever ran before.
        await self._ask("/talk", side.group, seconds=1.0, events_a_second=EVENTS_A_SECOND, tools=0)
        await _settled(side)
        cpu_s = side.process.cpu_s
        talked = await self._ask(
            "/talk", side.group, seconds=seconds, events_a_second=EVENTS_A_SECOND, tools=0
        )
        await _settled(side)
        spent_s = side.process.cpu_s - cpu_s
        event_s = spent_s / talked["events"]
        side.event_s = min(side.event_s or event_s, event_s)
        side.core = spent_s / talked["seconds"]
        return event_s

    async def ring_all(self, side: Side, calls: int) -> None:
        """Ring so many times, and wait until all are attached."""
        attached = (await self.counts())[0]
        names = iter(range(attached, attached + calls))

        async def ring() -> None:
            for number in names:
                await self._ring(side, f"{side.group}_{number}")

        await asyncio.gather(*(ring() for _ in range(AT_ONCE)))
        await self._until(attached + calls)
        await asyncio.sleep(GREETED_S)

    async def _ring(self, side: Side, call_id: str) -> None:
        headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call_id)
        webhook = call_incoming(call_id=call_id, headers=headers, secret=SECRET, now=time.time())
        url = side.process.url + "/webhooks/openai"
        async with self._session.post(url, data=webhook.body, headers=webhook.headers) as response:
            if response.status != 200:
                raise RuntimeError(await response.text())

    async def _ask(self, path: str, group: str, **figures: float) -> dict[str, float]:
        params = {"group": group, **{name: str(value) for name, value in figures.items()}}
        async with self._session.get(self._api + path, params=params, ssl=self._trusted or True) as response:
            answer: dict[str, float] = await response.json()
            return answer

    async def counts(self) -> list[int]:
        """How many sidebands were opened so far, and how many are open now."""
        async with self._session.get(self._api + "/counts", ssl=self._trusted or True) as response:
            counts: list[int] = await response.json()
            return counts

    async def _until(self, attached: int) -> None:
        async with asyncio.timeout(300):
            while (await self.counts())[0] < attached:  # noqa: ASYNC110 - it happens in other processes
                await asyncio.sleep(0.05)

    async def _metrics(self, side: Side) -> dict[str, float]:
        async with self._session.get(side.process.url + "/metrics") as response:
            text = await response.text()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}


async def _settled(side: Side) -> None:
    """Wait until a side has handled what was said to it, which a busy machine delays."""
    async with asyncio.timeout(SETTLED_S):
        last_s = -SETTLED_S
        while side.process.cpu_s - last_s > IDLE * 0.1:
            last_s = side.process.cpu_s
            await asyncio.sleep(0.1)


def _grown(name: str, before: dict[str, float], after: dict[str, float]) -> float:
    return after[name] - before[name]


def _lag(before: dict[str, float], after: dict[str, float]) -> str:
    """The bucket that holds the 99th percentile."""
    name = "phone_agents_event_loop_lag_seconds"
    total = _grown(f"{name}_count", before, after)
    for bucket in after:
        found = re.fullmatch(rf'{name}_bucket{{le="([^"]+)"}}', bucket)
        if found is not None and _grown(bucket, before, after) >= 0.99 * total:
            return f"≤ {float(found[1]) * 1000:g} ms"
    return "?"


@contextmanager
def serving(
    *, tls: bool, store: str, options: tuple[str, ...] = (), admin: str = "", beside: str = FLOOR
) -> Iterator[tuple[Process, ssl.SSLContext | None, Process, Process]]:
    """The API, the floor and ours, in processes of their own.

    `options` are of `run`; `admin` is what `server` has besides; `beside` is what takes the floor's place.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        environment = {"OPENAI_API_KEY": "key", "OPENAI_WEBHOOK_SECRET": SECRET, "ADMIN_TOKEN": ADMIN_TOKEN}
        certificate: list[str] = []
        trusted = None
        if tls:
            authority = Authority(directory)
            certificate = [str(authority.issue())]
            environment["SSL_CERT_FILE"] = str(authority.file)
            trusted = ssl.create_default_context(cafile=authority.file)
        api = Process(stack, ["-m", "tests.benchmarks.crowd_api", *certificate])
        base_url, tools = f"{api.url}/v1", f"http://127.0.0.1:{api.words[-1]}"

        def run(module: str, name: str, *options: str, directory_of: str | None = None) -> Process:
            agents = directory / name
            agents.mkdir()
            url = f"sqlite:{directory}/{name}.db" if store == "sqlite" else _database(stack)
            (agents / "runner.yaml").write_text(RUNNER.format(base_url=base_url, store=url, admin=admin))
            (agents / "desk.yaml").write_text(AGENT.format(tools=tools))
            command = ["-m", module, "run", str(agents), *options]
            return Process(stack, command, environment, directory=directory_of)

        if beside == FLOOR:
            floor = Process(stack, [str(HERE / "least_runner.py"), base_url, SECRET], environment)
        elif beside == NO_JOURNAL:
            floor = run("tests.benchmarks.without_journal", "beside", "--log-level", "warning")
        else:
            # Its log goes where that of every process goes here.
            floor = run("runner", "beside", directory_of=beside)
        yield api, trusted, floor, run("runner", "ours", "--log-level", "warning", *options)


def _database(stack: ExitStack) -> str:
    server = PostgresqlServer()
    stack.callback(server.delete)
    return server.new_database()


async def _measured(calls: int, tls: bool, options: argparse.Namespace) -> dict[str, object]:
    with serving(tls=tls, store=options.store, beside=options.beside) as (api, trusted, floor, ours):
        timeout = aiohttp.ClientTimeout(total=600)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            load = Load(api, trusted, session, calls)
            row = await load.measure(
                Side("floor", floor),
                Side("ours", ours),
                seconds=options.seconds,
                rounds=options.rounds,
                at_once=options.at_once,
            )
            return {**row, "how": "TLS" if tls else "plain"}


def main() -> int:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.under_load")
    parser.add_argument("--calls", type=int, nargs="+", default=[500, 2000, 4000])
    parser.add_argument("--seconds", type=float, default=10.0, help="of talk in each turn (default: 10)")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side (default: 2)")
    parser.add_argument("--at-once", action="store_true", help="talk to both at the same time")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--only", choices=("tls", "plain"))
    parser.add_argument(
        "--beside",
        default=FLOOR,
        metavar="PROGRAM",
        help=f'what ours is compared with: "{FLOOR}", "{NO_JOURNAL}", or a directory with another version',
    )
    options = parser.parse_args()
    print("| " + " | ".join(title for title, _ in COLUMNS) + " |")
    print("|" + " --- |" * len(COLUMNS), flush=True)
    ways = [tls for tls in (True, False) if options.only != ("plain" if tls else "tls")]
    for tls in ways:
        for calls in options.calls:
            row = asyncio.run(_measured(calls, tls, options))
            print("| " + " | ".join(cell.format(**row) for _, cell in COLUMNS) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
