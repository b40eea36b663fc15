"""Plays one call against the real server, with stand-ins for the API and for the endpoints."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from yarl import URL

from runner.call.afterwards.jobs import is_job
from runner.call.browser.sdp import EXAMPLE_OFFER
from runner.call.examples.example_call import ExampleCall
from runner.call.records.record_json import of_json
from runner.demo.default_script import DefaultScript
from runner.demo.demo_result import DemoResult, SentRequest
from runner.demo.endpoints import Endpoints, WatchedConnector
from runner.demo.masking import Mask
from runner.demo.timeline import EntryKind, Timeline, TimelineEntry
from runner.model.action import LOOKUP
from runner.model.agent import Agent
from runner.model.call import WEB, Transport
from runner.model.settings import Configuration, SecretRef
from runner.model.values import Instant, Json
from runner.serve.app import webhook_url
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerSays
from runner.standin.server import StandIn
from runner.standin.webhook import call_incoming, new_secret
from runner.store.opening import open_store

LONGEST_S = 120.0
"""Real seconds after which a call that does not end is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The call to play."""

    configuration: Configuration
    agent: Agent
    """The agent that answers."""
    played: Agent
    """The agent whose tools are called: the one that answers, or one that it hands the call to."""
    example: ExampleCall
    play: DefaultScript
    tool_secrets: Mapping[str, str]
    live_tools: bool = False
    pace: float = 0.0


class DemoCall:
    """One call; `show` is called with each entry as it happens."""

    def __init__(self, plan: Plan, show: Callable[[TimelineEntry], None]) -> None:
        self._plan = plan
        self._show = show
        self._result = DemoResult(notes=list(plan.play.notes))
        self._timeline = Timeline(step.text for step in plan.play.script if isinstance(step, CallerSays))
        self._tool_names: dict[str, str] = {}
        self._began: dict[str, float] = {}
        """When a tool was called, or the call announced (the empty key), by a monotonic clock."""
        self._placed: PlacedCall | None = None
        self._call_id = ""
        """The runner's id of the call."""
        self._is_from_browser = plan.example.transport is Transport.WEBRTC
        shift_s = plan.example.at - time.time()
        self._clock: Callable[[], Instant] = lambda: time.time() + shift_s
        self._secret = new_secret()
        self._mask = Mask(plan.agent, plan.configuration.agents, plan.tool_secrets)
        self._show_error: Exception | None = None
        """Why nobody watches any more, e.g. a closed pipe."""

    async def play(self) -> DemoResult:
        """Play it to its end."""
        with TemporaryDirectory() as temporary:
            directory = Path(temporary)
            async with (
                StandIn(
                    pace=self._plan.pace,
                    clock=self._clock,
                    inspect_received=self._received,
                    inspect_sent=self._sent,
                ) as api,
                Endpoints(directory, self._example_of) as endpoints,
            ):
                runner = self._runner(api, endpoints, directory / "calls.db")
                try:
                    await runner.start()
                    await self._call(api, runner)
                finally:
                    await runner.close()
            if self._placed is not None:
                self._result.violations += [*self._placed.violations, *api.violations]
                await _read_store(f"sqlite:{directory / 'calls.db'}", self._call_id, self._result)
        if self._show_error is not None:
            raise self._show_error
        return self._result

    def _runner(self, api: StandIn, endpoints: Endpoints, database: Path) -> Runner:
        configuration = self._plan.configuration
        settings = replace(
            configuration.settings,
            provider=replace(
                configuration.settings.provider,
                base_url=api.base_url,
                key_header=None,
                webhook_secrets=(SecretRef(env="SIMULATED"),),
            ),
            server=replace(configuration.settings.server, host="127.0.0.1", port=0, admin=None, browser=None),
            store=f"sqlite:{database}",
        )
        secrets = FoundSecrets.fixed(
            api_key=api.api_key, webhook_secrets=[self._secret], tools=self._plan.tool_secrets
        )
        return Runner(
            replace(configuration, settings=settings),
            secrets,
            clock=self._clock,
            is_dev=self._is_from_browser,
            new_connector=lambda: (
                WatchedConnector(self._request, settings.egress)
                if self._plan.live_tools
                else endpoints.connector(self._request)
            ),
        )

    async def _call(self, api: StandIn, runner: Runner) -> None:
        plan = self._plan
        script, faults = plan.play.script, plan.play.faults
        place = api.expect_offer if self._is_from_browser else api.place_call
        placed = place(*script, faults=faults)
        self._placed = placed
        self._call_id = placed.id
        # A lookup sends the call's own id where tools send that of their tool call.
        self._tool_names[placed.id] = LOOKUP
        text = f"{plan.example.caller} calls {plan.example.called}"
        self._tell(TimelineEntry(at_s=0.0, what=EntryKind.RINGS, text=text))
        self._began[""] = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            await (self._offer if self._is_from_browser else self._ring)(session, runner, placed)
        hurry = asyncio.Event()
        if placed.conversation is not None:
            try:
                await api.until(lambda: placed.is_over or self._show_error, LONGEST_S)
            except TimeoutError:
                self._result.ended_in_time = False
                hurry.set()
        if self._show_error is not None:
            hurry.set()
        await runner.drain(hurry)

    async def _ring(self, session: aiohttp.ClientSession, runner: Runner, placed: PlacedCall) -> None:
        """The voice API announces a call that rings."""
        headers = self._plan.example.sip_headers(self._plan.configuration.settings.routing, placed.id)
        webhook = call_incoming(call_id=placed.id, headers=headers, secret=self._secret, now=self._clock())
        async with session.post(
            webhook_url(runner.url), data=webhook.body, headers=webhook.headers
        ) as response:
            self._result.webhook_status = response.status

    async def _offer(self, session: aiohttp.ClientSession, runner: Runner, placed: PlacedCall) -> None:
        """A browser offers a call, and hears the agent at once."""
        headers = {"Origin": runner.url, "Content-Type": "application/sdp"}
        who = {"agent": self._plan.agent.id, "sub": self._plan.example.caller.removeprefix(WEB)}
        url = URL(runner.url).joinpath("calls").with_query(who)
        async with session.post(url, data=EXAMPLE_OFFER, headers=headers) as response:
            self._result.webhook_status = response.status
            location = response.headers.get("Location", "")
        if location:
            self._call_id = location.rpartition("/")[2]
            await session.post(f"{runner.url}{location}/connected", headers={"Origin": runner.url})

    # The messages in between

    def _received(self, kind: str, value: Any) -> None:
        if isinstance(value, Mapping):
            if kind in ("accept", "create"):
                took_s = self._took_s("")
                self._tell(
                    TimelineEntry(at_s=0.0, what=EntryKind.ANSWERED, text=self._plan.agent.id, took_s=took_s)
                )
            for entry in self._timeline.received(kind, value, self._at_s()):
                if entry.what is EntryKind.TRANSFER:
                    # The caller hears a sentence first, so the total says nothing of the runner.
                    self._began.clear()
                took_s = self._took_s(entry.tool_call_id or "") if entry.what is EntryKind.OUTPUT else None
                self._tell(replace(entry, took_s=took_s))

    def _sent(self, kind: str, value: Any) -> None:
        item = value.get("item", {})
        if item.get("type") == "function_call":
            self._tool_names[item["call_id"]] = item["name"]
            self._began[item["call_id"]] = time.perf_counter()
        for entry in self._timeline.sent(value, self._at_s()):
            self._tell(entry)

    def _request(self, tool_call_id: str, method: str, url: str) -> None:
        masked = self._mask.url(url)
        tool = self._tool_names.get(tool_call_id, "")
        request = SentRequest(tool=tool, tool_call_id=tool_call_id, method=method, url=masked)
        is_delivery = is_job(tool_call_id)
        (self._result.deliveries if is_delivery else self._result.requests).append(request)
        what = EntryKind.DELIVERY if is_delivery else EntryKind.REQUEST
        text = f"{method} {masked}"
        self._tell(TimelineEntry(at_s=self._at_s(), what=what, text=text, tool_call_id=tool_call_id))

    def _example_of(self, tool_call_id: str) -> Json:
        lookup = self._plan.agent.lookup
        is_lookup = tool_call_id.startswith("web_") or (
            self._placed is not None and tool_call_id == self._placed.id
        )
        if lookup is not None and is_lookup:
            self._result.notes.append("the lookup was answered with its default")
            return lookup.default
        if is_job(tool_call_id):
            return {}
        name = self._tool_names.get(tool_call_id, "")
        tool = self._plan.played.tool(name) or self._plan.agent.tool(name)
        if tool is not None and tool.result.has_example:
            return tool.result.example
        note = f'"{name}" has no result.example, so its endpoint was played with {{}}'
        if note not in self._result.notes:
            self._result.notes.append(note)
        return {}

    def _tell(self, entry: TimelineEntry) -> None:
        entry = self._mask.entry(entry)
        self._result.entries.append(entry)
        if self._show_error is not None:
            return
        try:
            self._show(entry)
        except Exception as error:
            # It is raised at the end, not into the stand-in's code that calls us.
            self._show_error = error

    def _took_s(self, key: str) -> float | None:
        began = self._began.get(key)
        return None if began is None else time.perf_counter() - began

    def _at_s(self) -> float:
        conversation = self._placed.conversation if self._placed else None
        return conversation.flows.now_s if conversation else 0.0


def placeholders(configuration: Configuration) -> dict[str, str]:
    """A substitute for each secret of the tools. It can sign, too, since it is base64 without padding."""
    made = {name: f"placeholder-{name}" for name in configuration.settings.secrets}
    # A lenient reader of base64 skips what is neither letter nor digit.
    letters = {name: sum(map(str.isalnum, text)) for name, text in made.items()}
    return {name: text + "x" * (letters[name] % 4 == 1) for name, text in made.items()}


async def _read_store(url: str, call_id: str, result: DemoResult) -> None:
    """What the runner has left in its store: the record, the outcome, and unfinished jobs."""
    store = await open_store(url)
    try:
        stored = await store.read(call_id)
    finally:
        await store.close()
    if stored is not None:
        result.record = of_json(stored.record)
        result.outcome = stored.outcome
        result.unfinished += [
            f"the {job.kind} is not done: {job.error or 'it was not attempted'}" for job in stored.jobs
        ]
