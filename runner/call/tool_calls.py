"""The tool calls of one call: what is running, what the model has been told, what must be told again.

Runs nothing itself: it makes the requests, reads the replies, and decides on further attempts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from runner.call.arguments import check_arguments
from runner.call.ledger import Ledger
from runner.call.template import TemplateFailure, render
from runner.call.tool_request import build_request, next_delay
from runner.call.tool_result import ToolOutput, error_output, model_output
from runner.model.action import Action, Clock, SendOutput, SendRequest, SetTimer, Timer
from runner.model.agent import Agent
from runner.model.happening import Replied, ToolCalled
from runner.model.http import HttpRequest
from runner.model.record import ToolUse
from runner.model.tool import HttpBinding, StaticBinding, Tool
from runner.model.values import Instant, Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The call of a tool cannot be carried out. `error` is for the model, so that it can mend it."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A tool call that the model waits for."""

    call_id: str
    response_id: str
    tool: Tool
    arguments: JsonObject
    request: HttpRequest | None = None
    attempt: int = 0


class ToolCalls:
    """Keeps the tool calls of one call from the model's asking to the API's taking of the output."""

    def __init__(
        self,
        *,
        call_id: str,
        ledger: Ledger,
        names: Callable[[Instant], dict[str, Json]],
        secrets: Mapping[str, str],
    ) -> None:
        self._call_id = call_id
        self._ledger = ledger
        self._names = names
        self._secrets = secrets
        self._open: dict[str, OpenCall] = {}
        self._in_flight: set[str] = set()
        self._seen: set[str] = set()
        self._unconfirmed: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._ended: set[str] = set()

    @property
    def running(self) -> bool:
        """Whether any request is under way or will be tried again."""
        return any(call.request is not None for call in self._open.values())

    @property
    def in_flight(self) -> bool:
        """Whether any request is under way now."""
        return bool(self._in_flight)

    def begin(self, called: ToolCalled, agent: Agent, now: Instant) -> OpenCall | Refusal | None:
        """Take up a call of the model's; None when it was taken up before.

        The API tells of a call twice (with its item and with its response), and once more after a
        duplicate event.
        """
        if called.call_id in self._seen:
            return None
        self._seen.add(called.call_id)
        self._waiting.add(called.response_id)
        tool = agent.tool(called.name)
        checked = check_arguments(tool, called.arguments) if tool is not None else None
        arguments = called.arguments if checked is None or isinstance(checked, str) else checked.given
        self._ledger.tools[called.call_id] = ToolUse(
            name=called.name,
            call_id=called.call_id,
            arguments=arguments,
            started_at=now,
            took_s=None,
            status="unfinished",
        )
        if tool is None:
            known = ", ".join(tool.name for tool in agent.tools) or "none"
            return Refusal(error=f'there is no tool "{called.name}"; the tools are: {known}')
        if checked is None or isinstance(checked, str):
            return Refusal(error=checked or "the arguments cannot be read")
        opened = OpenCall(
            call_id=called.call_id,
            response_id=called.response_id,
            tool=tool,
            arguments=checked.values,
        )
        self._open[called.call_id] = opened
        return opened

    def run(self, opened: OpenCall, agent: Agent, now: Instant) -> list[Action]:
        """Carry out a call that is answered by an endpoint or by a fixed answer."""
        names = {**self._names(now), "args": opened.arguments}
        try:
            if isinstance(opened.tool.binding, StaticBinding):
                answer = render(opened.tool.binding.answer, names)
                return self.answer(opened.call_id, ToolOutput.of(answer, opened.tool.result), now)
            if not isinstance(opened.tool.binding, HttpBinding):
                raise TypeError(f"{type(opened.tool.binding).__name__} is not carried out here")
            request = build_request(
                opened.tool.binding,
                {**names, "secrets": self._secrets},
                call_id=self._call_id,
                tool_call_id=opened.call_id,
                agent_id=agent.id,
                now=now,
            )
        except TemplateFailure as failure:
            return self.answer(opened.call_id, error_output(str(failure), opened.tool.result, names), now)
        return self._attempt(replace(opened, request=request))

    def again(self, call_id: str) -> list[Action]:
        """The wait before a further attempt is over."""
        opened = self._open.get(call_id)
        return [] if opened is None or opened.request is None else self._attempt(opened)

    def replied(self, replied: Replied, now: Instant, *, may_retry: bool) -> list[Action]:
        """An attempt has ended: try again where that is declared, or answer the model."""
        opened = self._open.get(replied.call_id)
        if opened is None or opened.attempt != replied.attempt:
            return []
        self._in_flight.discard(replied.call_id)
        if may_retry and isinstance(opened.tool.binding, HttpBinding):
            delay_s = next_delay(opened.tool.binding.retries, replied.attempt, replied.reply)
            if delay_s is not None:
                return [SetTimer(timer=Timer(Clock.RETRY, replied.call_id), after_s=delay_s)]
        names = {**self._names(now), "args": opened.arguments}
        return self.answer(replied.call_id, model_output(opened.tool.result, replied.reply, names), now)

    def refuse(self, called: ToolCalled, error: str, now: Instant) -> list[Action]:
        """Answer a call that is not carried out with an error that the model can mend."""
        return self.answer(called.call_id, ToolOutput.refused(error), now, status="refused")

    def answer(
        self, call_id: str, output: ToolOutput, now: Instant, *, status: str | None = None
    ) -> list[Action]:
        """Give the model what came of its call. The output is kept until the API says that it has it."""
        self.close(call_id, status or ("ok" if output.ok else "error"), now, output)
        self._unconfirmed[call_id] = output.text
        return [SendOutput(call_id=call_id, output=output.text)]

    def close(self, call_id: str, status: str, now: Instant, output: ToolOutput | None = None) -> None:
        """The call is settled, with or without an output for the model."""
        opened = self._open.pop(call_id, None)
        use = self._ledger.tools[call_id]
        self._ledger.tools[call_id] = replace(
            use,
            took_s=round(now - use.started_at, 3),
            status=status,
            http_status=output.http_status if output is not None else None,
            attempts=opened.attempt if opened is not None else 0,
            error=output.error if output is not None else None,
        )

    def taken(self, call_id: str) -> None:
        """The API holds the output of this call."""
        self._unconfirmed.pop(call_id, None)

    def resend(self) -> list[Action]:
        """Every output that the API has not confirmed, for a sideband that was opened again."""
        return [SendOutput(call_id=call_id, output=text) for call_id, text in self._unconfirmed.items()]

    def response_ended(self, response_id: str) -> None:
        """No further calls will come from this response."""
        self._ended.add(response_id)

    def all_ended(self) -> None:
        """The sideband was lost: what else its responses may have held will never be told."""
        self._ended |= self._waiting

    def take_settled(self) -> bool:
        """Whether some response has had its last call answered since the last time this was asked.

        Then the model is to go on, once for the whole response.
        """
        busy = {call.response_id for call in self._open.values()}
        settled = (self._waiting & self._ended) - busy
        self._waiting -= settled
        return bool(settled)

    def _attempt(self, opened: OpenCall) -> list[Action]:
        opened = replace(opened, attempt=opened.attempt + 1)
        self._open[opened.call_id] = opened
        if opened.request is None:
            return []
        self._in_flight.add(opened.call_id)
        return [
            SendRequest(
                call_id=opened.call_id,
                attempt=opened.attempt,
                tool=opened.tool.name,
                request=opened.request,
            )
        ]
