"""A tool call that has not ended."""

from dataclasses import dataclass

from runner.call.machine.intent import Intent, WithdrawSentence
from runner.call.tools.tool_result import ToolOutput
from runner.model.action import Action, ClearTimer, SetTimer, Timer, TimerKind
from runner.model.agent import Agent
from runner.model.http import HttpRequest
from runner.model.json_text import read_json
from runner.model.tool import Tool
from runner.model.values import Instant, Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A tool call of the model. `in_background`: the model waits for it no more."""

    call_id: str
    response_id: str
    agent: Agent
    tool: Tool
    arguments: JsonObject
    request: HttpRequest | None = None
    attempt: int = 0
    in_background: bool = False

    def begin_waiting(self, now: Instant) -> list[Action]:
        """The timers of the sentences for a tool that takes its time."""
        return [
            SetTimer(timer=timer, at=now + step.after_s)
            for timer, step in zip(self._waiting_timers, self.tool.while_waiting, strict=True)
        ]

    def stop_waiting(self) -> list[Intent]:
        """The tool has answered: withdraw such a sentence, and let no other follow."""
        if not self.tool.while_waiting:
            return []
        timers = [ClearTimer(timer=timer) for timer in self._waiting_timers]
        return [WithdrawSentence(key=self.call_id), *timers]

    def kept(self, output: ToolOutput) -> Json:
        """What the record keeps of an output.

        `select` moves values to other places than `record.redact` names, so it is unknown then which of them
        must be masked.
        """
        if self.tool.result.select is not None and self.agent.record.results:
            return None
        return kept(output)

    @property
    def _waiting_timers(self) -> list[Timer]:
        steps = range(len(self.tool.while_waiting))
        return [Timer(TimerKind.WAITING, f"{self.call_id}/{step}") for step in steps]


def kept(output: ToolOutput) -> Json:
    """An output as its value, or as text where it is not JSON."""
    try:
        return read_json(output.text)
    except ValueError:
        return output.text
