"""A process that is killed after a call leaves its jobs to the next, which asks and delivers under one id."""

import asyncio
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from runner.call.afterwards.capacity import MOST_PER_RECEIVER
from runner.call.examples.example_call import sip_headers
from runner.config.load import load
from runner.serve.runner import Runner
from runner.serve.secrets import find_secrets
from runner.serve.timeouts import Timeouts
from runner.standin.faults import HttpFault
from runner.standin.script import CallerHangsUp, CallerSays, greets
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from tests.patience import PATIENCE_S

SECRET, SIGN = new_secret(), new_secret()
KEYS = {"OPENAI_API_KEY": "sk-simulated", "OPENAI_WEBHOOK_SECRET": SECRET, "SIGN": SIGN}
AGENT = """\
agent: front-desk
routes: [{{to: "+18005551212"}}]
model: gpt-realtime-2.1
session: {{audio: {{input: {{transcription: {{model: gpt-4o-transcribe}}}}}}}}
instructions: Be kind.
greeting: Hello.
outcome:
  model: gpt-5-mini
  schema: {{type: object, properties: {{booked: {{type: boolean}}}}, required: [booked]}}
on_end:
  - {{http: {{url: "{url}"}}, sign: "{{{{ secrets.SIGN }}}}"}}
record: {{redact: [email]}}
"""
SETTINGS = """\
provider: {{base_url: "{api}"}}
server: {{port: 0}}
store: sqlite:calls.db
secrets: {{SIGN: {{env: SIGN}}}}
egress: {{private_networks: allow}}
"""


PATIENT = """\
import sys
from runner.cli.main import main
from runner.serve.timeouts import Timeouts
Timeouts.__init__.__kwdefaults__.update(after_call_s=1000.0, poll_s=1000.0)
sys.exit(main())
"""
"""A program as it is, except that its wait for jobs at its end, and between two looks for some, is far longer
than a test may take."""


class Receiver:
    """Takes deliveries while it is `open`; before that it lets them wait for an answer."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.came = asyncio.Event()
        self.open = asyncio.Event()

    async def until(self, count: int) -> None:
        while len(self.got) < count:
            self.came.clear()
            await self.came.wait()

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append(({**request.headers}, await request.json()))
        self.came.set()
        await self.open.wait()
        return web.Response()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/", self.answer)
        server = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", 0).start()
        host, port = server.addresses[0][:2]
        try:
            yield f"http://{host}:{port}/"
        finally:
            self.open.set()
            await server.cleanup()


@asynccontextmanager
async def running(
    program: tuple[str, ...] = ("-m", "runner"),
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A real process, and where its webhooks arrive."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *program, "run", "agents"),
        env={**os.environ, **KEYS},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := re.search(rb"http://\S+/webhooks/openai", await process.stdout.readline())):
                pass
        yield process, found[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def one_call(api: StandIn, url: str) -> None:
    call = api.place_call(greets(), CallerSays(text="I am ada@mail.example."), CallerHangsUp())
    headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call.id)
    webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=time.time())
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=webhook.body, headers=webhook.headers) as response,
    ):
        assert response.status == 200
    await api.until_over(call)


async def draining(url: str) -> None:
    """Wait until the process has begun to end."""
    ready = url.replace("/webhooks/openai", "/readyz")
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(ready) as response:
                if response.status == 503:
                    return


def write_configuration(folder: Path, api: StandIn, url: str) -> None:
    (folder / "agents").mkdir(exist_ok=True)
    (folder / "agents" / "front-desk.yaml").write_text(AGENT.format(url=url))
    (folder / "agents" / "runner.yaml").write_text(SETTINGS.format(api=api.base_url))


@asynccontextmanager
async def next_process(later_s: float) -> AsyncIterator[Runner]:
    """The next process, so much later."""
    loaded = load(Path("agents"))
    assert loaded.configuration is not None, loaded.problems
    secrets = find_secrets(loaded.configuration.settings, KEYS)
    timeouts = Timeouts(after_call_s=PATIENCE_S)
    runner = Runner(loaded.configuration, secrets, timeouts=timeouts, clock=lambda: time.time() + later_s)
    try:
        await runner.start()
        yield runner
    finally:
        await runner.close()


async def restarted_later(later_s: float) -> None:
    """The next process, when the time of what the first had under way is over; until nothing is due."""
    async with next_process(later_s) as runner:
        await runner.drain(asyncio.Event())


def open_jobs() -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect("calls.db")) as connection:
        return connection.execute("SELECT kind, state FROM jobs ORDER BY kind").fetchall()


async def test_a_delivery_under_way_when_the_process_is_killed_is_made_once_more_under_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    receiver = Receiver()
    async with StandIn() as api, receiver.served() as url:
        write_configuration(tmp_path, api, url)
        async with running(("-c", PATIENT)) as (process, webhooks):
            await one_call(api, webhooks)
            # The end of the call wakes the worker.
            async with asyncio.timeout(PATIENCE_S):
                await receiver.came.wait()
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert open_jobs() == [("delivery", "open")]
        receiver.open.set()
        await restarted_later(200)
    (first, record), (second, again) = receiver.got
    assert first["webhook-id"] == second["webhook-id"]
    assert record == again
    assert record["outcome"] == {"booked": True}
    assert "I am [email]." in [turn["text"] for turn in record["turns"]]
    assert len(api.text_model.questions) == 1, "what was answered is not asked again"
    assert open_jobs() == []


async def test_a_question_that_was_not_answered_is_asked_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration has lost the agent meanwhile: what is needed was written down when the call ended."""
    monkeypatch.chdir(tmp_path)
    receiver = Receiver()
    receiver.open.set()
    async with StandIn() as api, receiver.served() as url:
        api.text_faults.append(HttpFault(status=500, after_s=0.0))
        write_configuration(tmp_path, api, url)
        async with running() as (process, webhooks):
            await one_call(api, webhooks)
            await api.until(lambda: not api.text_faults)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert open_jobs() == [("delivery", "open"), ("outcome", "open")]
        assert receiver.got == []
        (tmp_path / "agents" / "front-desk.yaml").write_text(
            "agent: other\nmodel: gpt-realtime-2.1\ninstructions: Be kind.\n"
        )
        await restarted_later(200)
    [(_, record)] = receiver.got
    assert (record["agent"], record["outcome"]) == ("front-desk", {"booked": True})
    assert open_jobs() == []


async def test_receivers_that_hang_do_not_delay_one_that_is_well_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At first nobody answers, and the process is killed. Then one of three receivers is well again."""
    monkeypatch.chdir(tmp_path)
    well, first, second = Receiver(), Receiver(), Receiver()
    share = MOST_PER_RECEIVER
    async with StandIn() as api, well.served() as url, first.served() as a, second.served() as b:
        write_configuration(tmp_path, api, url)
        agent = tmp_path / "agents" / "front-desk.yaml"
        # Whoever waited for one of these would wait for longer than this test.
        hanging = "".join(
            f'  - {{http: {{url: "{each}", timeout: 100s}}}}\n' for each in [a, b] * (share + 2)
        )
        agent.write_text(agent.read_text().replace("on_end:\n", f"on_end:\n{hanging}"))
        async with running() as (process, webhooks):
            await one_call(api, webhooks)
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(each.until(share) for each in (first, second)), well.until(1))
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert len(open_jobs()) == 2 * (share + 2) + 1
        well.open.set()
        async with next_process(200):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(each.until(share * 2) for each in (first, second)), well.until(2))
        assert len(first.got) == len(second.got) == share * 2
    assert len({headers["webhook-id"] for headers, _ in well.got}) == 1
    assert len(open_jobs()) == 2 * (share + 2)


async def test_an_orderly_end_delivers_what_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    receiver = Receiver()
    receiver.open.set()
    async with StandIn() as api, receiver.served() as url:
        write_configuration(tmp_path, api, url)
        async with running(("-c", PATIENT)) as (process, webhooks):
            await one_call(api, webhooks)
            process.terminate()
            async with asyncio.timeout(PATIENCE_S):
                assert await process.wait() == 0
    assert [record["ended"] for _, record in receiver.got] == ["caller_hung_up"]
    assert open_jobs() == []


async def test_a_hurried_end_leaves_it_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    receiver = Receiver()
    async with StandIn() as api, receiver.served() as url:
        write_configuration(tmp_path, api, url)
        async with running(("-c", PATIENT)) as (process, webhooks):
            await one_call(api, webhooks)
            # The end of the call wakes the worker.
            async with asyncio.timeout(PATIENCE_S):
                await receiver.came.wait()
            process.terminate()
            await draining(webhooks)
            process.terminate()
            async with asyncio.timeout(PATIENCE_S):
                assert await process.wait() == 0
        assert open_jobs() == [("delivery", "open")]
        receiver.open.set()
        await restarted_later(0)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert open_jobs() == []


async def test_a_process_whose_store_is_locked_ends_soon_and_the_next_saves_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    receiver = Receiver()
    receiver.open.set()
    async with StandIn() as api, receiver.served() as url:
        write_configuration(tmp_path, api, url)
        async with running() as (process, webhooks):
            with closing(sqlite3.connect("calls.db", isolation_level=None)) as lock:
                # Whoever looks into the file with a transaction that is never ended.
                lock.execute("BEGIN IMMEDIATE")
                await asyncio.gather(*(one_call(api, webhooks) for _ in range(20)))
                process.terminate()
                async with asyncio.timeout(PATIENCE_S):
                    assert await process.wait() == 0
        assert open_jobs() == []
        assert len(Path("calls.db.unsaved").read_text().splitlines()) == 20
        await restarted_later(0)
    with closing(sqlite3.connect("calls.db")) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (20,)
    assert len(receiver.got) == 20
    assert not list(tmp_path.glob("calls.db.*"))
