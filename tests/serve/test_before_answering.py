"""What counts before a call is answered, on real servers: the lookup, whatever it does, and busy agents."""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from runner.call.examples.example_call import sip_headers
from runner.call.records.record_json import of_json
from runner.config.load import load
from runner.model.record import CallRecord
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.standin.placed_call import PlacedCall, State
from runner.standin.script import CallerHangsUp, ScriptStep, greets
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from tests.patience import PATIENCE_S

SECRET = new_secret()
CLINIC = "+18005551212"
NOON = 20_600 * 86400.0 + 43200
"""What the clock shows, so that no test runs over midnight."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Crm:
    """The endpoint of lookups: answers with `handler`, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.url = ""
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        """What a handler that is late waits for."""
        self.handler: Handler = self.answers(web.json_response, {"name": "Ada"})

    @staticmethod
    def answers(make: Callable[..., web.Response], *given: object, **fields: object) -> Handler:
        async def handler(_: web.Request) -> web.Response:
            return make(*given, **fields)

        return handler

    async def late(self, _: web.Request) -> web.Response:
        await self.release.wait()
        return web.json_response({"name": "Late"})

    async def breaks(self, request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.arrived.set()
        return await self.handler(request)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Crm"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        server = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*server.addresses[0][:2])
        try:
            yield self
        finally:
            self.release.set()
            await server.cleanup()


def a_clock() -> Callable[[], float]:
    """Noon, and from then on as time passes."""
    began = time.monotonic()
    return lambda: NOON + time.monotonic() - began


class Lab:
    """A directory of agents, the stand-in for the API, an endpoint, and a runner that serves them."""

    def __init__(self, api: StandIn, crm: Crm, session: aiohttp.ClientSession, folder: Path) -> None:
        self.api = api
        self.crm = crm
        self._session = session
        self._folder = folder
        self._runner: Runner | None = None

    def declare(self, agents: dict[str, str], *, egress: str = "{allow: [127.0.0.1]}") -> None:
        directory = self._folder / "agents"
        directory.mkdir(exist_ok=True)
        for name, text in agents.items():
            (directory / f"{name}.yaml").write_text(
                f"agent: {name}\nmodel: gpt-realtime-2.1\n{text}", encoding="utf-8"
            )
        (directory / "runner.yaml").write_text(
            f"provider: {{base_url: {self.api.base_url}}}\n"
            "server: {port: 0}\n"
            f"store: sqlite:{self._folder / 'calls.db'}\n"
            "secrets: {CRM: {env: CRM}}\n"
            f"egress: {egress}\n",
            encoding="utf-8",
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loaded = load(self._folder / "agents")
        assert loaded.configuration, [str(problem) for problem in loaded.problems]
        secrets = FoundSecrets.fixed(
            api_key=self.api.api_key, webhook_secrets=[SECRET], tools={"CRM": "s3cret"}
        )
        self._runner = Runner(loaded.configuration, secrets, clock=a_clock())
        try:
            await self._runner.start()
            yield
            await self._runner.drain(asyncio.Event())
        finally:
            await self._runner.close()

    async def ring(self, *script: ScriptStep) -> tuple[PlacedCall, int]:
        call = self.api.place_call(*script)
        return call, await self.announce(call)

    async def announce(self, call: PlacedCall) -> int:
        assert self._runner
        headers = sip_headers(caller="+14155550100", called=CLINIC, call_id=call.id)
        webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=NOON)
        url = self._runner.url + "/webhooks/openai"
        async with self._session.post(url, data=webhook.body, headers=webhook.headers) as response:
            return response.status

    async def metrics(self) -> str:
        assert self._runner
        async with self._session.get(self._runner.url + "/metrics") as response:
            return await response.text()

    async def hang_up(self, call: PlacedCall) -> None:
        call.play(CallerHangsUp())
        self.api.wake(call)
        await self.api.until_over(call)

    def record(self, call: PlacedCall) -> CallRecord:
        with closing(sqlite3.connect(self._folder / "calls.db")) as connection:
            (text,) = connection.execute("SELECT record FROM calls WHERE id = ?", (call.id,)).fetchone()
        return of_json(json.loads(text))


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(StandIn())
        crm = await stack.enter_async_context(Crm().serving())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Lab(api, crm, session, tmp_path)


def desk(
    lab: Lab,
    instructions: str = "The caller is {{ lookup.name or 'unknown' }}.",
    *,
    timeout: str = "10s",
    retries: str = "{attempts: 1}",
    default: str = "{name: null}",
) -> dict[str, str]:
    """One agent with a lookup."""
    return {
        "front-desk": (
            f"""\
routes: [{{to: "{CLINIC}"}}]
instructions: "{instructions}"
lookup:
  http:
    method: GET
    url: "{lab.crm.url}/callers/{{{{ call.from.number }}}}"
    auth: {{bearer: "{{{{ secrets.CRM }}}}"}}
    retries: {retries}
  timeout: {timeout}
  default: {default}
"""
        )
    }


async def answered(lab: Lab) -> tuple[PlacedCall, CallRecord]:
    """One call, from the ringing to its record."""
    async with lab.running():
        call, status = await lab.ring(greets(), CallerHangsUp())
        assert status == 200
        await lab.api.until_over(call)
    assert call.violations == []
    return call, lab.record(call)


async def test_the_answer_of_a_lookup_stands_in_the_instructions(lab: Lab) -> None:
    lab.declare(desk(lab))
    call, record = await answered(lab)
    assert call.accept_body is not None
    assert call.accept_body["instructions"] == "The caller is Ada."
    assert (record.faults, record.lookup_s is not None) == ((), True)
    (request,) = lab.crm.asked
    assert (request.method, request.path) == ("GET", "/callers/+14155550100")
    assert request.headers["Idempotency-Key"] == request.headers["X-Call-Id"] == call.id
    assert (request.headers["X-Agent"], request.headers["Authorization"]) == ("front-desk", "Bearer s3cret")


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (Crm.answers(web.Response, status=500), "the endpoint answered 500 Internal Server Error"),
        (Crm.answers(web.Response, text="<html>"), "the endpoint answered 200, but its reply is not JSON"),
        (Crm.answers(web.Response, body=b"\xff\x00"), "the endpoint answered 200, but its reply is not JSON"),
        (Crm.answers(web.Response, status=204), "the endpoint answered 204, but its reply is empty"),
        (
            Crm.answers(web.Response, status=302, headers={"Location": "/elsewhere"}),
            "the endpoint answered 302 Found, a redirect, which is not followed",
        ),
    ],
)
async def test_a_lookup_that_fails_gives_its_default_and_the_call_is_answered(
    lab: Lab, handler: Handler, reason: str
) -> None:
    lab.crm.handler = handler
    lab.declare(desk(lab))
    call, record = await answered(lab)
    assert call.accept_body is not None
    assert call.accept_body["instructions"] == "The caller is unknown."
    (fault,) = record.faults
    assert fault.startswith(f"the lookup gave its default: {reason}")
    assert len(lab.crm.asked) == 1


async def test_a_lookup_whose_connection_breaks_gives_its_default(lab: Lab) -> None:
    lab.crm.handler = lab.crm.breaks
    lab.declare(desk(lab))
    _, record = await answered(lab)
    assert record.faults == (
        "the lookup gave its default: the endpoint was reached, but no reply came back that can be read",
    )


async def test_a_lookup_that_is_late_keeps_the_caller_waiting_for_its_timeout_and_no_longer(lab: Lab) -> None:
    lab.crm.handler = lab.crm.late
    lab.declare(desk(lab, timeout="100ms", retries="{attempts: 5, on: [timeout]}"))
    async with lab.running():
        call, status = await lab.ring(greets(), CallerHangsUp())
        await lab.api.until_over(call)
        metrics = await lab.metrics()
    record = lab.record(call)
    assert (status, record.ended) == (200, "caller_hung_up")
    assert record.faults == ("the lookup gave its default: the endpoint did not answer in time",)
    assert record.lookup_s is not None
    assert record.lookup_s >= 0.1
    assert len(lab.crm.asked) == 1
    assert 'phone_agents_lookup_seconds_count{result="default"} 1.0' in metrics


async def test_a_lookup_may_not_reach_private_addresses(lab: Lab) -> None:
    lab.declare(desk(lab), egress="{private_networks: deny}")
    _, record = await answered(lab)
    assert record.faults == (
        "the lookup gave its default: the endpoint's address is one that tools may not reach",
    )
    assert lab.crm.asked == []


async def test_a_lookup_is_tried_again_as_declared(lab: Lab) -> None:
    statuses = iter([503, 200])

    async def handler(_: web.Request) -> web.Response:
        return web.json_response({"name": "Grace"}, status=next(statuses))

    lab.crm.handler = handler
    lab.declare(desk(lab, retries="{attempts: 3, backoff: 1ms, on: [503]}"))
    call, record = await answered(lab)
    assert call.accept_body is not None
    assert call.accept_body["instructions"] == "The caller is Grace."
    assert record.faults == ()
    first, second = lab.crm.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == call.id


async def test_an_attempt_that_could_only_begin_too_late_is_not_waited_for(lab: Lab) -> None:
    lab.crm.handler = Crm.answers(web.Response, status=503)
    lab.declare(desk(lab, timeout="5s", retries="{attempts: 3, backoff: 10s, on: [503]}"))
    _, record = await answered(lab)
    assert record.faults == ("the lookup gave its default: the endpoint answered 503 Service Unavailable",)
    assert record.lookup_s is not None
    assert record.lookup_s < 5
    assert len(lab.crm.asked) == 1


async def test_an_answer_that_the_instructions_cannot_use_gives_way_to_the_default(lab: Lab) -> None:
    lab.crm.handler = Crm.answers(web.json_response, {"visits": "many"})
    lab.declare(desk(lab, "This is visit {{ lookup.visits + 1 }}.", default="{visits: 0}"))
    call, record = await answered(lab)
    assert call.accept_body is not None
    assert call.accept_body["instructions"] == "This is visit 1."
    (fault,) = record.faults
    assert fault.startswith('the lookup gave its default: the template "This is visit')


async def test_a_call_is_rejected_when_not_even_the_default_makes_instructions(lab: Lab) -> None:
    lab.declare(desk(lab, "{{ lookup.visits + 1 }}"))
    async with lab.running():
        call, status = await lab.ring()
        assert status == 200
        assert [(rest.action, rest.body) for rest in call.requests] == [("reject", {"status_code": 480})]


async def test_a_webhook_that_comes_twice_at_once_is_looked_up_once(lab: Lab) -> None:
    lab.crm.handler = lab.crm.late
    lab.declare(desk(lab, timeout="60s"))
    async with lab.running():
        call = lab.api.place_call(greets(), CallerHangsUp())
        posts = [asyncio.create_task(lab.announce(call)) for _ in range(3)]
        await lab.crm.arrived.wait()
        assert not any(post.done() for post in posts)
        lab.crm.release.set()
        assert await asyncio.gather(*posts) == [200, 200, 200]
        await lab.api.until_over(call)
    assert len(lab.crm.asked) == 1
    assert [request.action for request in call.requests] == ["accept"]


# Busy


def limited(limits: str, busy: str) -> str:
    return f'routes: [{{to: "{CLINIC}"}}]\ninstructions: Desk.\nlimits: {limits}\nbusy: {busy}\n'


async def test_a_call_over_the_limit_is_rejected_until_another_has_ended(lab: Lab) -> None:
    lab.declare({"front-desk": limited("{concurrent_calls: 1}", "{reject: 480}")})
    async with lab.running():
        first, _ = await lab.ring(greets())
        second, status = await lab.ring(greets())
        assert status == 200
        assert [(rest.action, rest.body) for rest in second.requests] == [("reject", {"status_code": 480})]
        metrics = await lab.metrics()
        assert 'phone_agents_webhooks_total{result="busy"} 1.0' in metrics
        assert 'phone_agents_busy_total{agent="front-desk",limit="concurrent_calls"} 1.0' in metrics
        await lab.api.until(lambda: first.attached)
        await lab.hang_up(first)
        async with asyncio.timeout(PATIENCE_S):
            while "phone_agents_live_calls 0.0" not in await lab.metrics():
                pass
        third, _ = await lab.ring(greets(), CallerHangsUp())
        assert third.state is not State.RINGING
        assert third.requests[0].action == "accept"
        await lab.api.until_over(third)


async def test_calls_that_come_at_once_do_not_all_find_room(lab: Lab) -> None:
    lab.crm.handler = lab.crm.late
    agent = desk(lab, timeout="60s")["front-desk"]
    lab.declare({"front-desk": agent + "limits: {concurrent_calls: 1}\n"})
    async with lab.running():
        calls = [lab.api.place_call(greets(), CallerHangsUp()) for _ in range(4)]
        posts = [asyncio.create_task(lab.announce(call)) for call in calls]
        while sum(post.done() for post in posts) < 3:
            await asyncio.wait([post for post in posts if not post.done()], return_when="FIRST_COMPLETED")
        lab.crm.release.set()
        await asyncio.gather(*posts)
        decided = sorted(call.requests[0].action for call in calls)
        assert decided == ["accept", "reject", "reject", "reject"]
        await lab.api.until(
            lambda: all(each.is_over for each in calls if each.requests[0].action == "accept")
        )


async def test_a_call_over_the_limit_is_given_to_the_other_agent_and_the_record_says_so(lab: Lab) -> None:
    lab.declare(
        {
            "front-desk": limited("{concurrent_calls: 1}", "{agent: overflow}"),
            "overflow": "instructions: Overflow.\n",
        }
    )
    async with lab.running():
        first, _ = await lab.ring(greets())
        second, _ = await lab.ring(greets(), CallerHangsUp())
        await lab.api.until_over(second)
        await lab.api.until(lambda: first.attached)
        await lab.hang_up(first)
    assert second.accept_body is not None
    assert second.accept_body["instructions"] == "Overflow."
    record = lab.record(second)
    assert record.agent == "overflow"
    assert record.why.endswith('; "front-desk" is busy (1 call at once); the call is given to "overflow"')


async def test_the_calls_of_the_day_are_counted_across_a_restart(lab: Lab) -> None:
    lab.declare({"front-desk": limited("{calls_per_day: 2}", "{reject: 486}")})
    for _ in range(2):
        async with lab.running():
            call, _ = await lab.ring(greets(), CallerHangsUp())
            await lab.api.until_over(call)
    async with lab.running():
        refused, _ = await lab.ring(greets())
        assert [(rest.action, rest.body) for rest in refused.requests] == [("reject", {"status_code": 486})]
        assert 'phone_agents_busy_total{agent="front-desk",limit="calls_per_day"} 1.0' in await lab.metrics()
