"""`phone-agents run` as a real process, with a directory of its own and a stand-in for its API."""

import asyncio
import re
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp

from runner.call.examples.example_call import sip_headers
from runner.model.event import CallEvent
from runner.standin.faults import FINE, Faults
from runner.standin.placed_call import PlacedCall
from runner.standin.script import ScriptStep
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from runner.store.journal.journal import opened
from runner.store.journal.seal import Seal
from runner.store.journal.sealed import SealedEntries
from runner.store.opening import open_store
from runner.store.sqlite import journal_log
from tests.patience import PATIENCE_S
from tests.processes import CLOCK

SECRET = new_secret()
KEYS = {"OPENAI_API_KEY": "sk-simulated", "OPENAI_WEBHOOK_SECRET": SECRET}
AGENT = """\
agent: front-desk
description: Answers the main line.
routes:
  - to: "+18005551212"
  - {to: {prefix: "+1800"}, from: {country: [US, CA]}, priority: 2}
model: gpt-realtime-2.1
voice: marin
instructions: Be kind.
greeting: Hello.
"""


class Process:
    """A running `phone-agents run`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.out = ""
        self.err = ""

    async def started(self, patience_s: float = PATIENCE_S) -> str:
        """Wait for the summary; where the process listens."""
        while "\nstore\n  " not in self.out:
            line = await self._line(self._process.stdout, patience_s)
            assert line, await self.ended()
            self.out += line
        found = re.search(r"http://\S+(?=/webhooks/openai)", self.out)
        assert found
        return found[0]

    @property
    def admin_url(self) -> str:
        """Where the admin API of a process is that has started."""
        found = re.search(r"http://\S+(?=/console/)", self.out)
        assert found, self.out
        return found[0]

    async def logged(self, text: str) -> None:
        """Wait until a line of the log holds this text."""
        while text not in self.err:
            line = await self._line(self._process.stderr)
            assert line, self.err
            self.err += line

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> tuple[int, str, str]:
        """Wait for the end: exit code, stdout, stderr."""
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self._process.communicate()
        self.out += (out or b"").decode()
        self.err += (err or b"").decode()
        assert self._process.returncode is not None
        return self._process.returncode, self.out, self.err

    async def _line(self, stream: asyncio.StreamReader | None, patience_s: float = PATIENCE_S) -> str:
        assert stream
        async with asyncio.timeout(patience_s):
            return (await stream.readline()).decode()


class Desk:
    """A directory with one agent, the stand-in that it is configured for, and processes that serve it."""

    def __init__(self, api: StandIn, directory: Path) -> None:
        self.api = api
        self.directory = directory
        self.agents = directory / "agents"
        self.environ = dict(KEYS)
        """What processes find in their environment, unless something else is said."""
        self.program: tuple[str, ...] = (sys.executable, "-m", "runner")
        self.url = ""
        """Of a store that is not the file beside the agents."""
        self.agents.mkdir()
        (self.agents / "front-desk.yaml").write_text(AGENT)
        self.settings()

    def settings(self, *more: str, store: str = "sqlite:calls.db") -> None:
        lines = [f"provider: {{base_url: {self.api.base_url}}}", f"store: {store}", *more]
        (self.agents / "runner.yaml").write_text("\n".join(lines) + "\n")

    @asynccontextmanager
    async def run(
        self,
        *arguments: str,
        environ: dict[str, str] | None = None,
        descriptors: tuple[int, int] | None = None,
    ) -> AsyncIterator[Process]:
        """`descriptors`: the soft and the hard limit under which it is started."""
        command = (*self.program, "run", *(arguments or ("--port", "0")))
        if descriptors is not None:
            limits = f"ulimit -Sn {descriptors[0]} && ulimit -Hn {descriptors[1]}"
            command = ("sh", "-c", f'{limits} && exec "$@"', "sh", *command)
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.directory,
            env={**CLOCK, **(self.environ if environ is None else environ)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield Process(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    async def outcome(self, *arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
        """How a process ends that never starts to serve."""
        async with self.run(*arguments, environ=environ) as process:
            return await process.ended()

    async def ring(self, url: str, *script: ScriptStep, faults: Faults = FINE) -> tuple[PlacedCall, int]:
        call = self.api.place_call(*script, faults=faults)
        return call, await self.announce(url, call)

    async def announce(self, url: str, call: PlacedCall) -> int:
        """Send the webhook of a call that rings, for the first time or once more: what it is answered."""
        headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call.id)
        webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=time.time())
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/webhooks/openai", data=webhook.body, headers=webhook.headers) as response,
        ):
            return response.status

    async def journalled(self, call_id: str, kind: type[CallEvent]) -> None:
        """Wait until the journal of this call has such an event."""
        seal = Seal(lambda: [SECRET])
        async with asyncio.timeout(PATIENCE_S):
            while True:
                journals = await self._journals(call_id)
                entries = opened(journals[call_id], seal)[1] if journals else []
                if any(isinstance(entry.event, kind) for entry in entries):
                    return
                await asyncio.sleep(0.01)

    async def _journals(self, call_id: str) -> dict[str, list[SealedEntries]]:
        if not self.url:
            with closing(sqlite3.connect(self.directory / "calls.db")) as connection:
                return journal_log.read(connection, [call_id])
        store = await open_store(self.url)
        try:
            return await store.journals([call_id])
        finally:
            await store.close()

    def ends(self) -> dict[str, str]:
        connection = sqlite3.connect(self.directory / "calls.db")
        try:
            return dict(connection.execute("SELECT id, ended FROM calls").fetchall())
        finally:
            connection.close()
