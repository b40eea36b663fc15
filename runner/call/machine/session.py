"""The served half of a call's machine: from the API's answer to the end. Events in, actions out.

`runner.call.machine.session_events` says which event does what in which phase. Who speaks has a table of its
own in `runner.call.machine.floor`. Watches of one thing each (silence, limits, guardrails, keys, failures)
are parts, and `runner.call.machine.fulfilment` fits their intents to the phase.
"""

from collections.abc import Sequence

from runner.call.afterwards.jobs import jobs_after
from runner.call.machine.consumption import Consumption
from runner.call.machine.lead import Lead
from runner.call.machine.phase import CONNECTED, Phase
from runner.call.machine.session_events import Row, row
from runner.call.machine.session_parts import SessionParts
from runner.call.machine.speech import Speech
from runner.call.machine.steering import Steering
from runner.call.machine.tool_calls import ToolCalls
from runner.call.records.bill import Bill
from runner.call.records.record_builder import RecordBuilder
from runner.call.records.redaction import Redactor
from runner.model.action import Action
from runner.model.agent import Agent
from runner.model.event import CallEvent
from runner.model.job import Job
from runner.model.record import CallRecord
from runner.model.values import Instant, JsonObject

_ROWS: dict[type[CallEvent], Row] = {}
"""The rows of the types of events that have come."""


class Session:
    """The state of an answered call. Create it when the call is about to be answered; `begin` once it is."""

    __slots__ = ("__weakref__", "_parts")

    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts

    @property
    def agent(self) -> Agent:
        """The agent that serves the call now."""
        return self._parts.serving.agent

    @property
    def servers(self) -> tuple[JsonObject, ...]:
        """The MCP servers of that agent, as the API's own objects."""
        return self._parts.serving.servers

    @property
    def served(self) -> Sequence[Agent]:
        """Every agent that has served the call, in order."""
        return self._parts.serving.served

    @property
    def may_hand_to(self) -> tuple[str, ...]:
        """The agents that could take over now."""
        return self._parts.serving.others

    @property
    def phase(self) -> Phase:
        """The phase of the call."""
        return self._parts.phase.now

    @property
    def instructions(self) -> str:
        """The instructions of the agent that serves the call now."""
        return self._parts.texts.instructions

    @property
    def variables(self) -> JsonObject:
        """What `vars` holds now."""
        return self._parts.texts.variables

    @property
    def speech(self) -> Speech:
        """Who speaks, and what waits to be said."""
        return self._parts.speech

    @property
    def tools(self) -> ToolCalls:
        """The tool calls that have not ended."""
        return self._parts.tools

    @property
    def lead(self) -> Lead:
        """Who leads the call."""
        return self._parts.lead

    @property
    def steering(self) -> Steering:
        """Carries out what people want of the call."""
        return self._parts.steering

    @property
    def consumption(self) -> Consumption:
        """What the call has used of its limits."""
        return self._parts.consumption

    @property
    def builder(self) -> RecordBuilder:
        """The record so far, unmasked."""
        return self._parts.builder

    @property
    def lived_until(self) -> Instant:
        """When the call was given the last event."""
        return self._parts.connection.lived_until

    @property
    def follows_words(self) -> bool:
        """Whether any part needs the agent's words as they come."""
        return bool(self.agent.guardrails)

    def begin(self, now: Instant) -> list[Action]:
        """The API has answered the call."""
        parts = self._parts
        parts.consumption.since = now
        parts.builder.accepted(now)
        return parts.fulfilment.actions(parts.serving.start(now), now)

    def begin_bare(self, now: Instant) -> None:
        """Serve a call of which only the agent is known: do not greet, and tell the model so."""
        self._parts.connection.begin_bare(now)

    def handle(self, event: CallEvent, now: Instant) -> list[Action]:
        """Decide on the actions for `event`, in this order."""
        parts = self._parts
        fulfil = parts.fulfilment.actions
        parts.builder.note(event, now)
        actions: list[Action] = []
        # Thousands of calls are live: what an event does not concern is not even looked at.
        if type(event) in Bill.hears:
            parts.consumption.bill.note(event)
        if type(event) in Speech.hears:
            actions += parts.speech.handle(event, now, sees_all=parts.are_all_placed)
        tampering = parts.tampering
        if tampering is not None and type(event) in tampering.hears and parts.phase.now in CONNECTED:
            whole = parts.serving.whole_session("switch_mend")
            actions += fulfil(tampering.handle(event, whole), now)
        by_phase = _ROWS.get(type(event))
        if by_phase is None:
            by_phase = _ROWS[type(event)] = row(event)
        handler = by_phase.get(parts.phase.now)
        if handler is not None:
            actions += fulfil(handler(parts, event, now), now)
        for part in parts.serving.parts:
            if type(event) in part.hears:
                actions += fulfil(part.handle(event, now), now)
        while ends := parts.speech.take_sentence_ends():
            for key, end in ends:
                parts.steering.sentence_ended(key, end, now)
                actions += fulfil([*parts.ending.sentence_ended(key, end, now), *parts.tools.go_on()], now)
        parts.connection.lived_until = now
        return actions + parts.speech.ask(now)

    @property
    def takes_long(self) -> bool:
        """Whether record and jobs may take longer to make than other calls may wait."""
        return self.builder.is_long or not self.redactor().changes_nothing

    def record(self) -> CallRecord:
        """The record of the call as it stands now, masked as its agents declare."""
        return self.redactor().record(self.builder.record())

    def jobs(self, record: CallRecord, now: Instant) -> tuple[Job, ...]:
        """The jobs after the call, from its record."""
        redactor = self.redactor()
        redactor.learn(self.builder.tools.values())
        return jobs_after(self.served[0], record, redactor.names(self._parts.texts.names(now)), now)

    def redactor(self) -> Redactor:
        """Masks the record as strictly as the strictest agent that has served the call."""
        return Redactor((agent.record for agent in self.served), self.builder.private)
