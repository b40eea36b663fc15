"""From YAML to the wire: the lookup, an operation of an OpenAPI document and the delivery share a token."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from runner.call.examples.example_call import sip_headers
from runner.config.load import load
from runner.serve.app import webhook_url
from runner.serve.runner import Runner
from runner.serve.secrets import FileSecret, FoundSecrets, Secrets, fixed_secret
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, calls, greets, says
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from tests.clock import clock
from tests.patience import PATIENCE_S

SECRET = new_secret()
AGENT = """\
agent: desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: "The caller is {{ lookup.name }}."
greeting: Hello.
lookup:
  http: {method: GET, url: "%(base)s/caller", auth: &auth {oauth2: &grant {
    token_url: "%(base)s/token", client_id: desk, client_secret: "{{ secrets.CLIENT }}", scopes: [orders]}}}
  timeout: 5s
tools:
  - openapi: {document: _api.json, operations: [addOrder], auth: {oauth2: *grant}}
on_end:
  - http: {url: "%(base)s/calls", auth: *auth}
"""
RUNNER = """\
provider: {base_url: "%(api)s"}
server: {port: 0}
store: "sqlite:%(store)s"
secrets: {CLIENT: {env: CLIENT}}
egress: {allow: ["127.0.0.1"]}
"""
DOCUMENT = {
    "openapi": "3.0.3",
    "paths": {
        "/orders": {
            "post": {
                "operationId": "addOrder",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"properties": {"kettles": {"type": "integer"}}}}
                    },
                },
            }
        }
    },
}


class Endpoint:
    """The user's server: gives tokens that are named after the secret they were asked with."""

    def __init__(self) -> None:
        self.base = ""
        self.asked: list[tuple[str, str]] = []
        self.delivered = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/token":
            secret = aiohttp.BasicAuth.decode(request.headers["Authorization"]).password
            self.asked.append(("/token", secret))
            return web.json_response({"access_token": f"for-{secret}", "expires_in": 3600})
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        body = await request.json() if request.method == "POST" else None
        if request.path == "/calls":
            self.delivered.set()
        return web.json_response({"name": "Ada", "given": body} if request.path != "/calls" else {})


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    found = Endpoint()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    found.base = f"http://{host}:{port}"
    try:
        yield found
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(api: StandIn, users: Endpoint, folder: Path) -> AsyncIterator[tuple[Runner, Path, "Clock"]]:
    """A runner of these files, the file with the client's secret, and the clock that it goes by."""
    agents, secret = folder / "agents", folder / "secret"
    agents.mkdir()
    names = {"base": users.base, "api": api.base_url, "store": folder / "calls.db"}
    (agents / "desk.yaml").write_text(AGENT % names)
    (agents / "runner.yaml").write_text(RUNNER % names)
    (agents / "_api.json").write_text(json.dumps({**DOCUMENT, "servers": [{"url": users.base}]}))
    secret.write_text("first")
    loaded = load(agents)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.configuration is not None
    found = FoundSecrets(
        api_key=fixed_secret(api.api_key),
        webhook_secrets=lambda: (SECRET,),
        tools=Secrets({"CLIENT": FileSecret(str(secret))}),
    )
    clock = Clock()
    runner = Runner(loaded.configuration, found, clock=clock)
    try:
        await runner.start()
        yield runner, secret, clock
    finally:
        await runner.close()


class Clock:
    """The time of day, so many seconds ahead."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return clock() + self.ahead_s


async def played(api: StandIn, users: Endpoint, runner: Runner, clock: Clock) -> PlacedCall:
    """A call in which the model places an order, and whose record is delivered."""
    order = calls("addOrder", {"kettles": 2})
    call = api.place_call(greets(), CallerSays(text="Two, please."), order, says("Done."), CallerHangsUp())
    headers = sip_headers(caller="+14155550100", called="+18005551212", call_id=call.id)
    webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=clock())
    async with (
        aiohttp.ClientSession() as session,
        session.post(webhook_url(runner.url), data=webhook.body, headers=webhook.headers) as response,
    ):
        assert response.status == 200
    await api.until_over(call)
    assert call.violations == []
    await asyncio.wait_for(users.delivered.wait(), PATIENCE_S)
    users.delivered.clear()
    return call


async def test_whatever_is_sent_for_an_agent_is_sent_with_a_token_of_its_grant(tmp_path: Path) -> None:
    async with (
        StandIn() as api,
        endpoint() as users,
        running(api, users, tmp_path) as (runner, secret, clock),
    ):
        call = await played(api, users, runner, clock)
        assert users.asked == [
            ("/token", "first"),
            ("/caller", "Bearer for-first"),
            ("/orders", "Bearer for-first"),
            ("/calls", "Bearer for-first"),
        ]
        (output,) = call.outputs().values()
        assert json.loads(output)["given"] == {"kettles": 2}

        users.asked.clear()
        secret.write_text("second")
        await played(api, users, runner, clock)
        assert users.asked[:2] == [("/token", "second"), ("/caller", "Bearer for-second")]

        users.asked.clear()
        clock.ahead_s = 4000.0
        await played(api, users, runner, clock)
        assert users.asked[:2] == [("/token", "second"), ("/caller", "Bearer for-second")]
