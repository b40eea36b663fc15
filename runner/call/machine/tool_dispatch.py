"""Carries out the model's tool calls, by what they are bound to: request, hang-up, transfer or hand-off.

A hand-off ends when the API has accepted or refused the change of the session; both are handled here as well.
"""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from runner.call.machine.intent import End, GoOn, Intent
from runner.call.machine.lead import Lead
from runner.call.machine.limits import Consumption
from runner.call.machine.open_call import OpenCall
from runner.call.machine.phase import CallPhase, Phase, why_not
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.session_refresh import SessionRefresh
from runner.call.machine.tool_calls import ToolCalls
from runner.call.machine.tool_refusals import RefusedBecause, ToolRefusal
from runner.call.machine.transfers import Transfer, Transfers
from runner.call.records.deeds import Deeds
from runner.call.tools.tool_result import ToolOutput
from runner.model.action import Log, LogEvent, LogLevel
from runner.model.conversation_event import ApiError, ToolCalled
from runner.model.steering import ChangeAgent, DeedResult
from runner.model.tool import HandoffBinding, HangupBinding, ResultSpec, TransferBinding
from runner.model.values import Instant

MovingBinding: TypeAlias = HangupBinding | TransferBinding | HandoffBinding
"""A binding that ends the call or passes it on."""

NO_HANDOFF = "the hand-off is not possible; go on as you are"


@dataclass(slots=True, kw_only=True, eq=False)
class ToolDispatch:
    """The model's tool calls, by their bindings."""

    phase: CallPhase
    tools: ToolCalls
    transfers: Transfers
    serving: ServingAgent
    consumption: Consumption
    lead: Lead
    refresh: SessionRefresh
    deeds: Deeds

    def called(self, called: ToolCalled, now: Instant, *, was_missed: bool = False) -> list[Intent]:
        """The model calls a tool. The second report of the same call changes nothing.

        `was_missed`: another process may have run the tool, and the response that called it is over.
        """
        opened = self.tools.begin(called, self.serving.caller_of(called.response_id), now)
        if opened is None:
            return []
        intents: list[Intent] = []
        if was_missed:
            self.tools.responses.ended(called.response_id)
        if isinstance(opened, ToolRefusal):
            intents += self.tools.refuse(called, opened, now)
        elif was_missed and not opened.tool.is_repeatable:
            intents += self.tools.missed(opened, now)
        elif isinstance(binding := opened.tool.binding, MovingBinding):
            intents += self._move_on(called, opened, binding, now)
        elif self.consumption.has_more_tool_calls_than(self.serving.agent.limits.max_tool_calls):
            # `LimitWatch` ends the call; a tool call over the limit is not carried out.
            error = "this call may use no more tools"
            intents += self.tools.refuse(called, ToolRefusal(because=RefusedBecause.LIMIT, error=error), now)
        else:
            intents += self.tools.run(opened, binding, now)
        return intents + self.tools.go_on()

    def handed_off(self, now: Instant, *, is_confirmed: bool) -> list[Intent]:
        """The API has accepted the change of the session: the other agent serves the call now."""
        switch = self.serving.confirm(now, is_confirmed=is_confirmed)
        if switch is None:
            return []
        fields = {"agent": switch.agent.id, "because": switch.because}
        entry = Log(event=LogEvent.AGENT_SWITCHED, fields=fields)
        intents: list[Intent] = [entry, *self.serving.take_over(now)]
        if switch.call_id is not None:
            output = ToolOutput.of({"status": "handed off"}, ResultSpec())
            intents += self.tools.answer(switch.call_id, output, now)
        if switch.steered is not None:
            self.deeds.settle(switch.steered.id, DeedResult.DONE, now)
            intents += (
                [GoOn()] if isinstance(switch.steered.act, ChangeAgent) and switch.steered.act.speak else []
            )
        return [*intents, *self.refresh.handed_off(now), *self.tools.go_on()]

    def not_handed_off(self, error: ApiError, now: Instant) -> list[Intent]:
        """The API has refused the change of the session: the agent before continues, and its model is
        told."""
        switch = self.serving.refuse(error.about, error.message)
        if switch is None:
            return []
        fields = {
            "agent": switch.agent.id,
            "because": switch.because,
            "code": error.code,
            "detail": error.message,
        }
        entry = Log(event=LogEvent.HANDOFF_REFUSED, level=LogLevel.WARNING, fields=fields)
        refreshed = self.refresh.handed_off(now)
        if switch.steered is not None:
            detail = f"the API refused it: {error.message}"
            self.deeds.settle(switch.steered.id, DeedResult.REFUSED, now, detail)
        if switch.call_id is None:
            return [entry, *refreshed]
        output = ToolOutput.refused(NO_HANDOFF)
        return [
            entry,
            *refreshed,
            *self.tools.answer(switch.call_id, output, now, status="refused"),
            *self.tools.go_on(),
        ]

    def _move_on(
        self, called: ToolCalled, opened: OpenCall, binding: MovingBinding, now: Instant
    ) -> list[Intent]:
        if self.phase.now is not Phase.TALKING:
            error = f"not now: {why_not(self.phase.now)}"
            return [*self.tools.refuse(called, ToolRefusal(because=RefusedBecause.ENDING, error=error), now)]
        if self.lead.is_taken:
            error = "not now: a colleague leads the call"
            return [*self.tools.refuse(called, ToolRefusal(because=RefusedBecause.LEAD, error=error), now)]
        match binding:
            case HangupBinding(say=goodbye):
                self.tools.close(opened.call_id, "ok", now)
                after = opened.response_id if goodbye is None else None
                return [End(reason="hangup", say=goodbye, after_response=after)]
            case HandoffBinding(agent=agent_id):
                return self._hand_off(called, opened, agent_id, now)
            case TransferBinding():
                chosen = str(opened.arguments["destination"])
                fallback = binding.fallback if binding.fallback != chosen else None
                transfer = Transfer(
                    target=binding.destinations[chosen],
                    name=chosen,
                    fallback=binding.destinations[fallback] if fallback else None,
                    fallback_name=fallback or "",
                    say=binding.say,
                    call_id=opened.call_id,
                    response_id=opened.response_id,
                    if_not_completed=binding.if_not_completed,
                )
                return self.transfers.announce(transfer, now)
            case _:
                assert_never(binding)

    def _hand_off(self, called: ToolCalled, opened: OpenCall, agent_id: str, now: Instant) -> list[Intent]:
        intents = self.serving.hand_off(
            agent_id,
            f'tool "{opened.tool.name}"',
            now,
            call_id=opened.call_id,
            response_id=opened.response_id,
        )
        if self.serving.impossible:
            output = ToolOutput.refused(NO_HANDOFF)
            return [*intents, *self.tools.answer(called.call_id, output, now, status="refused")]
        return intents
