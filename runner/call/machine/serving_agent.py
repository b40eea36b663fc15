"""Which agent serves a call, what is watched for it, and how another agent takes over."""

from collections.abc import Callable, Mapping

from runner.call.machine.call_texts import CallTexts
from runner.call.machine.consumption import Consumption
from runner.call.machine.failures import FailureWatch
from runner.call.machine.guardrails import GuardrailWatch
from runner.call.machine.intent import Intent, Part
from runner.call.machine.keypad import Keypad
from runner.call.machine.limits import LimitWatch
from runner.call.machine.mcp import McpWatch
from runner.call.machine.silence import GhostWatch, SilenceLadder, StallWatch
from runner.call.records.record_builder import RecordBuilder
from runner.call.templates.template import TemplateFailure, render
from runner.model.action import SwitchAgent
from runner.model.agent import Agent, Wait
from runner.model.record import Handoff
from runner.model.values import Instant, JsonObject

MOST_HANDOFFS = 10
"""Agents may hand a call back and forth, but not for ever."""


class ServingAgent:
    """The agent of a call, and those before it."""

    def __init__(
        self,
        *,
        agent: Agent,
        agents: Mapping[str, Agent],
        texts: CallTexts,
        record: RecordBuilder,
        consumption: Consumption,
        secrets: Mapping[str, str],
        is_quiet: Callable[[], bool],
        now: Instant,
    ) -> None:
        """Raises TemplateFailure when what the agent's MCP servers are sent cannot be made for this call."""
        self.agent = agent
        self.served = [agent]
        """Every agent that has served the call, the first first."""
        self.parts: tuple[Part, ...] = ()
        self._agents = agents
        self._texts = texts
        self._record = record
        self._consumption = consumption
        self._secrets = secrets
        self._is_quiet = is_quiet
        self.servers = self._servers_of(agent, now)
        """The agent's MCP servers as the API's own objects."""

    def start(self, now: Instant) -> list[Intent]:
        """Watch what the agent wants watched, from now on."""
        self.parts = self._parts_of(self.agent)
        return [intent for part in self.parts for intent in part.start(now)]

    def hand_off(self, agent_id: str, because: str, now: Instant, *, with_voice: bool) -> list[Intent]:
        """Another agent takes over: what it declares holds from now on, the conversation stays.

        Nothing when it cannot; the record then tells why.
        """
        if self._consumption.handoffs >= MOST_HANDOFFS:
            self._record.fault(f'no hand-off to "{agent_id}" after {MOST_HANDOFFS} of them')
            return []
        agent = self._agents[agent_id]
        try:
            self._texts.adopt(agent, now)
            self.servers = self._servers_of(agent, now)
        except TemplateFailure as failure:
            self._record.fault(f'no hand-off to "{agent_id}": {failure}')
            return []
        self._consumption.handoffs += 1
        self._record.handed_off(Handoff(agent=agent_id, because=because, at=now))
        before, self.agent = self.agent, agent
        if agent not in self.served:
            self.served.append(agent)
        become = SwitchAgent(
            update_id=f"switch_{self._consumption.handoffs}",
            before=before,
            agent=agent,
            instructions=self._texts.instructions,
            servers=self.servers,
            with_voice=with_voice,
        )
        return [become, *self.start(now)]

    def _servers_of(self, agent: Agent, now: Instant) -> tuple[JsonObject, ...]:
        names = {**self._texts.names(now), "secrets": self._secrets}
        return tuple(render(server.settings, names) for server in agent.mcp)

    def _parts_of(self, agent: Agent) -> tuple[Part, ...]:
        limits = agent.limits
        parts: list[Part] = [
            LimitWatch(limits, self._consumption),
            StallWatch(self._is_quiet, agent_opens=not isinstance(agent.greeting, Wait)),
            FailureWatch(agent.if_broken),
        ]
        if limits.silence is not None:
            parts.append(SilenceLadder(limits.silence, self._is_quiet))
        if limits.ghost_after_s is not None:
            parts.append(GhostWatch(limits.ghost_after_s))
        if agent.mcp:
            parts.append(McpWatch(agent, self._record, self._consumption))
        if agent.keys is not None:
            parts.append(Keypad(agent.keys, self._record))
        if agent.guardrails:
            parts.append(GuardrailWatch(agent.guardrails))
        return tuple(parts)
