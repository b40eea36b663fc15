"""The whole serving side against the stand-in: webhooks in, calls answered and recorded, an orderly end."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from runner.call.examples.example_call import sip_headers
from runner.call.templates.template import compile_template
from runner.errors import CannotRunError
from runner.model.agent import Agent, Say
from runner.model.route import Conditions, ExactNumber, Route
from runner.model.settings import Configuration, Provider, SecretRef, Server, Settings
from runner.model.values import Place
from runner.serve.live_calls import LiveCalls
from runner.serve.runner import Runner
from runner.serve.secrets import FileSecret, FoundSecrets, Secrets
from runner.serve.timeouts import Timeouts
from runner.serve.versions import ReloadError
from runner.standin.faults import FINE, Faults, HttpFault
from runner.standin.placed_call import PlacedCall, State
from runner.standin.script import CallerHangsUp, ScriptStep, greets
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from tests.clock import clock
from tests.patience import PATIENCE_S

SECRET = new_secret()
TIMEOUTS = Timeouts(decision_s=4.0, retry_s=0.001, end_s=5.0, attach_delays_s=(0.0, 0.01, 0.01))
CLINIC = "+18005551212"
PLACE = Place("front-desk.yaml", 3, 5)


class Lab:
    """A stand-in for the API, a runner beside it, and somebody who posts webhooks."""

    def __init__(self, api: StandIn, runner: Runner, session: aiohttp.ClientSession, store: Path) -> None:
        self.api = api
        self.runner = runner
        self._session = session
        self.store = store

    async def ring(self, *script: ScriptStep, faults: Faults = FINE) -> tuple[PlacedCall, int]:
        call = self.api.place_call(*script, faults=faults)
        return call, await self.announce(call)

    async def announce(self, call: PlacedCall) -> int:
        headers = sip_headers(caller="+14155550100", called=CLINIC, call_id=call.id)
        webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=clock())
        url = self.runner.url + "/webhooks/openai"
        async with self._session.post(url, data=webhook.body, headers=webhook.headers) as response:
            return response.status

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(self.runner.url + path) as response:
            return response.status, await response.text()

    def records(self) -> dict[str, dict[str, Any]]:
        with sqlite3.connect(self.store) as connection:
            rows = connection.execute("SELECT id, record FROM calls").fetchall()
        connection.close()
        return {call_id: json.loads(record) for call_id, record in rows}


def configured(api: StandIn, store: str, **server: Any) -> Configuration:
    agent = Agent(
        id="front-desk",
        model="gpt-realtime-2.1",
        instructions=compile_template("Be kind."),
        greeting=Say(text=compile_template("Hello.")),
        routes=(Route(agent="front-desk", conditions=Conditions(called=ExactNumber(CLINIC)), place=PLACE),),
        place=PLACE,
    )
    settings = Settings(
        provider=Provider(base_url=api.base_url), server=Server(**{"port": 0, **server}), store=store
    )
    return Configuration(directory="agents", settings=settings, agents={"front-desk": agent})


def found(api: StandIn, *webhook_secrets: str) -> FoundSecrets:
    return FoundSecrets.fixed(api_key=api.api_key, webhook_secrets=webhook_secrets or (SECRET,), tools={})


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    async with StandIn() as stand_in:
        yield stand_in


@asynccontextmanager
async def started(
    api: StandIn,
    directory: Path,
    *,
    secrets: FoundSecrets | None = None,
    timeouts: Timeouts = TIMEOUTS,
    **server: Any,
) -> AsyncIterator[Lab]:
    store = directory / "calls.db"
    configuration = configured(api, f"sqlite:{store}", **server)
    runner = Runner(configuration, secrets or found(api), timeouts=timeouts, clock=clock)
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        stack.push_async_callback(runner.close)
        await runner.start()
        yield Lab(api, runner, session, store)


@pytest.fixture
async def lab(api: StandIn, tmp_path: Path) -> AsyncIterator[Lab]:
    async with started(api, tmp_path) as lab:
        yield lab


async def test_an_account_without_credit_is_counted_from_zero_on(lab: Lab) -> None:
    _, text = await lab.get("/metrics")
    assert 'phone_agents_api_errors_total{code="insufficient_quota"} 0.0' in text


async def test_a_call_is_answered_served_and_recorded(lab: Lab) -> None:
    call, status = await lab.ring(greets(), CallerHangsUp())
    assert status == 200
    await lab.api.until_over(call)
    await lab.runner.drain(asyncio.Event())
    assert call.violations == []
    record = lab.records()[call.id]
    assert (record["agent"], record["ended"]) == ("front-desk", "caller_hung_up")
    assert record["why"] == "the route at front-desk.yaml:3:5 matches: to is +18005551212"


async def test_the_key_is_sent_in_the_header_that_is_declared(api: StandIn, tmp_path: Path) -> None:
    heard: list[tuple[str, str | None, str | None]] = []

    async def reject(request: web.Request) -> web.Response:
        key, bearer = (request.headers.get(name) for name in ("api-key", "Authorization"))
        heard.append((request.path, key, bearer))
        return web.Response(status=400)

    app = web.Application()
    app.router.add_post("/{path:.*}", reject)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        configuration = configured(api, f"sqlite:{tmp_path / 'calls.db'}")
        provider = Provider(base_url=str(server.make_url("/v1")), key_header="api-key")
        configuration = replace(configuration, settings=replace(configuration.settings, provider=provider))
        runner = Runner(configuration, found(api), timeouts=TIMEOUTS, clock=clock)
        try:
            await runner.start()
            await Lab(api, runner, session, tmp_path).ring()
        finally:
            await runner.close()
    path = f"/v1/realtime/calls/{next(iter(api.calls))}"
    assert heard == [(f"{path}/accept", api.api_key, None), (f"{path}/reject", api.api_key, None)]


async def test_it_is_ready_until_it_drains_and_alive_until_it_is_closed(lab: Lab) -> None:
    status, text = await lab.get("/readyz")
    assert (status, text) == (200, f"ready\nconfiguration {lab.runner.versions.current.source.hash}\n")
    # A reload that fails turns no caller away.
    with pytest.raises(ReloadError):
        await lab.runner.versions.reload()
    status, after = await lab.get("/readyz")
    assert (status, after.startswith(text.rstrip()), "failed: 1 error, in the log\n" in after) == (
        200,
        True,
        True,
    )
    await lab.runner.drain(asyncio.Event())
    assert await lab.get("/readyz") == (503, "not ready\ndraining\n")
    assert await lab.get("/healthz") == (200, "alive\n")
    await lab.runner.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        await lab.get("/healthz")


async def test_what_is_wrong_shows_beside_readiness_and_turns_no_caller_away(lab: Lab) -> None:
    with closing(sqlite3.connect(lab.store, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        call, status = await lab.ring(greets(), CallerHangsUp())
        await lab.api.until_over(call)
        assert status == 200
        told = "\nthe store fails: database is locked; records that wait: 1\n"
        async with asyncio.timeout(PATIENCE_S):
            while told not in (await lab.get("/readyz"))[1]:  # noqa: ASYNC110 - HTTP tells nobody
                await asyncio.sleep(0.05)


async def test_a_drain_that_fails_is_told(
    lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: LiveCalls) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(LiveCalls, "idle", fail)
    await lab.runner.drain(asyncio.Event())
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == [
        "task failed during shutdown"
    ]


async def test_a_drain_waits_for_live_calls_and_takes_no_new_ones(lab: Lab) -> None:
    live, _ = await lab.ring(greets())
    await lab.api.until(lambda: live.attached)
    drain = asyncio.create_task(lab.runner.drain(asyncio.Event()))
    refused, status = await lab.ring(greets())
    assert (status, refused.requests) == (503, [])
    assert await lab.announce(live) == 200, "what was answered before is still known"
    assert not drain.done()
    live.play(CallerHangsUp())
    lab.api.wake(live)
    await drain
    assert {call_id: record["ended"] for call_id, record in lab.records().items()} == {
        live.id: "caller_hung_up"
    }


async def test_many_who_call_at_once_are_all_answered_at_once(tmp_path: Path) -> None:
    many, ringing, answered = 120, 0, asyncio.Event()

    async def accept(request: web.Request) -> web.Response:
        """Answers nobody before all of them ring."""
        nonlocal ringing
        if request.match_info["action"] == "accept":
            ringing += 1
            if ringing == many:
                answered.set()
            await answered.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/realtime/calls/{call_id}/{action}", accept)
    server = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0, backlog=many).start()
    api = StandIn()
    api.base_url = f"http://127.0.0.1:{server.addresses[0][1]}/v1"
    try:
        # Whatever answered one after the other would wait for ever.
        async with started(api, tmp_path, timeouts=replace(TIMEOUTS, decision_s=PATIENCE_S)) as lab:
            rung = await asyncio.gather(*(lab.ring() for _ in range(many)))
            assert {status for _, status in rung} == {200}
            # A server that is closed while a sideband dials it would leave the connection behind.
            await lab.runner.drain(asyncio.Event())
    finally:
        await server.cleanup()


async def test_a_hurried_drain_hangs_up_what_is_left(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    live, _ = await lab.ring(greets())
    await lab.api.until(lambda: live.attached)
    hurry = asyncio.Event()
    hurry.set()
    async with asyncio.timeout(PATIENCE_S):
        await lab.runner.drain(hurry)
    assert [request.action for request in live.requests] == ["accept", "hangup"]
    assert live.state is State.OVER
    assert lab.records()[live.id]["ended"] == "shutdown"
    # A busy machine may stall the loop, and its store be late, which are warnings as well.
    of_machine = {"runner.serve.loop_lag", "runner.serve.fleet.lease_keeper"}
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING and r.name not in of_machine]
    assert [r.message for r in warnings] == ["live calls are ended"]


async def test_a_drain_that_runs_out_of_time_hangs_up_what_is_left(api: StandIn, tmp_path: Path) -> None:
    async with started(api, tmp_path, drain_timeout_s=0.01) as lab:
        live, _ = await lab.ring(greets())
        await api.until(lambda: live.attached)
        await lab.runner.drain(asyncio.Event())
        assert live.state is State.OVER
        assert lab.records()[live.id]["ended"] == "shutdown"


async def test_a_call_that_is_being_accepted_when_the_drain_begins_is_ended_too(tmp_path: Path) -> None:
    asked = asyncio.Event()
    slow = Faults(accept=(HttpFault(status=200, after_s=0.05, carried_out=True),))
    hurry = asyncio.Event()
    hurry.set()
    async with StandIn(inspect_received=lambda *_: asked.set()) as api, started(api, tmp_path) as lab:
        ringing = asyncio.create_task(lab.ring(greets(), faults=slow))
        await asked.wait()
        await lab.runner.drain(hurry)
        call, status = await ringing
        assert status == 200
        assert [request.action for request in call.requests] == ["accept", "hangup"]
        assert lab.records()[call.id]["ended"] == "shutdown"


async def test_trouble_of_the_api_asks_for_another_delivery_which_is_then_answered(lab: Lab) -> None:
    silent = Faults(accept=(HttpFault(after_s=PATIENCE_S),))
    call, status = await lab.ring(greets(), CallerHangsUp(), faults=silent)
    assert (status, call.state) == (503, State.RINGING)
    assert await lab.announce(call) == 200
    await lab.api.until_over(call)


async def test_nothing_is_taken_before_everything_is_there(api: StandIn) -> None:
    runner = Runner(configured(api, "sqlite:/nonexistent/calls.db"), found(api))
    with pytest.raises(CannotRunError, match=r'^store "sqlite:/nonexistent/calls.db" cannot be used: '):
        await runner.start()
    await runner.close()


async def test_a_port_that_is_taken_stops_it_with_one_sentence(lab: Lab, api: StandIn) -> None:
    port = int(lab.runner.url.rpartition(":")[2])
    second = Runner(configured(api, "sqlite::memory:", port=port), found(api))
    with pytest.raises(CannotRunError) as caught:
        await second.start()
    assert str(caught.value) == (
        f'port {port} of "127.0.0.1" is in use; choose another with --port or server.port'
    )
    await second.close()


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("no such host", 'host "no such host" cannot be resolved; write an address of this machine'),
        ("192.0.2.1", '"192.0.2.1" is not an address of this machine; write one in --host or server.host'),
    ],
)
async def test_a_host_that_is_not_ours_stops_it_with_one_sentence(
    api: StandIn, host: str, message: str
) -> None:
    runner = Runner(configured(api, "sqlite::memory:", host=host), found(api))
    with pytest.raises(CannotRunError) as caught:
        await runner.start()
    assert str(caught.value) == message
    await runner.close()


async def test_without_a_webhook_secret_there_is_no_start(api: StandIn) -> None:
    configuration = configured(api, "sqlite::memory:")
    provider = replace(configuration.settings.provider, webhook_secrets=())
    bare = replace(configuration, settings=replace(configuration.settings, provider=provider))
    with pytest.raises(CannotRunError) as caught:
        Runner(bare, FoundSecrets.fixed(api_key=api.api_key, webhook_secrets=(), tools={}))
    assert str(caught.value) == ("provider.webhook_secrets is empty, so no webhook can be verified")


async def test_a_webhook_secret_that_is_none_stops_it(api: StandIn) -> None:
    with pytest.raises(CannotRunError) as caught:
        Runner(configured(api, "sqlite::memory:"), found(api, "sk-proj-oops"))
    assert str(caught.value) == (
        f"{SecretRef(env='OPENAI_WEBHOOK_SECRET')} is not a webhook secret, "
        'which is "whsec_" and base64 of at least 16 bytes, as the API shows it'
    )


@pytest.mark.parametrize("key", ["sk-1\nsk-2", "sk-1 ", "sk-ü", "sk-\x00"])
async def test_a_key_that_no_header_can_hold_stops_it(api: StandIn, key: str) -> None:
    secrets = FoundSecrets.fixed(api_key=key, webhook_secrets=(SECRET,), tools={})
    with pytest.raises(CannotRunError) as caught:
        Runner(configured(api, "sqlite::memory:"), secrets)
    assert str(caught.value) == (
        "environment variable OPENAI_API_KEY is not an API key, which is printable ASCII without spaces"
    )


async def test_a_key_that_the_api_refuses_is_shown_and_the_call_is_answered_once_it_is_put_right(
    api: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-expired")
    secrets = FoundSecrets(
        api_key=FileSecret(str(key_file)), webhook_secrets=lambda: (SECRET,), tools=Secrets.fixed({})
    )
    detail = (
        "the voice API refuses our key (401); provider.api_key has to be a valid key of the project whose"
        " webhooks arrive here, with access to Realtime"
    )
    async with started(api, tmp_path, secrets=secrets) as lab:
        call, status = await lab.ring(greets(), CallerHangsUp())
        assert (status, call.state) == (503, State.RINGING)
        assert await lab.get("/readyz") == (503, f"not ready\n{detail}\n")
        assert "phone_agents_ready 0.0\n" in (await lab.get("/metrics"))[1]
        told = [(r.levelname, vars(r)["detail"]) for r in caplog.records if r.message == "api key refused"]
        assert told == [("ERROR", detail)]
        key_file.write_text(api.api_key)
        assert (await lab.get("/readyz"))[0] == 200
        assert await lab.announce(call) == 200
        await api.until_over(call)
        metrics = (await lab.get("/metrics"))[1]
    assert 'phone_agents_api_requests_total{order="answer",result="401"} 1.0\n' in metrics
    assert 'phone_agents_api_requests_total{order="answer",result="200"} 1.0\n' in metrics
    assert "phone_agents_ready 1.0\n" in metrics


async def test_an_address_of_ip_version_six_is_shown_as_in_a_url(api: StandIn) -> None:
    runner = Runner(configured(api, "sqlite::memory:", host="::1"), found(api))
    await runner.start()
    assert runner.url.startswith("http://[::1]:")
    await runner.close()
