"""Notes what a call uses of what is declared, while it is played."""

from collections.abc import Sequence

from runner.call.regex import compile_regex
from runner.model.action import Action, ClearTimer, SetTimer, TimerKind
from runner.model.agent import Agent
from runner.model.call import Role
from runner.model.scenario import Kind
from runner.model.tool import HandoffBinding, Tool, TransferBinding
from runner.scenario.coverage import LIMITS_BY_CLOCK, LIMITS_BY_END, Touch
from runner.scenario.line import Transfer


class Touches:
    """What one call has used so far."""

    def __init__(self) -> None:
        self.all: set[Touch] = set()

    def call(self, agent: Agent, tool: Tool) -> None:
        """The model calls a tool. One that transfers is used when the transfer is asked for."""
        if not isinstance(tool.binding, TransferBinding):
            kind = Kind.HANDOFF if isinstance(tool.binding, HandoffBinding) else Kind.TOOL
            self.all.add(Touch(kind, agent.id, tool.name))

    def transfer(self, agent: Agent, transfer: Transfer) -> None:
        """A transfer is asked for."""
        name = f"{transfer.name}: {transfer.destinations[transfer.count]}"
        self.all.add(Touch(Kind.TRANSFER, agent.id, name))

    def hear(self, agent: Agent, role: Role, text: str) -> None:
        """Something is said, and transcribed."""
        for guardrail in agent.guardrails:
            if guardrail.on is role and compile_regex(guardrail.pattern).search(text):
                self.all.add(Touch(Kind.GUARDRAIL, agent.id, guardrail.name))

    def fire(self, agent: Agent, kind: TimerKind, actions: Sequence[Action]) -> None:
        """A timer fires, and these actions follow. One that is only set anew has found nothing to do."""
        limit = LIMITS_BY_CLOCK.get(kind)
        if limit is not None and any(not isinstance(action, SetTimer | ClearTimer) for action in actions):
            self.all.add(Touch(Kind.LIMIT, agent.id, limit))

    def end(self, agent: Agent, reason: str) -> None:
        """The call has ended."""
        limit = LIMITS_BY_END.get(reason)
        if limit is not None:
            self.all.add(Touch(Kind.LIMIT, agent.id, limit))
