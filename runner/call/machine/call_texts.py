"""The words of one call: what templates may name while it lasts, and the texts made of them."""

from dataclasses import dataclass

from runner.call.records.record_builder import RecordBuilder
from runner.call.templates.names import call_names, names
from runner.call.templates.template import TemplateFailure, render
from runner.model.agent import Agent
from runner.model.call import IncomingCall, WebRtcOrigin
from runner.model.template import Template
from runner.model.values import Instant, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTexts:
    """The texts of one call for an agent that is to serve it."""

    agent: Agent
    variables: dict[str, Json]
    instructions: str
    names: dict[str, Json]
    """Everything that a template of the agent may name, arguments and secrets apart."""


class CallTexts:
    """Renders the templates of a call. One that fails is left unsaid, and the record tells."""

    def __init__(
        self, *, call: IncomingCall, agent: Agent, lookup: Json, record: RecordBuilder, now: Instant
    ) -> None:
        """Raises TemplateFailure when the agent's instructions cannot be made for this call."""
        self.variables: dict[str, Json] = _brought_along(call, agent)
        self.instructions = ""
        """What the model is told: the agent's instructions, and what people have made of them."""
        self._own = ""
        self._added: list[str] = []
        self._call = call_names(call)
        self._agent = agent
        self._lookup = lookup
        self._record = record
        self.adopt(self.prepare(agent, now))

    def prepare(self, agent: Agent, now: Instant) -> "AgentTexts":
        """What the call says and knows when this agent serves it. Nothing changes until it is adopted.

        Variables that are set already stay: they are what the call has come to know. Raises TemplateFailure.
        """
        variables = dict(self.variables)
        for name, value in agent.vars.items():
            if name not in variables:
                variables[name] = render(value, self._names(agent, variables, now))
        known = self._names(agent, variables, now)
        return AgentTexts(
            agent=agent, variables=variables, instructions=agent.instructions.text(known), names=known
        )

    def adopt(self, texts: "AgentTexts") -> None:
        """Speak for this agent from now on."""
        for name, value in texts.variables.items():
            self.variables.setdefault(name, value)
        self._agent = texts.agent
        self._own = texts.instructions
        self.instructions = self.with_added(self._own)

    def with_added(self, instructions: str) -> str:
        """An agent's instructions, and what people have added to those of the call."""
        return "\n\n".join([instructions, *self._added])

    def add(self, instructions: str) -> None:
        """Add to the instructions, whoever serves the call."""
        self._added.append(instructions)
        self.instructions = self.with_added(self._own)

    def replace(self, instructions: str) -> None:
        """Replace the instructions of the agent that serves the call now; what was added stays."""
        self._own = instructions
        self.instructions = self.with_added(self._own)

    def names(self, now: Instant) -> dict[str, Json]:
        """Everything that a template of the agent may name, arguments and secrets apart."""
        return self._names(self._agent, self.variables, now)

    def _names(self, agent: Agent, variables: dict[str, Json], now: Instant) -> dict[str, Json]:
        return names(call=self._call, agent_id=agent.id, vars=variables, lookup=self._lookup, now=now)

    def text(self, text: Template | str, now: Instant) -> str:
        """A template's text, or the empty text when it fails."""
        if isinstance(text, str):
            return text
        try:
            return text.text(self.names(now))
        except TemplateFailure as failure:
            self._record.fault(str(failure))
            return ""

    def directed(self, instruction: str) -> str:
        """Instructions for one response stand in for the session's, so they are given whole."""
        return f"{self.instructions}\n\n{instruction}"


def _brought_along(call: IncomingCall, agent: Agent) -> dict[str, Json]:
    """The values of a browser's token, which stand before those that the agent declares."""
    if not isinstance(call.origin, WebRtcOrigin):
        return {}
    return {name: value for name, value in call.origin.vars.items() if name in agent.vars}
