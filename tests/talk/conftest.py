"""Real chromium with a made-up microphone, a whole runner, and a stand-in that answers WebRTC for real."""

import asyncio
import sqlite3
import struct
import time
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from math import pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import pytest_asyncio

from runner.call.templates.template import compile_template
from runner.model.agent import Agent, Say
from runner.model.call import Transport
from runner.model.route import Conditions, Route
from runner.model.settings import Browser, Configuration, Provider, SecretRef, Server, Settings
from runner.model.tool import HangupBinding, StaticBinding, Tool
from runner.model.values import Place
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.standin.server import StandIn
from runner.standin.webhook import new_secret
from tests.chromium import PATIENCE_MS, launched, skip_without_chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser as Chromium
    from playwright.async_api import BrowserContext, Page, Playwright

    from runner.standin.peer import Peers

SECRET = "a secret of the backend's that is long enough"
PATIENCE_S = PATIENCE_MS / 1000
PLACE = Place("desk.yaml", 3, 5)
NO_ARGUMENTS = {"type": "object", "properties": {}}
AGENT = Agent(
    id="desk",
    model="gpt-realtime-2.1",
    instructions=compile_template("Be kind."),
    session={"audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}},
    greeting=Say(text=compile_template("Hello and welcome to Maple Dental. How can I help you today?")),
    tools=(
        Tool(
            name="look",
            description="Look.",
            parameters=NO_ARGUMENTS,
            binding=StaticBinding(answer={"slots": 3}),
        ),
        Tool(
            name="end_call",
            description="End.",
            parameters=NO_ARGUMENTS,
            binding=HangupBinding(say=compile_template("Goodbye!")),
        ),
    ),
    routes=(Route(agent="desk", conditions=Conditions(transport=Transport.WEBRTC), place=PLACE),),
    place=PLACE,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_chromium(items)


def write_speech(path: Path, *, said_s: float = 1.0, silent_s: float = 5.0) -> None:
    """What the microphone hears, over and over: silence first, then a tone."""
    rate = 48_000
    tone = array("h", (int(8000 * sin(2 * pi * 300 * at / rate)) for at in range(int(rate * said_s))))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack("<h", 0) * int(rate * silent_s) + tone.tobytes())


class Chromiums:
    """One for each microphone, which is chosen as it starts. Each test has windows of its own in it."""

    def __init__(self, playwright: "Playwright", folder: Path) -> None:
        self._playwright = playwright
        self._folder = folder
        self._started: dict[str, Chromium] = {}

    async def one(self, microphone: str) -> "Chromium":
        if microphone not in self._started:
            self._started[microphone] = await launched(self._playwright, *self._arguments(microphone))
        return self._started[microphone]

    def _arguments(self, microphone: str) -> list[str]:
        arguments = [
            # As people's own browsers have it: only what somebody has clicked may be heard.
            "--autoplay-policy=user-gesture-required",
            "--allow-loopback-in-peer-connection",
            # Nobody is there to be asked, and the shell has nothing to ask with: it would refuse everything.
            f"--use-fake-ui-for-media-stream{'=deny' if microphone == 'denied' else ''}",
        ]
        if microphone != "none":
            sound = self._folder / f"{microphone}.wav"
            write_speech(sound, said_s=1.0 if microphone == "speaks" else 0.0)
            arguments += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={sound}"]
        return arguments

    async def close(self) -> None:
        for chromium in self._started.values():
            await chromium.close()


class Site:
    """A runner and the stand-in that it talks to, and windows in chromium."""

    def __init__(
        self, api: StandIn, peers: "Peers", runner: Runner, chromiums: Chromiums, folder: Path
    ) -> None:
        self.api = api
        self.peers = peers
        self.runner = runner
        self._chromiums = chromiums
        self._folder = folder
        self._stack = AsyncExitStack()

    def token(self, **claims: Any) -> str:
        said = {"aud": "phone-agents", "exp": time.time() + 300, "sub": "user-1", "agent": "desk", **claims}
        said.setdefault("jti", f"t{time.perf_counter_ns()}")
        return jwt.encode(said, claims.pop("secret", SECRET), algorithm="HS256")

    async def window(self, *, microphone: str = "silent", width: int = 1024) -> "BrowserContext":
        """`microphone` is silent, speaks every six seconds, is denied to the page, or is not there: none."""
        chromium = await self._chromiums.one(microphone)
        context = await chromium.new_context(
            viewport={"width": width, "height": 844},
            permissions=[] if microphone == "denied" else ["microphone"],
        )
        self._stack.push_async_callback(context.close)
        context.set_default_timeout(PATIENCE_MS)
        return context

    async def talk(
        self, context: "BrowserContext", token: str | None = None, path: str = "/talk/desk"
    ) -> "Page":
        page = await context.new_page()
        await page.goto(f"{self.runner.url}{path}#token={self.token() if token is None else token}")
        return page

    async def records(self, number: int = 1) -> list[dict[str, Any]]:
        assert self.runner.service is not None
        store = self.runner.service.storage.store
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = [await store.read(call_id) for call_id in self.ids()]
                if len(found) >= number and all(found):
                    return [dict(one.record) for one in found if one is not None]
                await asyncio.sleep(0.05)

    def ids(self) -> list[str]:
        with closing(sqlite3.connect(self._folder / "calls.db")) as connection:
            return [call_id for (call_id,) in connection.execute("SELECT id FROM calls")]

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
def shop_origin() -> str:
    """The site whose pages may call."""
    return "https://www.maple.example"


@pytest.fixture
def data_channel() -> bool:
    """Whether pages may have a data channel."""
    return False


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromiums(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromiums]:
    playwright = pytest.importorskip("playwright.async_api", reason="the extra `browser` is not installed")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    async with playwright.async_playwright() as driver:
        chromiums = Chromiums(driver, tmp_path_factory.mktemp("microphones"))
        yield chromiums
        await chromiums.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(
    tmp_path: Path, shop_origin: str, data_channel: bool, chromiums: Chromiums
) -> AsyncIterator[Site]:
    peer = pytest.importorskip("runner.standin.peer", reason="the extra `talk` is not installed")
    peers = peer.Peers()
    async with StandIn(pace=1.0, answer_offer=peers.answer) as api:
        peers.api = api
        browser = Browser(secret=SecretRef(env="S"), origins=(shop_origin,), has_data_channel=data_channel)
        settings = Settings(
            provider=Provider(base_url=api.base_url),
            server=Server(port=0, browser=browser),
            store=f"sqlite:{tmp_path / 'calls.db'}",
        )
        secrets = FoundSecrets.fixed(
            api_key=api.api_key, webhook_secrets=[new_secret()], tools={}, browser=SECRET
        )
        runner = Runner(Configuration(directory="agents", settings=settings, agents={"desk": AGENT}), secrets)
        try:
            await runner.start()
            made = Site(api, peers, runner, chromiums, tmp_path)
            yield made
            await made.close()
        finally:
            await runner.close()
            await peers.close()
