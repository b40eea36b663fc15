"""A runner with an admin listener, the stand-in beside it, and somebody who asks."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from runner.call.examples.example_call import sip_headers
from runner.model.agent import Agent, Say
from runner.model.route import RoutingSettings, ToAgent
from runner.model.settings import (
    Admin,
    AdminToken,
    Configuration,
    Egress,
    May,
    Provider,
    SecretRef,
    Server,
    Settings,
)
from runner.model.values import Json
from runner.serve.admin.record_requests import ScenarioOf
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.serve.timeouts import Timeouts
from runner.standin.faults import FINE, Faults
from runner.standin.placed_call import PlacedCall
from runner.standin.script import ScriptStep
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from tests.call.machine.playing import an_agent, words
from tests.clock import clock
from tests.patience import PATIENCE_S
from tests.serve.admin.fits import event_fits

SECRET = new_secret()
TIMEOUTS = Timeouts(
    decision_s=PATIENCE_S,
    retry_s=0.001,
    end_s=5.0,
    attach_delays_s=(0.0, 0.01, 0.01),
    shutdown_s=0.05,
)
CLINIC = "+18005551212"
LEAD = "lead-token-0123456789-0123456789-0123456789"
PAGER = "pager-token-0123456789-0123456789-012345678"
TOKENS = {"lead": LEAD, "pager": PAGER}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the admin API has answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    data: Any
    id: str


class EventStream:
    """A stream that is read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.seen: list[Event] = []

    async def next(self, name: str | None = None) -> Event:
        """The next event, or the next of this name."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self._next()
                assert event is not None, f"the stream ended; {[each.name for each in self.seen]}"
                if name in {None, event.name}:
                    return event

    async def to_the_end(self) -> list[Event]:
        """The rest of it."""
        rest = []
        async with asyncio.timeout(PATIENCE_S):
            while (event := await self._next()) is not None:
                rest.append(event)
        return rest

    async def _next(self) -> Event | None:
        fields: dict[str, str] = {}
        async for line in self.response.content:
            text = line.decode().rstrip("\r\n")
            if text.startswith(":"):
                continue
            if text:
                name, _, value = text.partition(": ")
                fields[name] = value
            elif fields:
                event = Event(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
                event_fits(event.name, event.data)
                self.seen.append(event)
                return event
        return None


class AdminClient:
    """Somebody who asks one admin listener."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = LEAD,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method, self.url + path, headers=sent, data=data, allow_redirects=False
        ) as response:
            return Reply(response.status, dict(response.headers), await response.text())

    async def get(self, path: str, **more: Any) -> Any:
        """What a GET answers that succeeds."""
        reply = await self.ask("GET", path, **more)
        assert reply.status == 200, reply.text
        return reply.json

    @asynccontextmanager
    async def follow(
        self, path: str = "/admin/events", *, token: str = LEAD, last_id: str | None = None
    ) -> AsyncIterator[EventStream]:
        headers = {"Authorization": f"Bearer {token}"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE_S)
        async with self.session.get(self.url + path, headers=headers, timeout=timeout) as response:
            assert response.status == 200, await response.text()
            yield EventStream(response)


class AdminLab(AdminClient):
    """A runner and its stand-in, and somebody who asks it."""

    def __init__(self, api: StandIn, runner: Runner, session: aiohttp.ClientSession) -> None:
        assert runner.admin_url is not None
        super().__init__(session, runner.admin_url)
        self.api = api
        self.runner = runner

    async def ring(self, *script: ScriptStep, faults: Faults = FINE) -> PlacedCall:
        """A call that is answered."""
        call = self.api.place_call(*script, faults=faults)
        headers = sip_headers(caller="+14155550100", called=CLINIC, call_id=call.id)
        webhook = call_incoming(call_id=call.id, headers=headers, secret=SECRET, now=clock())
        url = self.runner.url + "/webhooks/openai"
        async with self.session.post(url, data=webhook.body, headers=webhook.headers) as response:
            assert response.status == 200
        return call


def configured(api: StandIn, store: str, agent: Agent, *others: Agent, **admin: Any) -> Configuration:
    tokens = {
        "lead": AdminToken(ref=SecretRef(env="LEAD")),
        "pager": AdminToken(ref=SecretRef(env="PAGER"), may=May.WATCH),
    }
    settings = Settings(
        provider=Provider(base_url=api.base_url),
        server=Server(port=0, admin=Admin(**{"port": 0, "tokens": tokens, **admin})),
        store=store,
        egress=Egress(private_networks=True),
        routing=RoutingSettings(otherwise=ToAgent(agent=agent.id)),
    )
    agents = {each.id: each for each in (agent, *others)}
    return Configuration(directory="agents", settings=settings, agents=agents)


@asynccontextmanager
async def started(
    directory: Path,
    agent: Agent | None = None,
    *others: Agent,
    is_dev: bool = False,
    scenario_of: ScenarioOf | None = None,
    tokens: Mapping[str, str] = TOKENS,
    store: str | None = None,
    api: StandIn | None = None,
    **admin: Any,
) -> AsyncIterator[AdminLab]:
    async with AsyncExitStack() as stack:
        stand_in: StandIn = api if api is not None else await stack.enter_async_context(StandIn())
        configuration = configured(
            stand_in, store or f"sqlite:{directory / 'calls.db'}", agent or desk(), *others, **admin
        )
        secrets = FoundSecrets.fixed(
            api_key=stand_in.api_key, webhook_secrets=[SECRET], tools={}, admin_tokens=tokens
        )
        runner = Runner(
            configuration, secrets, timeouts=TIMEOUTS, clock=clock, is_dev=is_dev, scenario_of=scenario_of
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        stack.push_async_callback(runner.close)
        await runner.start()
        yield AdminLab(stand_in, runner, session)


def desk(**fields: Any) -> Agent:
    """The agent that answers every call, whose caller is transcribed."""
    heard = {"audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}
    given = {"greeting": Say(text=words("Hello.")), "session": heard, **fields}
    return an_agent("front-desk", transcription_model="gpt-4o-mini-transcribe", **given)
