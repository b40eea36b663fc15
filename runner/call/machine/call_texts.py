"""Renders the texts of one call, and knows what its templates may name."""

from dataclasses import InitVar, dataclass, field

from runner.call.records.record_builder import RecordBuilder
from runner.call.templates.names import call_names, names
from runner.call.templates.template import TemplateFailure, render
from runner.model.agent import Agent
from runner.model.call import IncomingCall, WebRtcOrigin
from runner.model.template import Template
from runner.model.values import Instant, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTexts:
    """The texts of a call for an agent that is about to serve it."""

    agent: Agent
    variables: dict[str, Json]
    instructions: str
    names: dict[str, Json]
    """Everything that a template of the agent may name, except arguments and secrets."""


@dataclass(slots=True, kw_only=True, eq=False)
class CallTexts:
    """Renders the templates of a call. A template that fails is skipped, and the record says so.

    Raises TemplateFailure when the agent's instructions cannot be rendered for this call.
    """

    call: IncomingCall
    agent: Agent
    lookup: Json
    record: RecordBuilder
    now: InitVar[Instant]
    variables: dict[str, Json] = field(init=False)
    instructions: str = field(default="", init=False)
    """The agent's instructions, with the changes that people have made to them."""
    _own: str = field(default="", init=False)
    _added: list[str] = field(default_factory=list, init=False)

    def __post_init__(self, now: Instant) -> None:
        self.variables = _brought_along(self.call, self.agent)
        self.adopt(self.prepare(self.agent, now))

    def prepare(self, agent: Agent, now: Instant) -> "AgentTexts":
        """Render what the call needs when this agent serves it. Nothing changes before `adopt`.

        Variables that are set already stay: the call has learnt them. Raises TemplateFailure.
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
        """Use the texts of this agent from now on."""
        for name, value in texts.variables.items():
            self.variables.setdefault(name, value)
        self.agent = texts.agent
        self._own = texts.instructions
        self.instructions = self.with_added(self._own)

    def with_added(self, instructions: str) -> str:
        """An agent's instructions, with what people have added to those of the call."""
        return "\n\n".join([instructions, *self._added])

    def add(self, instructions: str) -> None:
        """Add to the instructions, whichever agent serves the call."""
        self._added.append(instructions)
        self.instructions = self.with_added(self._own)

    def replace(self, instructions: str) -> None:
        """Replace the instructions of the serving agent; what was added stays."""
        self._own = instructions
        self.instructions = self.with_added(self._own)

    def names(self, now: Instant) -> dict[str, Json]:
        """Everything that a template of the agent may name, except arguments and secrets."""
        return self._names(self.agent, self.variables, now)

    def _names(self, agent: Agent, variables: dict[str, Json], now: Instant) -> dict[str, Json]:
        return names(
            call=call_names(self.call), agent_id=agent.id, vars=variables, lookup=self.lookup, now=now
        )

    def text(self, text: Template | str, now: Instant) -> str:
        """Render a template; empty when it fails."""
        if isinstance(text, str):
            return text
        try:
            return text.text(self.names(now))
        except TemplateFailure as failure:
            self.record.fault(str(failure))
            return ""

    def directed(self, instruction: str) -> str:
        """Instructions for one response replace the session's, so they repeat them."""
        return f"{self.instructions}\n\n{instruction}"


def _brought_along(call: IncomingCall, agent: Agent) -> dict[str, Json]:
    """The values of a browser's token, which come before those that the agent declares."""
    if not isinstance(call.origin, WebRtcOrigin):
        return {}
    return {name: value for name, value in call.origin.vars.items() if name in agent.vars}
