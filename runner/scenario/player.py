"""Plays one scenario: who answers, what happens step by step, and whether it is what is expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runner.api.realtime import accept_body
from runner.call.addresses.incoming import incoming_call
from runner.call.reception.admission import Admit, TurnAway, admit
from runner.call.reception.call_counts import CallCounts, place_call
from runner.call.reception.lookup import LookedUp, default_answer, lookup_request, next_attempt_s, read_answer
from runner.call.reception.reception import UNAVAILABLE_STATUS, receive
from runner.call.routes.routing import RouteTable
from runner.call.session.session import Session
from runner.call.templates.template import TemplateFailure
from runner.model.agent import Lookup
from runner.model.call import Ringing, origin_over
from runner.model.http import Failure, HttpReply
from runner.model.scenario import (
    Expectation,
    Kind,
    ModelCalls,
    ModelFails,
    ModelSays,
    Scenario,
    Step,
)
from runner.model.settings import Configuration
from runner.model.values import Json, Place
from runner.scenario.clock import SimulatedClock
from runner.scenario.coverage import Touch
from runner.scenario.difference import Difference
from runner.scenario.endpoint import UndeclaredError, reply_to
from runner.scenario.expectation import differences
from runner.scenario.facts import facts_of_rejection, facts_of_span
from runner.scenario.happened import Happened, Sent
from runner.scenario.stage import Stage

CALL_ID = "rtc_scenario"

LOOKUP = "lookup"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToWrite:
    """An expectation that asks for what was got."""

    expectation: Expectation
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a scenario: it has passed when there is no difference."""

    scenario: Scenario
    differences: tuple[Difference, ...]
    to_write: tuple[ToWrite, ...]
    touched: frozenset[Touch]


class Player:
    """Plays scenarios on one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._table = RouteTable.of(configuration)
        self._secrets = {name: f"placeholder-{name}" for name in configuration.settings.secrets}

    def play(self, scenario: Scenario) -> Played:
        """Play it from the ringing to the last step, or to the first thing that cannot be."""
        play = _Play(scenario, self._configuration, self._table, self._secrets)
        try:
            play.run()
        except UndeclaredError as error:
            play.found.append(Difference(place=play.place, what=str(error)))
        return Played(
            scenario=scenario,
            differences=tuple(play.found),
            to_write=tuple(play.to_write),
            touched=frozenset(play.touched),
        )


class _Play:
    """One scenario while it is played."""

    def __init__(
        self,
        scenario: Scenario,
        configuration: Configuration,
        table: RouteTable,
        secrets: Mapping[str, str],
    ) -> None:
        self.found: list[Difference] = []
        self.to_write: list[ToWrite] = []
        self.touched: set[Touch] = set()
        self.place: Place = scenario.place
        self._scenario = scenario
        self._configuration = configuration
        self._table = table
        self._secrets = secrets
        self._clock = SimulatedClock(scenario.at)
        self._stage: Stage | None = None
        self._before_answer: list[Happened] = []

    def run(self) -> None:
        """Raises UndeclaredError."""
        try:
            self._run()
        finally:
            if self._stage is not None:
                self.touched.update(self._stage.touched)

    def _run(self) -> None:
        scenario = self._scenario
        answered = self._answer()
        if isinstance(answered, int):
            self._check(scenario.expect, facts_of_rejection(answered), self._before_answer)
            self._never_reached(scenario.steps, f"the call is rejected with {answered}")
            return
        stage = self._stage = Stage(answered, self._clock, scenario.replies)
        accept = accept_body(answered.agent, answered.instructions, answered.servers)
        stage.open(model_is_next=_is_models(scenario.steps[:1]))
        self._check(scenario.expect, stage.facts(accept), [*self._before_answer, *stage.happened])
        seen = len(stage.happened)
        for number, step in enumerate(scenario.steps):
            self.place = step.place
            if stage.is_over:
                self._never_reached(
                    scenario.steps[number:], f'the call has ended ("{answered.builder.ended}")'
                )
                break
            rest = scenario.steps[number + 1 : number + 2]
            stage.act(step.act, step.replies, step.usage, model_is_next=_is_models(rest))
            if step.expect is not None:
                self._check(step.expect, stage.facts(accept), stage.happened[seen:])
                seen = len(stage.happened)

    def _check(
        self, expectation: Expectation | None, facts: Mapping[str, Json], happened: Sequence[Happened]
    ) -> None:
        if expectation is None:
            return
        got = {**facts, **facts_of_span(happened)}
        if expectation.to_be_written:
            self.to_write.append(ToWrite(expectation=expectation, facts=got))
        else:
            self.found += differences(expectation, got)

    def _never_reached(self, steps: Sequence[Step], why: str) -> None:
        if steps:
            self.found.append(Difference(place=steps[0].place, what=f"this step is never reached: {why}"))

    # Before the call is answered

    def _answer(self) -> Session | int:
        """The session of the call, or the SIP status that it is turned away with."""
        scenario, settings = self._scenario, self._configuration.settings
        origin = origin_over(scenario.transport, scenario.headers)
        ringing = Ringing(call_id=CALL_ID, created_at=scenario.at, origin=origin)
        call = incoming_call(ringing, settings.routing)
        admitted = self._make_room(admit(call, self._table, scenario.at))
        if isinstance(admitted, TurnAway):
            return admitted.status
        lookup = self._configuration.agents[admitted.agent].lookup
        try:
            return receive(
                admitted,
                self._look_up(admitted, lookup) if lookup is not None else None,
                agents=self._configuration.agents,
                secrets=self._secrets,
                now=self._clock.now,
            )
        except TemplateFailure:
            return UNAVAILABLE_STATUS

    def _make_room(self, decision: Admit | TurnAway) -> Admit | TurnAway:
        """What becomes of the call where the agent has calls already."""
        if isinstance(decision, TurnAway):
            if decision.rule is not None:
                self.touched.add(Touch(Kind.REJECT_RULE, "", str(decision.rule.place)))
            return decision
        if decision.route is not None:
            self.touched.add(Touch(Kind.ROUTE, decision.agent, str(decision.route.place)))
        call_counts = CallCounts()
        call_counts.remember(self._scenario.calls_today, self._scenario.at)
        for agent, number in self._scenario.live_calls.items():
            for _ in range(number):
                call_counts.take(agent, self._scenario.at)
        room = place_call(decision, self._configuration.agents, call_counts)
        for full in room.full:
            self.touched.add(Touch(Kind.LIMIT, full.agent, full.limit.value))
        return room.decision

    def _look_up(self, admitted: Admit, lookup: Lookup) -> LookedUp:
        """As the live call's: one deadline over all attempts, and always an answer in the end."""
        agent, began_s = self._configuration.agents[admitted.agent], self._clock.elapsed_s
        try:
            request = lookup_request(
                lookup, call=admitted.call, agent=agent, secrets=self._secrets, now=self._clock.now
            )
        except TemplateFailure as failure:
            return default_answer(lookup, str(failure), 0.0)
        deadline_s = began_s + lookup.timeout_s
        attempt = 0
        while True:
            attempt += 1
            self._before_answer.append(Sent(LOOKUP, LOOKUP, request))
            reply = reply_to(request, LOOKUP, attempt, self._scenario.replies, None)
            replied_s = self._clock.elapsed_s + reply.took_s
            if replied_s > deadline_s:
                reply, replied_s = HttpReply(failure=Failure.TIMEOUT), deadline_s
            self._clock.move_to(replied_s)
            delay_s = next_attempt_s(lookup, attempt, reply, replied_s - began_s)
            if delay_s is None:
                return read_answer(lookup, replace(reply, took_s=replied_s - began_s))
            self._clock.move_to(replied_s + delay_s)


def _is_models(steps: Sequence[Step]) -> bool:
    """Whether the next step is what the model does."""
    return any(isinstance(step.act, ModelSays | ModelCalls | ModelFails) for step in steps)
