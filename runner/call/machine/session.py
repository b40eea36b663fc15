"""The served half of a call, from the API's answer to its end: parts that each decide about one aspect of it.

Who speaks has a table of its own in `runner.call.machine.floor`. Watches of one thing each (silence, limits,
guardrails, keys, failures) belong to the serving agent. `runner.call.machine.session_events` says which event
concerns which part.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from runner.call.afterwards.jobs import jobs_after
from runner.call.machine.added_messages import AddedMessages
from runner.call.machine.call_ending import CallEnding
from runner.call.machine.call_texts import CallTexts
from runner.call.machine.connection import CallConnection
from runner.call.machine.fulfilment import Fulfilment
from runner.call.machine.greeting import CallGreeting
from runner.call.machine.lead import Lead
from runner.call.machine.limits import Consumption
from runner.call.machine.phase import CallPhase, Phase
from runner.call.machine.serving_agent import ServingAgent
from runner.call.machine.session_refresh import SessionRefresh
from runner.call.machine.speech import Speech
from runner.call.machine.steering import Steering
from runner.call.machine.tampering import TamperWatch
from runner.call.machine.tool_calls import ToolCalls
from runner.call.machine.tool_dispatch import ToolDispatch
from runner.call.machine.transfers import Transfers
from runner.call.records.bill import Bill
from runner.call.records.deeds import Deeds
from runner.call.records.record_builder import RecordBuilder
from runner.call.records.redaction import Redactor
from runner.model.action import Action
from runner.model.agent import Agent
from runner.model.call import IncomingCall, WebRtcOrigin
from runner.model.job import Job
from runner.model.price import PriceList
from runner.model.record import CallRecord
from runner.model.values import Instant, Json


class Session:
    """The state of an answered call. Create it when the call is about to be answered; `begin` once it is.

    All parts have slots: thousands of calls are live, and each event touches many.
    """

    __slots__ = (
        "__weakref__",
        "builder",
        "connection",
        "consumption",
        "dispatch",
        "ending",
        "fulfilment",
        "greeting",
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
        "transfers",
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
        # What the other parts share: who speaks and in which order, what it costs, what is noted and said.
        self.speech = speech = Speech()
        self.lead = lead = Lead(speech)
        self.consumption = consumption = Consumption(Bill(prices, agent.model, agent.transcription_model))
        self.builder = builder = RecordBuilder(record, consumption.bill, deeds, speech.is_persons)
        self.texts = texts = CallTexts(call=call, agent=agent, lookup=lookup, record=builder, now=now)
        self.messages = messages = AddedMessages()
        # The tool calls, the ways out of the call, and the agent that serves it.
        self.tools = tools = ToolCalls(
            call_id=call.id,
            record=builder,
            consumption=consumption,
            names=texts.names,
            variables=texts.variables,
            secrets=secrets,
        )
        self.transfers = transfers = Transfers(
            phase=phase, speech=speech, tools=tools, record=builder, texts=texts, deeds=deeds
        )
        self.ending = ending = CallEnding(
            phase=phase,
            speech=speech,
            tools=tools,
            record=builder,
            texts=texts,
            lead=lead,
            deeds=deeds,
            transfers=transfers,
        )
        self.serving = serving = ServingAgent(
            agent=agent,
            agents=agents,
            texts=texts,
            record=builder,
            consumption=consumption,
            secrets=secrets,
            playback=speech.playback,
            lead=lead,
            is_quiet=self._is_quiet,
            now=now,
        )
        # What is asked of them: by the model, by a person, and by the machine's own plans.
        self.refresh = refresh = SessionRefresh(
            serving=serving, texts=texts, speech=speech, lead=lead, deeds=deeds
        )
        self.dispatch = ToolDispatch(
            phase=phase,
            tools=tools,
            transfers=transfers,
            serving=serving,
            consumption=consumption,
            lead=lead,
            refresh=refresh,
            deeds=deeds,
        )
        self.steering = steering = Steering(
            phase=phase,
            deeds=deeds,
            speech=speech,
            transfers=transfers,
            serving=serving,
            texts=texts,
            lead=lead,
            refresh=refresh,
            agents=agents,
            transfer_to=transfer_to,
        )
        self.greeting = greeting = CallGreeting(
            phase=phase, speech=speech, serving=serving, texts=texts, messages=messages
        )
        self.fulfilment = Fulfilment(
            phase=phase,
            speech=speech,
            ending=ending,
            transfers=transfers,
            serving=serving,
            messages=messages,
            texts=texts,
            record=builder,
            lead=lead,
            greeting=greeting,
        )
        self.connection = CallConnection(
            phase=phase,
            speech=speech,
            tools=tools,
            ending=ending,
            transfers=transfers,
            serving=serving,
            refresh=refresh,
            steering=steering,
            messages=messages,
            greeting=greeting,
            lead=lead,
            record=builder,
            origin=call.origin,
            lived_until=now,
        )
        is_open = isinstance(call.origin, WebRtcOrigin) and call.origin.has_data_channel
        self.tampering = (
            TamperWatch(speech=speech, messages=messages, tools=tools, record=builder) if is_open else None
        )

    @property
    def agent(self) -> Agent:
        """The agent that serves the call now."""
        return self.serving.agent

    @property
    def follows_words(self) -> bool:
        """Whether any part needs the agent's words as they come."""
        return bool(self.serving.agent.guardrails)

    def begin(self, now: Instant, *, is_first: bool) -> list[Action]:
        """The API has answered the call; unless this `is_first`, it has for a process that was lost."""
        if not is_first:
            self.greeting.doubt(now)
        self.consumption.since = now
        self.builder.accepted_at = now
        return self.fulfilment.actions(self.serving.start(now), now)

    @property
    def are_all_placed(self) -> bool:
        """Whether the API has confirmed the place of everything that we have added to the conversation."""
        return self.messages.are_placed and self.tools.outputs.are_confirmed

    @property
    def takes_long(self) -> bool:
        """Whether record and jobs may take longer to make than other calls may wait."""
        return self.builder.is_long or not self.redactor().changes_nothing

    def record(self) -> CallRecord:
        """The record of the call as it stands now, masked as its agents declare."""
        return self.redactor().record(self.builder.record())

    def bare_record(self) -> CallRecord:
        """The record without anything that somebody has said, dialled or done."""
        return replace(
            self.builder.outline(), caller=None, called=None, headers={}, handoffs=(), deeds=(), faults=()
        )

    def recent(self, most: int) -> CallRecord:
        """The same with the last turns and tool calls alone, for those who look while the call lasts."""
        redactor = self.redactor()
        redactor.learn(self.builder.tools.values())
        return redactor.record(self.builder.recent(most))

    def jobs(self, record: CallRecord, now: Instant) -> tuple[Job, ...]:
        """The jobs after the call, from its record."""
        redactor = self.redactor()
        redactor.learn(self.builder.tools.values())
        return jobs_after(self.serving.served[0], record, redactor.names(self.texts.names(now)), now)

    def redactor(self, values: Iterable[str] = ()) -> Redactor:
        """Masks the record as strictly as the strictest agent that has served the call, and these values."""
        return Redactor((agent.record for agent in self.serving.served), (*self.builder.private, *values))

    def _is_quiet(self, now: Instant) -> bool:
        """Whether nobody speaks, and nothing is in progress that will make somebody speak."""
        if self.lead.is_taken:
            return False
        is_waiting = (
            self.tools.awaited
            or self.tools.running
            or any(part.is_at_work(now) for part in self.serving.parts)
        )
        return self.phase.now is Phase.TALKING and self.speech.is_idle(now) and not is_waiting
