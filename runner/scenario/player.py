"""Plays one scenario: who answers, what happens step by step, and whether it is what is expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.api.realtime.session import session_body
from runner.call.machine.call_counts import CallCounts
from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.model.action import AnswerCall, ClaimCall, ClearTimer, RejectCall, SendRequest, SetTimer
from runner.model.call import Ringing, origin_over
from runner.model.event import ClaimReplied, Limit, Replied
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
        secrets = {name: f"placeholder-{name}" for name in configuration.settings.secrets}
        self._world = World.of(configuration, secrets)

    def play(self, scenario: Scenario) -> Played:
        """Play it from the ringing to the last step, or to the first thing that cannot be."""
        play = _Play(scenario, self._world)
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
        world: World,
    ) -> None:
        self.found: list[Difference] = []
        self.to_write: list[ToWrite] = []
        self.touched: set[Touch] = set()
        self.place: Place = scenario.place
        self._scenario = scenario
        self._world = world
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
        session = answered.session
        if session is None:
            raise RuntimeError("a call that is to be answered has a session")
        stage = self._stage = Stage(answered, session, self._clock, scenario.replies)
        accept = session_body(session.agent, session.instructions, session.servers)
        stage.open(model_is_next=_is_models(scenario.steps[:1]))
        self._check(scenario.expect, stage.facts(accept), [*self._before_answer, *stage.happened])
        seen = len(stage.happened)
        for number, step in enumerate(scenario.steps):
            self.place = step.place
            if stage.is_over:
                self._never_reached(
                    scenario.steps[number:], f'the call has ended ("{session.builder.ended}")'
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

    def _answer(self) -> CallMachine | int:
        """The machine of the call that is to be answered, or the SIP status that it is turned away with."""
        scenario = self._scenario
        origin = origin_over(scenario.transport, scenario.headers)
        ringing = Ringing(call_id=CALL_ID, created_at=scenario.at, origin=origin)
        machine, actions = CallMachine.ring(ringing, self._world, self._clock.now)
        self._touch_match(machine)
        counts = self._counts()
        while True:
            for action in actions:
                match action:
                    case ClaimCall():
                        self._clock.later(self._claimed(action, counts), 0.0)
                    case SendRequest():
                        self._before_answer.append(Sent(LOOKUP, LOOKUP, action.request))
                        reply = reply_to(action.request, LOOKUP, action.attempt, scenario.replies, None)
                        replied = Replied(call_id=action.call_id, attempt=action.attempt, reply=reply)
                        self._clock.later(replied, reply.took_s)
                    case SetTimer(timer=timer, at=at):
                        self._clock.set(timer, at)
                    case ClearTimer(timer=timer):
                        self._clock.clear(timer)
                    case AnswerCall():
                        return machine
                    case RejectCall(status=status):
                        return status
            event = self._clock.take(float("inf"))
            if event is None:
                raise RuntimeError("the call is neither answered nor turned away")
            actions = machine.handle(event, self._clock.now)

    def _touch_match(self, machine: CallMachine) -> None:
        match = machine.reception.match
        if match is None:
            return
        if match.rule is not None:
            self.touched.add(Touch(Kind.REJECT_RULE, "", str(match.rule.place)))
        if match.route is not None and match.agent is not None:
            self.touched.add(Touch(Kind.ROUTE, match.agent, str(match.route.place)))

    def _counts(self) -> CallCounts:
        counts = CallCounts()
        counts.remember(self._scenario.calls_today, self._scenario.at)
        for agent, number in self._scenario.live_calls.items():
            for _ in range(number):
                counts.take(agent, self._scenario.at)
        return counts

    def _claimed(self, claim: ClaimCall, counts: CallCounts) -> ClaimReplied:
        claimed = counts.claim(claim, self._scenario.at)
        if not isinstance(claimed, Limit):
            return ClaimReplied(agent=claim.agent)
        self.touched.add(Touch(Kind.LIMIT, claim.agent, claimed.value))
        return ClaimReplied(agent=claim.agent, reached=claimed)


def _is_models(steps: Sequence[Step]) -> bool:
    """Whether the next step is what the model does."""
    return any(isinstance(step.act, ModelSays | ModelCalls | ModelFails) for step in steps)
