"""A site whose pages call through a whole runner and the stand-in."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from runner.call.templates.template import compile_template
from runner.model.agent import Agent, Say
from runner.model.call import Transport
from runner.model.route import Conditions, Route
from runner.model.settings import Browser, Configuration, Provider, SecretRef, Server, Settings
from runner.model.values import Place
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.serve.timeouts import Timeouts
from runner.standin.server import AnswerOffer, StandIn
from runner.standin.webhook import new_secret
from tests.patience import PATIENCE_S
from tests.standin.openai_types import client_complaint, server_complaint

OFFER = (Path(__file__).parents[2] / "data" / "offers" / "chromium.sdp").read_text()
SITE = "https://www.maple.example"
SECRET = "a secret of the backend's that is long enough"
TIMEOUTS = Timeouts(decision_s=PATIENCE_S, retry_s=0.001, end_s=5.0, attach_delays_s=(0.0, 0.01, 0.01))
PLACE = Place("desk.yaml", 3, 5)


def token(**claims: Any) -> str:
    said = {
        "aud": "phone-agents",
        "exp": time.time() + 60,
        "sub": "user-1",
        "jti": "t1",
        "agent": "desk",
        **claims,
    }
    return jwt.encode(said, SECRET, algorithm="HS256")


def an_agent(agent_id: str = "desk", **fields: Any) -> Agent:
    conditions = fields.pop("conditions", Conditions(transport=Transport.WEBRTC))
    return Agent(
        **{
            "id": agent_id,
            "model": "gpt-realtime-2.1",
            "instructions": compile_template("Be kind to {{ vars.plan }} callers."),
            "vars": {"plan": compile_template("all")},
            "session": {"audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}},
            "greeting": Say(text=compile_template("Hello.")),
            "routes": (Route(agent=agent_id, conditions=conditions, place=PLACE),),
            "place": PLACE,
            **fields,
        }
    )


class Page:
    """A page of a site, which asks the runner."""

    def __init__(self, api: StandIn, runner: Runner, session: aiohttp.ClientSession) -> None:
        self.api = api
        self.runner = runner
        self.session = session

    async def ask(
        self,
        path: str,
        body: str | bytes = "",
        *,
        bearer: str | None = None,
        method: str = "POST",
        **headers: str,
    ) -> tuple[int, str, Mapping[str, str]]:
        sent = {"Origin": SITE, "Content-Type": "application/sdp"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        url = self.runner.url + path
        async with self.session.request(method, url, data=body, headers=sent) as response:
            return response.status, await response.text(), response.headers

    async def calls(self, path: str = "/calls", body: str = OFFER, **claims: Any) -> tuple[int, str, str]:
        """Status, code of a refusal or the answer, and where the call is."""
        status, text, headers = await self.ask(path, body, bearer=token(**claims))
        return status, text if status == 201 else json.loads(text)["code"], headers.get("Location", "")

    async def record(self, location: str) -> dict[str, Any]:
        assert self.runner.service is not None
        store = self.runner.service.storage.store
        async with asyncio.timeout(PATIENCE_S):
            while (stored := await store.read(location.rpartition("/")[2])) is None:  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(0.01)
        return dict(stored.record)


@asynccontextmanager
async def site(
    tmp_path: Path,
    *agents: Agent,
    is_dev: bool = False,
    answer_offer: AnswerOffer | None = None,
    **browser: Any,
) -> AsyncIterator[Page]:
    async with StandIn(
        inspect_received=client_complaint, inspect_sent=server_complaint, answer_offer=answer_offer
    ) as api:
        settings = Settings(
            provider=Provider(base_url=api.base_url),
            server=Server(
                port=0, browser=Browser(**{"secret": SecretRef(env="S"), "origins": (SITE,), **browser})
            ),
            store=f"sqlite:{tmp_path / 'calls.db'}",
        )
        served = agents or (an_agent(),)
        configuration = Configuration(
            directory="agents", settings=settings, agents={agent.id: agent for agent in served}
        )
        secrets = FoundSecrets.fixed(
            api_key=api.api_key, webhook_secrets=[new_secret()], tools={}, browser=SECRET
        )
        runner = Runner(configuration, secrets, timeouts=TIMEOUTS, is_dev=is_dev)
        async with aiohttp.ClientSession() as session:
            try:
                await runner.start()
                yield Page(api, runner, session)
            finally:
                await runner.close()
