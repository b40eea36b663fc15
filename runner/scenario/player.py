"""Plays one scenario: who answers, what happens step by step, and how it differs from what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass

from runner.api.port import VoiceApi
from runner.call.machine.world import World
from runner.model.scenario import Expectation, Scenario, Step
from runner.model.settings import Configuration
from runner.model.values import Json, Place
from runner.scenario.coverage import Use
from runner.scenario.expectation import differences
from runner.scenario.mismatch import Mismatch
from runner.scenario.observation import logged
from runner.scenario.replies import UnplayableError
from runner.scenario.steps import StepPlayer
from runner.scenario.virtual_call import VirtualCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToWrite:
    """An expectation that asks for the observed value."""

    expectation: Expectation
    observed: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """The result of a scenario: it has passed when there is no difference."""

    scenario: Scenario
    differences: tuple[Mismatch, ...]
    to_write: tuple[ToWrite, ...]
    uses: frozenset[Use]


class Player:
    """Plays scenarios on one configuration."""

    def __init__(self, configuration: Configuration, api: VoiceApi) -> None:
        secrets = {name: f"placeholder-{name}" for name in configuration.settings.secrets}
        self._world = World.of(configuration, secrets)
        self._api = api

    def play(self, scenario: Scenario) -> ScenarioResult:
        """Play it from the ringing to the last step, or to the first one that cannot be played."""
        play = _Play(scenario, VirtualCall(scenario, self._world, self._api))
        try:
            play.run()
        except UnplayableError as error:
            play.differences.append(Mismatch(place=play.place, what=str(error)))
        return ScenarioResult(
            scenario=scenario,
            differences=tuple(play.differences),
            to_write=tuple(play.to_write),
            uses=frozenset(play.call.uses.uses),
        )


class _Play:
    """One scenario while it is played."""

    def __init__(self, scenario: Scenario, call: VirtualCall) -> None:
        self.differences: list[Mismatch] = []
        self.to_write: list[ToWrite] = []
        self.place: Place = scenario.place
        self.call = call
        self._scenario = scenario
        self._steps = StepPlayer(call)
        self._checked = 0
        """The number of log entries that were compared with an expectation."""
        self._violations = 0

    def run(self) -> None:
        """Raises UnplayableError."""
        scenario, call = self._scenario, self.call
        steps = scenario.steps
        self._steps.begin(steps[0] if steps else None)
        self._check_violations()
        self._check(scenario.expect)
        # What comes before the first step counts only for the scenario's own expectation.
        self._checked = len(call.log)
        for number, step in enumerate(steps):
            self.place = step.place
            if call.is_over:
                self._never_reached(step)
                return
            call.answer_with({**scenario.replies, **step.replies})
            self._steps.play(step, next(iter(steps[number + 1 :]), None))
            self._check_violations()
            if step.expect is not None:
                self._check(step.expect)
                self._checked = len(call.log)

    def _check(self, expectation: Expectation | None) -> None:
        if expectation is None:
            return
        observed = {**self.call.observed(), **logged(self.call.log[self._checked :])}
        if expectation.to_be_written:
            self.to_write.append(ToWrite(expectation=expectation, observed=observed))
        else:
            self.differences += differences(expectation, observed)

    def _check_violations(self) -> None:
        """What the API would refuse is wrong, whatever was expected."""
        violations = self.call.api.call.violations
        for violation in violations[self._violations :]:
            what = f"the voice API would refuse what it is sent: {violation}"
            self.differences.append(Mismatch(place=self.place, what=what))
        self._violations = len(violations)

    def _never_reached(self, step: Step) -> None:
        reception, session = self.call.machine.reception, self.call.machine.session
        if session is not None:
            why = f'the call has ended ("{session.builder.ended}")'
        else:
            why = f"the call is rejected with {reception.rejected_with}"
            why += f": {reception.detail}" if reception.detail else ""
        what = f"this step is never reached: {why}"
        self.differences.append(Mismatch(place=step.place, what=what))
