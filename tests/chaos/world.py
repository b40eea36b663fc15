"""One round: runners, calls, and what `tests.chaos.faults` does to them."""

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from runner.call.examples.example_call import sip_headers
from runner.model.stored_call import StoredCall
from runner.serve.loop_lag import watch_loop
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, calls, greets, says
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from runner.store.opening import open_store
from tests.chaos.backend import Backend
from tests.chaos.checker import CROSSED, GREETING, Excused, greeted, losses
from tests.chaos.faults import Faults
from tests.chaos.planted import JOB_LEASE_S
from tests.processes import CLOCK
from tests.serving import Process
from tests.store.postgresql.database_line import DatabaseLine
from tests.store.postgresql.server import PostgresqlServer

ROOT = str(Path(__file__).parents[2])
PACE = 0.2
"""Real seconds for each second of a call."""
PATIENCE_S = 30.0
"""Of a caller, in seconds of a call; then the caller speaks again, whether a tool has its output or not."""
VOID_S = 3.0
"""A round does not count whose stand-in for the API stood still for so long: runners give a sideband up that
does not open within six seconds."""
START_S = 120.0
"""For a process to start on a machine that has no time for it."""
SETTLE_S = 120.0
"""For all calls to end once nothing more goes wrong."""
AGENT = """\
agent: front-desk
routes: [{{to: "+18005551212"}}]
model: gpt-realtime-2.1
instructions: Be kind. Version {version}.
greeting: {greeting}
tools:
  - {{name: look, description: Look, http: {{method: GET, url: "{url}/look"}}}}
  - {{name: note, description: Note, idempotent: true, http: {{url: "{url}/note"}}}}
  - {{name: book, description: Book, http: {{url: "{url}/book"}}}}
on_end: [{{http: {{url: "{url}/done"}}}}]
"""


@dataclass(slots=True)
class Round:
    """What came of one round."""

    seed: int
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)
    late_s: float = 0.0
    """By how much the loop of this process was late at the most: a starved machine is told from a bug."""

    @property
    def is_void(self) -> bool:
        """Whether the machine had no time for the harness itself."""
        return self.late_s > VOID_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a round is made of."""

    seed: int
    store: str
    """`sqlite:…`, or the URL of an empty PostgreSQL schema."""
    runners: int
    calls: int
    lasts_s: float
    faults: tuple[str, ...]
    lookups: int = 1
    """In each call; the more, the longer a call lasts, and the more often its runner acts."""
    bug: str = "nothing"
    server: PostgresqlServer | None = None
    """Of the store, for those who stop it."""
    patience_s: float = PATIENCE_S
    log: Path | None = None
    """Where the runners' log lines go; None for nowhere."""


@dataclass(slots=True)
class Place:
    """A place for a runner, which is empty between two of them."""

    line: DatabaseLine | None = None
    """To the database, where that is a server."""
    url: str = ""
    """Of the store, over this line."""
    runner: tuple[Process, str] | None = None
    """The process, and where it listens."""
    is_paused: bool = False
    is_cut_off: bool = False
    """From the database."""


class World:
    """The stand-in, the endpoints and the runners of one round."""

    def __init__(self, plan: Plan, folder: Path, api: StandIn, backend: Backend) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.api = api
        self.backend = backend
        self.calls: list[PlacedCall] = []
        self.excused = Excused()
        self.result = Round(seed=plan.seed)
        self._folder = folder
        self._secret = new_secret()
        self._stack = AsyncExitStack()
        self._log = self._stack.enter_context((plan.log or folder / "runners.log").open("ab"))
        self.places = [Place() for _ in range(plan.runners)]

    async def play(self, session: aiohttp.ClientSession) -> Round:
        """The round, from the first runner to the last record."""
        self.write(1)
        async with self._stack:
            for place in self.places:
                await self._draw_line(place)
                await self.start(place)
            watch = asyncio.create_task(watch_loop(self._note_lag))
            self._stack.callback(watch.cancel)
            rings = asyncio.create_task(self._ring_all(session))
            faults = Faults(self, session)
            await faults.strike()
            await rings
            await self._settle()
            faults.finish()
        self.result.calls = len(self.calls)
        self.result.losses += losses(self.calls, self.backend, await self._stored(), self.excused)
        ungreeted = [call for call in self.calls if call.id in self.excused.ungreeted and not greeted(call)]
        self.result.faults["not greeted"] = len(ungreeted)
        self.result.faults["stale"] = self.excused.stale.total()
        crossed = [call for call in self.calls if any(CROSSED in note for note in call.violations)]
        self.result.faults["crossed"] = len(crossed)
        return self.result

    def write(self, version: int) -> None:
        """Write a version of the configuration."""
        agents = self._folder / "agents"
        agents.mkdir(exist_ok=True)
        text = AGENT.format(version=version, greeting=GREETING, url=self.backend.url)
        (agents / "front-desk.yaml").write_text(text)
        (agents / "runner.yaml").write_text(
            f"provider: {{base_url: {self.api.base_url}}}\n"
            "store: {env: DATABASE_URL}\n"
            "egress: {private_networks: allow}\n"
            "records: {keep: 90d}\n"
        )

    def _note_lag(self, lag_s: float) -> None:
        self.result.late_s = max(self.result.late_s, lag_s)

    # Runners

    async def _draw_line(self, place: Place) -> None:
        place.url = self.plan.store
        if self.plan.server is not None:
            place.line = DatabaseLine(self.plan.store)
            place.url = await self._stack.enter_async_context(place.line.serving())

    async def start(self, place: Place) -> None:
        """Start a runner in this place."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.planted", self.plan.bug, "run", "agents", "--port", "0"),
            cwd=self._folder,
            env={
                **CLOCK,
                "PYTHONPATH": os.pathsep.join(
                    (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
                ),
                "OPENAI_API_KEY": self.api.api_key,
                "OPENAI_WEBHOOK_SECRET": self._secret,
                "DATABASE_URL": place.url,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
        )
        runner = Process(process)
        self._stack.push_async_callback(_ended, process)
        place.runner = (runner, await runner.started(START_S))

    def one(self, *, is_well: bool = False) -> Place | None:
        """One of the places with a runner that is not paused; `is_well`: nor cut off from the database."""
        there = [
            place
            for place in self.places
            if place.runner and not place.is_paused and not (is_well and place.is_cut_off)
        ]
        return self.random.choice(there) if there else None

    @property
    def are_all_well(self) -> bool:
        """Whether nobody is paused or cut off from the database."""
        return not any(place.is_paused or place.is_cut_off for place in self.places)

    # Calls

    async def _ring_all(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.TaskGroup() as announcing:
            for _ in range(self.plan.calls):
                announcing.create_task(self.announce(session, self._place_call()))
                await asyncio.sleep(self.plan.lasts_s / self.plan.calls)

    def _place_call(self) -> PlacedCall:
        lookup = (CallerSays(text="Please look that up for me."), calls("look", {}), says("I have looked."))
        call = self.api.place_call(
            greets(),
            *lookup * self.plan.lookups,
            CallerSays(text="Then note it down."),
            calls("note", {}),
            says("It is noted."),
            CallerSays(text="And book it, please."),
            calls("book", {}),
            says("That is all."),
            CallerHangsUp(),
        )
        call.caller_patience_s = self.plan.patience_s
        self.calls.append(call)
        return call

    async def announce(self, session: aiohttp.ClientSession, call: PlacedCall) -> None:
        """As the API does it: delivered again until somebody answers 200."""
        headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call.id)
        until = time.monotonic() + 2 * START_S
        while time.monotonic() < until:
            place = self.one()
            if place is not None and place.runner is not None:
                webhook = call_incoming(
                    call_id=call.id, headers=headers, secret=self._secret, now=time.time()
                )
                with suppress(aiohttp.ClientError, TimeoutError):
                    url = f"{place.runner[1]}/webhooks/openai"
                    timeout = aiohttp.ClientTimeout(total=5)
                    async with session.post(
                        url, data=webhook.body, headers=webhook.headers, timeout=timeout
                    ) as response:
                        if response.status == 200:
                            return
            await asyncio.sleep(0.2)

    # The end

    async def _settle(self) -> None:
        """Nothing more goes wrong: every call is served to its end."""
        with suppress(TimeoutError):
            await self.api.until(lambda: all(call.is_over for call in self.calls), SETTLE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(JOB_LEASE_S * 6):
                while any(not self.backend.delivered[call.id] for call in self.calls):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
        for place in self.places:
            if place.line is not None:
                place.line.mend()
            if place.runner is not None:
                place.runner[0].tell(signal.SIGCONT)
                place.runner[0].tell(signal.SIGTERM)
        for place in self.places:
            if place.runner is not None:
                # A call that nobody serves to its end keeps its runner for as long as it may drain.
                with suppress(TimeoutError):
                    await place.runner[0].ended()

    async def _stored(self) -> dict[str, StoredCall | None]:
        store = await open_store(self.plan.store)
        try:
            return {call.id: await store.read(call.id) for call in self.calls}
        finally:
            await store.close()


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.communicate()


async def play(plan: Plan) -> Round:
    """Play one round in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if plan.store.startswith("sqlite:"):
            plan = replace(plan, store=f"sqlite:{folder}/calls.db")
        async with (
            StandIn(pace=PACE) as api,
            Backend().serving() as backend,
            aiohttp.ClientSession() as session,
        ):
            return await World(plan, Path(folder), api, backend).play(session)
