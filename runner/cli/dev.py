"""Replaces what `run --dev` finds missing: secrets, and without a key the voice API itself.

On this machine only: nobody else can reach it, and no token is needed.
"""

import secrets as randomness
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from runner.call.schemas.example_arguments import example_arguments
from runner.demo.endpoints import Endpoints
from runner.errors import CannotRunError
from runner.model.settings import Admin, Configuration, SecretRef, Settings
from runner.model.tool import HttpBinding, StaticBinding
from runner.model.values import Json
from runner.standin.placed_call import PlacedCall
from runner.standin.script import ScriptStep, calls
from runner.standin.server import StandIn
from runner.standin.webhook import new_secret

NO_AIORTC = (
    "there is no key of the voice API, and the stand-in that speaks in its place needs aiortc; set {key},"
    ' or: pip install "phone-agents[talk]"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevSetup:
    """What a runner is started with."""

    configuration: Configuration
    environ: Mapping[str, str]
    new_connector: Callable[[], aiohttp.BaseConnector] | None = None
    """None: tools reach their real endpoints."""
    stands_in: bool = False


@asynccontextmanager
async def dev_setup(configuration: Configuration, environ: Mapping[str, str]) -> AsyncIterator[DevSetup]:
    """The configuration, with substitutes for what is missing. Raises CannotRunError."""
    server = configuration.settings.server
    # A developer gets the console too.
    server = replace(server, admin=server.admin or Admin(port=0))
    settings = replace(configuration.settings, server=server)
    configuration = replace(configuration, settings=settings)
    filled = {**placeholder_secrets(settings, environ), **environ}
    key = settings.provider.api_key
    if key.env is None or environ.get(key.env):
        yield DevSetup(configuration=configuration, environ=filled)
        return
    try:
        from runner.standin.peer import Peers  # noqa: PLC0415 - an extra
    except ImportError:
        raise CannotRunError(NO_AIORTC.format(key=key.env)) from None
    model = MadeUpModel(configuration)
    peers = Peers(model.answers)
    with TemporaryDirectory() as folder:
        async with (
            StandIn(pace=1.0, answer_offer=peers.answer) as api,
            Endpoints(Path(folder), lambda call_id: model.example(call_id, api.calls)) as endpoints,
        ):
            peers.api = api
            provider = replace(settings.provider, base_url=api.base_url, key_header=None)
            try:
                yield DevSetup(
                    configuration=replace(configuration, settings=replace(settings, provider=provider)),
                    environ={**filled, key.env: api.api_key},
                    new_connector=lambda: endpoints.connector(lambda *_: None),
                    stands_in=True,
                )
            finally:
                await peers.close()


def placeholder_secrets(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """A value for each unset variable that holds a secret, except the voice API's key."""
    secrets: dict[str, str] = {}
    for ref, make in _secrets(settings):
        if ref.env is not None and not environ.get(ref.env):
            secrets[ref.env] = make()
    return secrets


def _secrets(settings: Settings) -> Iterator[tuple[SecretRef, Callable[[], str]]]:
    for ref in settings.provider.webhook_secrets:
        yield ref, new_secret
    for ref in settings.secrets.values():
        # Deliveries may be signed with it.
        yield ref, new_secret
    if settings.server.browser is not None and settings.server.browser.secret is not None:
        yield settings.server.browser.secret, lambda: randomness.token_hex(32)
    if settings.server.admin is not None:
        for token in settings.server.admin.tokens.values():
            yield token.ref, lambda: randomness.token_hex(32)


class MadeUpModel:
    """Stands in for a model: it calls one of the agent's tools after the other, whatever it hears."""

    def __init__(self, configuration: Configuration) -> None:
        self._tools = {tool.name: tool for agent in configuration.agents.values() for tool in agent.tools}
        self._turns: dict[str, int] = {}

    def answers(self, call: PlacedCall) -> tuple[ScriptStep, ...]:
        """The model's reaction to the caller's next words."""
        offered = call.conversation.session.get("tools", ()) if call.conversation is not None else ()
        names = [tool["name"] for tool in offered if tool.get("type") == "function"]
        tools = [self._tools[name] for name in names if name in self._tools]
        usable = [tool for tool in tools if isinstance(tool.binding, HttpBinding | StaticBinding)]
        turn = self._turns[call.id] = self._turns.get(call.id, -1) + 1
        if not usable:
            return ()
        tool = usable[turn % len(usable)]
        return (calls(tool.name, example_arguments(tool.parameters, datetime.now(UTC).date())),)

    def example(self, call_id: str, live: Mapping[str, PlacedCall]) -> Json:
        """The endpoint's reply to a tool call: the tool's example."""
        for call in live.values():
            name = call.conversation.open_calls.get(call_id) if call.conversation is not None else None
            if name is not None and name in self._tools:
                return self._tools[name].result.example if self._tools[name].result.has_example else {}
        return {}
