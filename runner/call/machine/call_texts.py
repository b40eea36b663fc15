"""The words of one call: what templates may name while it lasts, and the texts made of them."""

from runner.call.records.record_builder import RecordBuilder
from runner.call.templates.names import names
from runner.call.templates.template import TemplateFailure, render
from runner.model.agent import Agent
from runner.model.call import IncomingCall
from runner.model.template import Template
from runner.model.values import Instant, Json


class CallTexts:
    """Renders the templates of a call. One that fails is left unsaid, and the record tells."""

    def __init__(
        self, *, call: IncomingCall, agent: Agent, lookup: Json, record: RecordBuilder, now: Instant
    ) -> None:
        """Raises TemplateFailure when the agent's instructions cannot be made for this call."""
        self.variables: dict[str, Json] = {}
        self.instructions = ""
        self._call = call
        self._agent = agent
        self._lookup = lookup
        self._record = record
        self.adopt(agent, now)

    def adopt(self, agent: Agent, now: Instant) -> None:
        """Speak for this agent from now on.

        Variables that are set already stay: they are what the call has come to know. Raises
        TemplateFailure, and then nothing has changed but variables that were not there before.
        """
        for name, value in agent.vars.items():
            if name not in self.variables:
                self.variables[name] = render(value, self.names(now))
        before, self._agent = self._agent, agent
        try:
            self.instructions = agent.instructions.text(self.names(now))
        except TemplateFailure:
            self._agent = before
            raise

    def names(self, now: Instant) -> dict[str, Json]:
        """Everything that a template of the agent may name, arguments and secrets apart."""
        return names(
            call=self._call, agent_id=self._agent.id, vars=self.variables, lookup=self._lookup, now=now
        )

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
