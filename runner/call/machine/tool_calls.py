"""Keeps the tool calls of one call, from the model's request to the output for the model.

Runs nothing itself: it builds the requests, reads the replies, and decides on retries.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never
from zlib import crc32

from runner.call.machine.awaited_responses import AwaitedResponses
from runner.call.machine.intent import AddMessage, GoOn, InstructModel, Intent, SayToCaller
from runner.call.machine.limits import Consumption
from runner.call.machine.open_call import OpenCall, kept
from runner.call.machine.tool_outputs import ToolOutputs
from runner.call.machine.tool_refusals import RefusedBecause, ToolRefusal
from runner.call.recent_ids import NO_IDS
from runner.call.records.record_builder import RecordBuilder
from runner.call.records.redaction import values_at
from runner.call.templates.template import TemplateFailure, render
from runner.call.tools.arguments import check_arguments
from runner.call.tools.endpoint_reply import read_reply
from runner.call.tools.tool_request import build_request, next_delay
from runner.call.tools.tool_result import ToolOutput, error_output, model_output, reply_variables
from runner.model.action import Action, Log, LogEvent, LogLevel, SendRequest, SetTimer, Timer, TimerKind
from runner.model.agent import Agent
from runner.model.conversation_event import ToolCalled
from runner.model.event import Replied
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.tool import HttpBinding, StaticBinding
from runner.model.values import Instant, Json


@dataclass(slots=True, kw_only=True, eq=False)
class ToolCalls:
    """Keeps each tool call from the model's request to the API's confirmation of the output."""

    call_id: str
    record: RecordBuilder
    consumption: Consumption
    names: Callable[[Instant], dict[str, Json]]
    variables: dict[str, Json]
    secrets: Mapping[str, str] = field(repr=False)
    _known: frozenset[str] = field(default=NO_IDS, init=False)
    _open: dict[str, OpenCall] = field(default_factory=dict, init=False)
    _in_flight: frozenset[str] = field(default=NO_IDS, init=False)
    outputs: ToolOutputs = field(default_factory=ToolOutputs, init=False)
    responses: AwaitedResponses = field(default_factory=AwaitedResponses, init=False)

    @property
    def running(self) -> bool:
        """Whether any request is in flight or will be retried."""
        return any(call.request is not None for call in self._open.values())

    @property
    def in_flight(self) -> bool:
        """Whether any request is in flight."""
        return bool(self._in_flight)

    @property
    def awaited(self) -> bool:
        """Whether the model waits for any output."""
        return any(not call.in_background for call in self._open.values())

    def begin(self, called: ToolCalled, agent: Agent, now: Instant) -> OpenCall | ToolRefusal | None:
        """Begin a tool call of the model; None when it was begun before.

        The API reports a call twice (with its item and with its response), and again after a duplicate event.
        """
        if called.call_id in self._known:
            return None
        self._known |= {called.call_id}
        self.consumption.tool_calls += 1
        self.responses.add(called.response_id)
        tool = agent.tool(called.name)
        checked = None if tool is None else check_arguments(tool, called.arguments)
        arguments = checked if isinstance(checked, dict) else called.arguments
        self.record.tool_began(called.call_id, called.name, arguments, now)
        if tool is None or checked is None:
            known = ", ".join(tool.name for tool in agent.tools) or "none"
            error = f'there is no tool "{called.name}"; the tools are: {known}'
            return ToolRefusal(because=RefusedBecause.UNKNOWN_TOOL, error=error)
        if isinstance(checked, str):
            return ToolRefusal(because=RefusedBecause.ARGUMENTS, error=checked)
        opened = OpenCall(
            call_id=called.call_id, response_id=called.response_id, agent=agent, tool=tool, arguments=checked
        )
        refusal = self._condition(opened, now)
        if refusal is None:
            self._open[called.call_id] = opened
        return refusal or opened

    def run(self, opened: OpenCall, binding: HttpBinding | StaticBinding, now: Instant) -> list[Action]:
        """Carry out a tool call that an endpoint or a fixed answer serves."""
        names = self._names_of(opened, now)
        match binding:
            case StaticBinding(answer=answer):
                try:
                    output = ToolOutput.of(render(answer, names), opened.tool.result)
                except TemplateFailure as failure:
                    output = self._not_made("answer", failure, opened, names)
                return self.answer(opened.call_id, output, now)
            case HttpBinding():
                try:
                    request = build_request(
                        binding,
                        {**names, "secrets": self.secrets},
                        call_id=self.call_id,
                        tool_call_id=opened.call_id,
                        agent_id=opened.agent.id,
                        now=now,
                    )
                except TemplateFailure as failure:
                    return self.answer(opened.call_id, self._not_made("request", failure, opened, names), now)
                return self._send(replace(opened, request=request), now)
            case _:
                assert_never(binding)

    def again(self, call_id: str, now: Instant) -> list[Action]:
        """The wait before a further attempt is over."""
        opened = self._open.get(call_id)
        return [] if opened is None or opened.request is None else self._attempt(opened, opened.request, now)

    def still_waiting(self, key: str, now: Instant) -> list[Intent]:
        """A tool takes its time: say what is declared for that."""
        call_id, _, index = key.rpartition("/")
        opened = self._open.get(call_id)
        if opened is None:
            return []
        step = opened.tool.while_waiting[int(index)]
        # Chosen by the call's id: it varies from call to call, and stays the same when a call is replayed.
        template = step.tell or step.say[crc32(key.encode()) % len(step.say)]
        try:
            text = template.text(self._names_of(opened, now))
        except TemplateFailure as failure:
            self.record.fault(str(failure))
            return []
        return [
            SayToCaller(text=text, key=call_id)
            if step.tell is None
            else InstructModel(text=text, key=call_id)
        ]

    def replied(self, replied: Replied, now: Instant, *, may_retry: bool) -> list[Intent]:
        """An attempt has ended: retry where that is declared, or answer the model."""
        opened = self._open.get(replied.call_id)
        if opened is None or opened.attempt != replied.attempt:
            return []
        self._in_flight -= {replied.call_id}
        self.record.tool_replied(replied.call_id, replied.reply, now)
        if may_retry and isinstance(opened.tool.binding, HttpBinding):
            delay_s = next_delay(opened.tool.binding.retries, replied.attempt, replied.reply)
            if delay_s is not None:
                return [SetTimer(timer=Timer(TimerKind.RETRY, replied.call_id), at=now + delay_s)]
        reply = read_reply(replied.reply)
        self.record.private |= values_at(reply.value, opened.agent.record.results)
        self.variables.update(reply_variables(opened.tool.result, reply))
        output = model_output(opened.tool.result, reply, self._names_of(opened, now))
        done = opened.stop_waiting()
        if reply.error is None and not output.ok:
            # What is in brackets may quote the reply.
            fields = {"tool": opened.tool.name, "detail": (output.error or "").partition(" (")[0]}
            done.append(Log(event=LogEvent.REPLY_UNUSABLE, level=LogLevel.WARNING, fields=fields))
        if opened.in_background:
            self.close(opened.call_id, "ok" if output.ok else "error", now, output)
            message = f"The result of {opened.tool.name}, which was started before: {output.text}"
            return [*done, AddMessage(text=message), GoOn()]
        return [*done, *self.answer(replied.call_id, output, now)]

    def refuse(self, called: ToolCalled, refusal: ToolRefusal, now: Instant) -> list[Action]:
        """Answer a tool call that is not carried out with an error that the model can correct."""
        output = ToolOutput.refused(refusal.error)
        return [refusal.entry(called.name), *self.answer(called.call_id, output, now, status="refused")]

    def answer(
        self, call_id: str, output: ToolOutput, now: Instant, *, status: str | None = None
    ) -> list[Action]:
        """Give the model the output of its call, which is kept until the API confirms it."""
        self.close(call_id, status or ("ok" if output.ok else "error"), now, output)
        return self.outputs.send(call_id, output.text)

    def close(self, call_id: str, status: str, now: Instant, output: ToolOutput | None = None) -> None:
        """The tool call is settled, with or without an output for the model."""
        opened = self._open.pop(call_id, None)
        reply = None
        if output is not None:
            reply = kept(output) if opened is None else opened.kept(output)
        self.record.tool_ended(
            call_id,
            status,
            now,
            http_status=output.http_status if output is not None else None,
            error=output.error if output is not None else None,
            reply=reply,
        )

    def taken_over(self, now: Instant) -> list[Intent]:
        """It is unknown what became of the requests in flight: those that are safe to repeat are sent again.

        They have the same key, so that an endpoint can recognise them. For the others the model is told that
        it is unknown whether they were carried out.
        """
        intents: list[Intent] = []
        for call_id in sorted(self._in_flight):
            opened = self._open[call_id]
            if opened.tool.is_repeatable and opened.request is not None:
                self._open[call_id] = replace(opened, attempt=opened.attempt - 1)
                intents += self._attempt(self._open[call_id], opened.request, now)
            else:
                intents += self._unknown(opened, now)
        return intents

    def missed(self, opened: OpenCall, now: Instant) -> list[Intent]:
        """Another process may have carried this tool call out, and could not write down that it was made."""
        opened = self._open[opened.call_id] = replace(opened, attempt=1)
        self.record.tool_tried(opened.call_id, now)
        return self._unknown(opened, now)

    def _unknown(self, opened: OpenCall, now: Instant) -> list[Intent]:
        """Tell the model that it is unknown whether the tool was run."""
        reply = HttpReply(failure=Failure.UNKNOWN)
        replied = Replied(call_id=opened.call_id, attempt=opened.attempt, reply=reply)
        return self.replied(replied, now, may_retry=False)

    def take_settled(self) -> bool:
        """Whether the last tool call of some response was answered since the last time this was asked.

        Then the model continues, once for the whole response.
        """
        return self.responses.take_settled(
            {call.response_id for call in self._open.values() if not call.in_background}
        )

    def go_on(self) -> list[Intent]:
        """Once the last tool call of a response is answered, the model continues: once for the response, not
        for each call.
        """
        return [GoOn()] if self.take_settled() else []

    def _condition(self, opened: OpenCall, now: Instant) -> ToolRefusal | None:
        """The tool's `when` condition now. A condition that cannot be evaluated does not hold."""
        tool, names = opened.tool, self._names_of(opened, now)
        if tool.when is None:
            return None
        try:
            if tool.when.value(names):
                return None
            reason = tool.otherwise.text(names) if tool.otherwise is not None else ""
        except TemplateFailure as failure:
            self.record.fault(str(failure))
            reason = ""
        error = reason or f"{tool.name} cannot be used now"
        return ToolRefusal(because=RefusedBecause.CONDITION, error=error)

    def _not_made(
        self, what: str, failure: TemplateFailure, opened: OpenCall, names: dict[str, Json]
    ) -> ToolOutput:
        """A template failed. The record says which one; the model, which may not read it, only why."""
        self.record.fault(f"{opened.tool.name}: {failure}")
        return error_output(f"the {what} cannot be made: {failure.reason}", opened.tool.result, names)

    def _send(self, opened: OpenCall, now: Instant) -> list[Action]:
        if opened.request is None:
            return []
        waiting = opened.begin_waiting(now)
        if not opened.tool.background:
            return [*waiting, *self._attempt(opened, opened.request, now)]
        started = ToolOutput.of({"status": "started", "result": "will follow"}, opened.tool.result)
        return [
            *waiting,
            *self._attempt(replace(opened, in_background=True), opened.request, now),
            *self.outputs.send(opened.call_id, started.text),
        ]

    def _attempt(self, opened: OpenCall, request: HttpRequest, now: Instant) -> list[Action]:
        opened = replace(opened, attempt=opened.attempt + 1)
        self._open[opened.call_id] = opened
        self._in_flight |= {opened.call_id}
        self.record.tool_tried(opened.call_id, now)
        return [
            SendRequest(
                call_id=opened.call_id,
                attempt=opened.attempt,
                tool=opened.tool.name,
                request=request,
                is_repeatable=opened.tool.is_repeatable,
            )
        ]

    def _names_of(self, opened: OpenCall, now: Instant) -> dict[str, Json]:
        return {**self.names(now), "args": opened.arguments}
