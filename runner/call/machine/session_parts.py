"""Puts together what a served call consists of: parts that each decide about one aspect of it."""

from collections.abc import Mapping, Sequence

from runner.call.machine.added_messages import AddedMessages
from runner.call.machine.call_ending import CallEnding
from runner.call.machine.call_texts import CallTexts
from runner.call.machine.connection import Connection
from runner.call.machine.consumption import Consumption
from runner.call.machine.fulfilment import Fulfilment
from runner.call.machine.lead import Lead
from runner.call.machine.phase import CallPhase, Phase
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.session_refresh import SessionRefresh
from runner.call.machine.speech import Speech
from runner.call.machine.steering import Steering
from runner.call.machine.tampering import TamperWatch
from runner.call.machine.tool_calls import ToolCalls
from runner.call.machine.tool_dispatch import ToolDispatch
from runner.call.records.bill import Bill
from runner.call.records.deeds import Deeds
from runner.call.records.record_builder import RecordBuilder
from runner.model.agent import Agent
from runner.model.call import IncomingCall, WebRtcOrigin
from runner.model.price import PriceList
from runner.model.record import CallRecord
from runner.model.values import Instant, Json


class SessionParts:
    """The parts of one session. All have slots: thousands of calls are live, and each event touches many."""

    __slots__ = (
        "builder",
        "connection",
        "consumption",
        "dispatch",
        "ending",
        "fulfilment",
        "lead",
        "messages",
        "phase",
        "refresh",
        "serving",
        "speech",
        "steering",
        "tampering",
        "texts",
        "tools",
    )

    def __init__(
        self,
        *,
        call: IncomingCall,
        phase: CallPhase,
        deeds: Deeds,
        agent: Agent,
        agents: Mapping[str, Agent],
        secrets: Mapping[str, str],
        now: Instant,
        prices: PriceList,
        record: CallRecord,
        transfer_to: Sequence[str] = (),
        lookup: Json = None,
    ) -> None:
        """`record` is the record before the call is answered, `lookup` the lookup's answer.

        Raises TemplateFailure when the agent's instructions cannot be rendered for this call.
        """
        self.phase = phase
        self.speech = Speech()
        self.lead = Lead(self.speech)
        self.consumption = Consumption(Bill(prices, agent.model, agent.transcription_model))
        self.builder = RecordBuilder(
            record,
            self.consumption.bill,
            deeds,
            self.speech.is_persons,
        )
        self.texts = CallTexts(call=call, agent=agent, lookup=lookup, record=self.builder, now=now)
        self.tools = ToolCalls(
            call_id=call.id,
            record=self.builder,
            consumption=self.consumption,
            names=self.texts.names,
            variables=self.texts.variables,
            secrets=secrets,
        )
        self.ending = CallEnding(
            phase=phase,
            speech=self.speech,
            tools=self.tools,
            record=self.builder,
            texts=self.texts,
            lead=self.lead,
            deeds=deeds,
        )
        self.serving = ServingAgent(
            agent=agent,
            agents=agents,
            texts=self.texts,
            record=self.builder,
            consumption=self.consumption,
            secrets=secrets,
            playback=self.speech.playback,
            lead=self.lead,
            is_quiet=self._is_quiet,
            now=now,
        )
        self.refresh = SessionRefresh(
            serving=self.serving, texts=self.texts, speech=self.speech, lead=self.lead, deeds=deeds
        )
        self.dispatch = ToolDispatch(
            phase=phase,
            tools=self.tools,
            ending=self.ending,
            serving=self.serving,
            consumption=self.consumption,
            lead=self.lead,
            refresh=self.refresh,
            deeds=deeds,
        )
        self.steering = Steering(
            phase=phase,
            deeds=deeds,
            speech=self.speech,
            ending=self.ending,
            serving=self.serving,
            texts=self.texts,
            lead=self.lead,
            refresh=self.refresh,
            agents=agents,
            transfer_to=transfer_to,
        )
        self.messages = AddedMessages()
        self.fulfilment = Fulfilment(
            phase=phase,
            speech=self.speech,
            ending=self.ending,
            serving=self.serving,
            messages=self.messages,
            texts=self.texts,
            record=self.builder,
            lead=self.lead,
        )
        self.connection = Connection(
            phase=phase,
            speech=self.speech,
            tools=self.tools,
            ending=self.ending,
            serving=self.serving,
            refresh=self.refresh,
            steering=self.steering,
            messages=self.messages,
            fulfilment=self.fulfilment,
            lead=self.lead,
            record=self.builder,
            origin=call.origin,
            now=now,
        )
        is_open = isinstance(call.origin, WebRtcOrigin) and call.origin.has_data_channel
        self.tampering = (
            TamperWatch(messages=self.messages, tools=self.tools, record=self.builder) if is_open else None
        )

    @property
    def are_all_placed(self) -> bool:
        """Whether the API has confirmed the place of everything that we have added to the conversation."""
        return self.messages.are_placed and self.tools.outputs.are_confirmed

    def _is_quiet(self, now: Instant) -> bool:
        """Whether nobody speaks, and nothing is in progress that will make somebody speak."""
        if self.lead.is_taken:
            return False
        is_waiting = self.tools.awaited or self.tools.running or self.serving.pending is not None
        return self.phase.now is Phase.TALKING and self.speech.is_idle(now) and not is_waiting
