"""Knows which agent serves a call, runs the watches for it, and hands the call off to another."""

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field

from runner.call.machine.call_texts import AgentTexts, CallTexts
from runner.call.machine.failures import FailureWatch
from runner.call.machine.guardrails import GuardrailWatch
from runner.call.machine.intent import Intent, Part
from runner.call.machine.keypad import Keypad
from runner.call.machine.lead import Lead
from runner.call.machine.limits import Consumption, LimitWatch
from runner.call.machine.mcp import McpWatch
from runner.call.machine.playback import Playback
from runner.call.machine.silence import GhostWatch, SilenceLadder, StallWatch
from runner.call.records.record_builder import RecordBuilder
from runner.call.templates.template import TemplateFailure, render
from runner.model.action import ClearTimer, Log, LogEvent, LogLevel, SetTimer, SwitchAgent, Timer, TimerKind
from runner.model.agent import Agent, Wait
from runner.model.event import Steered
from runner.model.record import Handoff
from runner.model.values import Instant, Json, JsonObject

MOST_HANDOFFS = 10
"""Agents may hand a call back and forth, but not for ever."""


CONFIRMED = Timer(TimerKind.HANDOFF)
CONFIRMED_S = 2.0
"""A change of the session that the API has not refused by then counts as accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A requested hand-off."""

    update: SwitchAgent
    texts: AgentTexts
    because: str
    call_id: str | None
    """The tool call that waits for it."""
    response_id: str | None
    steered: Steered | None = None
    """The person's act that requests it."""

    @property
    def agent(self) -> Agent:
        """The next agent."""
        return self.update.agent

    @property
    def before(self) -> Agent:
        """The agent that served the call before."""
        return self.update.before


@dataclass(slots=True, kw_only=True, eq=False)
class ServingAgent:
    """The agent of a call, and those before it.

    Raises TemplateFailure when the settings of the agent's MCP servers cannot be rendered for this call.
    """

    agent: Agent
    agents: Mapping[str, Agent]
    texts: CallTexts
    record: RecordBuilder
    consumption: Consumption
    secrets: Mapping[str, str] = field(repr=False)
    playback: Playback
    lead: Lead
    is_quiet: Callable[[Instant], bool]
    now: InitVar[Instant]
    served: list[Agent] = field(init=False)
    """Every agent that has served the call, in order."""
    parts: tuple[Part, ...] = field(default=(), init=False)
    pending: Switch | None = field(default=None, init=False)
    """The hand-off that the API has not confirmed yet."""
    impossible: str = field(default="", init=False)
    """Why the last hand-off could not be requested; empty when it was."""
    _last: Switch | None = field(default=None, init=False)
    _is_confirmed: bool = field(default=True, init=False)
    servers: tuple[JsonObject, ...] = field(init=False)
    """The agent's MCP servers as the API's own objects."""

    def __post_init__(self, now: Instant) -> None:
        self.served = [self.agent]
        self.servers = self._servers_of(self.agent, self.texts.names(now)) if self.agent.mcp else ()

    def start(self, now: Instant) -> list[Intent]:
        """Start what is watched for the agent."""
        self.parts = self._parts_of(self.agent)
        return [intent for part in self.parts for intent in part.start(now)]

    @property
    def others(self) -> tuple[str, ...]:
        """The agents that the call could be handed off to: the API changes no session's model."""
        return tuple(
            name
            for name, agent in self.agents.items()
            if name != self.agent.id and agent.model == self.agent.model
        )

    def caller_of(self, response_id: str) -> Agent:
        """The agent whose tools a response calls: besides a hand-off, a response may call tools of the agent
        before.
        """
        last = self._last
        return last.before if last is not None and last.response_id == response_id else self.agent

    def hand_off(
        self,
        agent_id: str,
        because: str,
        now: Instant,
        *,
        call_id: str | None = None,
        response_id: str | None = None,
        steered: Steered | None = None,
    ) -> list[Intent]:
        """Request that another agent serves the call; it has not happened before `confirm`.

        When that is not possible, `impossible` says why. `call_id` and `response_id` are those of the tool
        call that requests it.
        """
        self.impossible = ""
        if self.pending is not None:
            return self._not_possible(agent_id, because, f'"{self.pending.agent.id}" is taking over')
        if self.consumption.handoffs >= MOST_HANDOFFS:
            return self._not_possible(
                agent_id, because, f"the call was handed off {MOST_HANDOFFS} times already"
            )
        agent = self.agents[agent_id]
        try:
            texts = self.texts.prepare(agent, now)
            servers = self._servers_of(agent, texts.names)
        except TemplateFailure as failure:
            return self._not_possible(agent_id, because, str(failure))
        self.consumption.handoffs += 1
        self.pending = Switch(
            update=SwitchAgent(
                update_id=f"switch_{self.consumption.handoffs}",
                before=self.agent,
                agent=agent,
                instructions=self.texts.with_added(texts.instructions),
                servers=servers,
                # The API changes no voice once it was heard.
                with_voice=not self.playback.has_begun,
                answers=self.lead.answers,
            ),
            texts=texts,
            because=because,
            call_id=call_id,
            response_id=response_id,
            steered=steered,
        )
        return self.tell_again(now)

    def tell_again(self, now: Instant) -> list[Intent]:
        """Send the unconfirmed change of the session, for the first time or again."""
        if self.pending is not None:
            return [self.pending.update, SetTimer(timer=CONFIRMED, at=now + CONFIRMED_S)]
        return [self._last.update] if self._last is not None and not self._is_confirmed else []

    def whole_session(self, update_id: str) -> SwitchAgent:
        """The session as it ought to be, for an API that may hold another."""
        return SwitchAgent(
            update_id=update_id,
            before=self.agent,
            agent=self.agent,
            instructions=self.texts.instructions,
            servers=self.servers,
            with_voice=False,
            # A person may have led the call, which is unknown now.
            answers=True,
        )

    def is_told(self) -> None:
        """The API reports a session that was sent later than any change here, so it has all of them."""
        self._is_confirmed = True

    def expects(self, update_id: str | None) -> bool:
        """Whether this is the last change of the session, which the API has yet to confirm."""
        switch = self.pending or self._last
        return switch is not None and switch.update.update_id == update_id

    def confirm(self, now: Instant, *, is_confirmed: bool) -> Switch | None:
        """The API has accepted the change, or (not `is_confirmed`) has not refused it in time. None without
        one."""
        switch, self.pending = self.pending, None
        if switch is None:
            self._is_confirmed = self._is_confirmed or is_confirmed
            return None
        self._last, self._is_confirmed = switch, is_confirmed
        self.texts.adopt(switch.texts)
        self.servers = switch.update.servers
        self.agent = switch.agent
        self.consumption.bill.transcription_model = self.agent.transcription_model
        if self.agent not in self.served:
            self.served.append(self.agent)
        self.record.handoffs.append(Handoff(agent=self.agent.id, because=switch.because, at=now))
        return switch

    def take_over(self, now: Instant) -> list[Intent]:
        """Stop what was watched for the agent before, and start what is watched for this one."""
        stopped = [intent for part in self.parts for intent in part.stop(now)]
        return [ClearTimer(timer=CONFIRMED), *stopped, *self.start(now)]

    def refuse(self, update_id: str | None, detail: str) -> Switch | None:
        """The API has refused a change of the session. None when that change is not the pending hand-off."""
        switch = self.pending
        if switch is None or switch.update.update_id != update_id:
            return None
        self.pending = None
        self.record.fault(f'no hand-off to "{switch.agent.id}": the API refused it: {detail}')
        return switch

    def _not_possible(self, agent_id: str, because: str, reason: str) -> list[Intent]:
        self.impossible = reason
        self.record.fault(f'no hand-off to "{agent_id}": {reason}')
        fields = {"agent": agent_id, "because": because, "detail": reason}
        return [Log(event=LogEvent.HANDOFF_REFUSED, level=LogLevel.WARNING, fields=fields)]

    def _servers_of(self, agent: Agent, names: Mapping[str, Json]) -> tuple[JsonObject, ...]:
        known = {**names, "secrets": self.secrets}
        return tuple(render(server.settings, known) for server in agent.mcp)

    def _parts_of(self, agent: Agent) -> tuple[Part, ...]:
        limits = agent.limits
        answers = self._last is None
        """Whether it is the agent that answered the call, and not one that it was handed off to."""
        parts: list[Part] = [
            LimitWatch(limits, self.consumption),
            StallWatch(self.is_quiet, agent_opens=answers and not isinstance(agent.greeting, Wait)),
            FailureWatch(agent.if_broken),
        ]
        if limits.silence is not None:
            parts.append(SilenceLadder(limits.silence, self.is_quiet))
        if limits.ghost_after_s is not None and answers:
            parts.append(GhostWatch(limits.ghost_after_s))
        if agent.mcp:
            parts.append(McpWatch(agent, self.record, self.consumption))
        if agent.keys is not None:
            parts.append(Keypad(agent.keys, self.record))
        if agent.guardrails:
            parts.append(GuardrailWatch(agent.guardrails))
        return tuple(parts)
