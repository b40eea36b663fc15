"""One round: runners, calls, and what a seed does to them."""

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
from tests.chaos.checker import GREETING, STALE, Excused, greeted, is_spoken_for, losses
from tests.chaos.planted import JOB_LEASE_S, LEASE_S
from tests.processes import CLOCK
from tests.serving import Process
from tests.store.postgresql.server import PostgresqlServer

ROOT = str(Path(__file__).parents[2])
PACE = 0.2
"""Real seconds for each second of a call."""
PATIENCE_S = 30.0
"""Of a caller, in seconds of a call; then the caller speaks again, whether a tool has its output or not."""
START_S = 120.0
"""For a process to start on a machine that has no time for it."""
WORK_S = 3.0
"""For a tool to be called."""
SETTLE_S = 120.0
"""For all calls to end once nothing more goes wrong."""
RESUMES_S = 1.0
"""For a runner that stood still to send what it was about to send."""
CATCH_UP_S = 4.0
"""After the database was away: a runner tries again every second."""
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
    bug: str = "nothing"
    server: PostgresqlServer | None = None
    """Of the store, for those who stop it."""
    patience_s: float = PATIENCE_S
    log: Path | None = None
    """Where the runners' log lines go; None for nowhere."""


class World:
    """The stand-in, the endpoints and the runners of one round."""

    def __init__(self, plan: Plan, folder: Path, api: StandIn, backend: Backend) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._folder = folder
        self._api = api
        self._backend = backend
        self._secret = new_secret()
        self._stack = AsyncExitStack()
        self._log = self._stack.enter_context((plan.log or folder / "runners.log").open("ab"))
        self._runners: list[tuple[Process, str] | None] = [None] * plan.runners
        self._paused: set[int] = set()
        self._calls: list[PlacedCall] = []
        self._excused = Excused()
        self._midst = 0.0
        """Of the time in which faults come."""
        self.result = Round(seed=plan.seed)

    async def play(self, session: aiohttp.ClientSession) -> Round:
        """The round, from the first runner to the last record."""
        self._write(1)
        async with self._stack:
            for number in range(self._plan.runners):
                await self._start(number)
            watch = asyncio.create_task(watch_loop(self._note_lag))
            self._stack.callback(watch.cancel)
            rings = asyncio.create_task(self._ring_all(session))
            until = time.monotonic() + self._plan.lasts_s
            self._midst = until - self._plan.lasts_s / 2
            while time.monotonic() < until:
                await asyncio.sleep(self._random.uniform(0.2, 1.0))
                await self._fault(session)
            await rings
            await self._settle()
        self.result.calls = len(self._calls)
        self.result.losses += losses(self._calls, self._backend, await self._stored(), self._excused)
        ungreeted = [call for call in self._calls if call.id in self._excused.ungreeted and not greeted(call)]
        self.result.faults["not greeted"] = len(ungreeted)
        self.result.faults["stale"] = self._excused.stale.total()
        return self.result

    def _write(self, version: int) -> None:
        agents = self._folder / "agents"
        agents.mkdir(exist_ok=True)
        text = AGENT.format(version=version, greeting=GREETING, url=self._backend.url)
        (agents / "front-desk.yaml").write_text(text)
        (agents / "runner.yaml").write_text(
            f"provider: {{base_url: {self._api.base_url}}}\n"
            "store: {env: DATABASE_URL}\n"
            "egress: {private_networks: allow}\n"
            "records: {keep: 90d}\n"
        )

    def _note_lag(self, lag_s: float) -> None:
        self.result.late_s = max(self.result.late_s, lag_s)

    # Runners

    async def _start(self, number: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.planted", self._plan.bug, "run", "agents", "--port", "0"),
            cwd=self._folder,
            env={
                **CLOCK,
                "PYTHONPATH": os.pathsep.join(
                    (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
                ),
                "OPENAI_API_KEY": self._api.api_key,
                "OPENAI_WEBHOOK_SECRET": self._secret,
                "DATABASE_URL": self._plan.store,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
        )
        runner = Process(process)
        self._stack.push_async_callback(_ended, process)
        self._runners[number] = (runner, await runner.started(START_S))

    def _one(self) -> int | None:
        there = [
            number for number, runner in enumerate(self._runners) if runner and number not in self._paused
        ]
        return self._random.choice(there) if there else None

    # Calls

    async def _ring_all(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.TaskGroup() as announcing:
            for _ in range(self._plan.calls):
                announcing.create_task(self._announce(session, self._place_call()))
                await asyncio.sleep(self._plan.lasts_s / self._plan.calls)

    def _place_call(self) -> PlacedCall:
        call = self._api.place_call(
            greets(),
            CallerSays(text="Please look that up for me."),
            calls("look", {}),
            says("I have looked."),
            CallerSays(text="Then note it down."),
            calls("note", {}),
            says("It is noted."),
            CallerSays(text="And book it, please."),
            calls("book", {}),
            says("That is all."),
            CallerHangsUp(),
        )
        call.caller_patience_s = self._plan.patience_s
        self._calls.append(call)
        return call

    async def _announce(self, session: aiohttp.ClientSession, call: PlacedCall) -> None:
        """As the API does it: delivered again until somebody answers 200."""
        headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call.id)
        until = time.monotonic() + 2 * START_S
        while time.monotonic() < until:
            number = self._one()
            runner = None if number is None else self._runners[number]
            if runner is not None:
                webhook = call_incoming(
                    call_id=call.id, headers=headers, secret=self._secret, now=time.time()
                )
                with suppress(aiohttp.ClientError, TimeoutError):
                    url = f"{runner[1]}/webhooks/openai"
                    timeout = aiohttp.ClientTimeout(total=5)
                    async with session.post(
                        url, data=webhook.body, headers=webhook.headers, timeout=timeout
                    ) as response:
                        if response.status == 200:
                            return
            await asyncio.sleep(0.2)

    # What goes wrong

    async def _fault(self, session: aiohttp.ClientSession) -> None:
        fault = self._random.choice(self._plan.faults)
        if time.monotonic() > self._midst and not self.result.faults[self._plan.faults[0]]:
            # A slow machine has time for a few faults only; the first one has to be among them.
            fault = self._plan.faults[0]
        acted = await getattr(self, f"_{fault}")(session)
        self.result.faults[fault] += acted

    def _note_ungreeted(self) -> None:
        """A runner is stopped now, or a sideband cut: which calls are attached and not greeted?"""
        self._excused.ungreeted |= {
            call.id for call in self._calls if call.attached and not is_spoken_for(call)
        }

    def _stale(self) -> Counter[str]:
        return Counter({call.id: call.violations.count(STALE) for call in self._calls})

    async def _kill(self, _: aiohttp.ClientSession) -> bool:
        """A runner is killed, and started again a little later."""
        number = self._one()
        if number is None or (runner := self._runners[number]) is None:
            return False
        self._runners[number] = None
        self._note_ungreeted()
        runner[0].tell(signal.SIGKILL)
        await runner[0].ended()
        await asyncio.sleep(self._random.uniform(0.0, 1.0))
        await self._start(number)
        return True

    async def _kill_at_work(self, session: aiohttp.ClientSession) -> bool:
        """A runner is killed while a tool's request is under way, its own or another's."""
        self._backend.was_asked.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(WORK_S):
                await self._backend.was_asked.wait()
        return await self._kill(session)

    async def _deploy(self, _: aiohttp.ClientSession) -> bool:
        """A runner is told to end, and another takes its place."""
        if self._plan.runners == 1:
            return False
        number = self._one()
        if number is None or (runner := self._runners[number]) is None:
            return False
        self._runners[number] = None
        self._note_ungreeted()
        runner[0].tell(signal.SIGTERM)
        await self._start(number)
        return True

    async def _pause(self, _: aiohttp.ClientSession) -> bool:
        """A runner stands still for longer than its lease lasts."""
        number = self._one()
        if number is None or self._paused or (runner := self._runners[number]) is None:
            return False
        self._paused.add(number)
        self._note_ungreeted()
        runner[0].tell(signal.SIGSTOP)
        loop = asyncio.get_running_loop()

        def go_on() -> None:
            before = self._stale()
            runner[0].tell(signal.SIGCONT)
            loop.call_later(RESUMES_S, lambda: self._excused.stale.update(self._stale() - before))
            self._paused.discard(number)

        loop.call_later(LEASE_S + 2, go_on)
        return True

    async def _cut(self, _: aiohttp.ClientSession) -> bool:
        """The sideband of a call breaks."""
        live = [call for call in self._calls if call.is_attached and not call.is_over]
        if not live:
            return False
        call = self._random.choice(live)
        self._note_ungreeted()
        call.cut()
        self._api.wake(call)
        return True

    async def _cut_at_reply(self, _: aiohttp.ClientSession) -> bool:
        """The sideband of a call breaks as its tool replies: the output cannot be sent."""

        async def cut(key: str) -> None:
            for call in self._calls:
                if call.is_attached and call.conversation is not None and key in call.conversation.open_calls:
                    call.cut()
                    self._api.wake(call)
                    while call.is_attached:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0)

        self._backend.before_reply = cut
        return True

    async def _duplicate(self, session: aiohttp.ClientSession) -> bool:
        """A webhook comes once more, to any of the runners."""
        if not self._calls:
            return False
        await self._announce(session, self._random.choice(self._calls))
        return True

    async def _outage(self, _: aiohttp.ClientSession) -> bool:
        """The database is away for everybody, for less than a lease or for more."""
        if self._plan.server is None or self._paused:
            return False
        await asyncio.to_thread(self._plan.server.stop)
        await asyncio.sleep(self._random.uniform(0.5, LEASE_S + 2))
        await asyncio.to_thread(self._plan.server.start)
        # What waited for the database in files of a runner is lost to the others where that runner is killed
        # before it could write it: that is not promised.
        await asyncio.sleep(CATCH_UP_S)
        return True

    async def _reload(self, _: aiohttp.ClientSession) -> bool:
        """There is a new configuration."""
        number = self._one()
        if number is None or (runner := self._runners[number]) is None:
            return False
        self._write(self._random.randrange(1, 1000))
        runner[0].tell(signal.SIGHUP)
        return True

    # The end

    async def _settle(self) -> None:
        """Nothing more goes wrong: every call is served to its end."""
        with suppress(TimeoutError):
            await self._api.until(lambda: all(call.is_over for call in self._calls), SETTLE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(JOB_LEASE_S * 6):
                while any(not self._backend.delivered[call.id] for call in self._calls):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        for runner in self._runners:
            if runner is not None:
                runner[0].tell(signal.SIGCONT)
                runner[0].tell(signal.SIGTERM)
        for runner in self._runners:
            if runner is not None:
                # A call that nobody serves to its end keeps its runner for as long as it may drain.
                with suppress(TimeoutError):
                    await runner[0].ended()

    async def _stored(self) -> dict[str, StoredCall | None]:
        store = await open_store(self._plan.store)
        try:
            return {call.id: await store.read(call.id) for call in self._calls}
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
