"""Builds the steps of a scenario: what happens, and what is expected after it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from runner.config.building.duration import duration_s
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.scenarios.expectations import build_expectation
from runner.config.scenarios.persons_act import build_persons_act
from runner.config.scenarios.replies import build_replies
from runner.config.scenarios.scenario_scope import ScenarioScope
from runner.model.scenario import (
    Act,
    CallerInterrupts,
    CallerLeaves,
    CallerTurn,
    HandoffIsRefused,
    KeysArePressed,
    ModelCalls,
    ModelFails,
    ModelSays,
    NobodySpeaks,
    NothingIsHeard,
    RunnerRestarts,
    SidebandIsLost,
    Step,
)
from runner.model.usage import Usage

_LASTING: Mapping[str, Callable[..., Act]] = {
    "silence": NobodySpeaks,
    "sideband_lost": SidebandIsLost,
    "nothing_heard": NothingIsHeard,
}
_ACTS = frozenset(
    {
        *("caller", "interrupts", "model_says", "model_calls", "model_fails", "keys", "silence"),
        *("nothing_heard", "sideband_lost", "restart", "hands_off_refused", "person", "caller_hangs_up"),
    }
)


def build_steps(scenario: Node, scope: ScenarioScope, problems: Problems) -> Iterator[Step]:
    """The steps of a scenario, in order; those with an unusable value are left out."""
    for step in scenario.entries_at("steps"):
        act = _act(step, scope, problems)
        if act is not None:
            yield Step(
                act=act,
                replies=build_replies(step.get("replies"), problems),
                usage=_usage(step.get("usage")),
                expect=build_expectation(step, scope, problems),
                place=step.place,
            )


def _act(step: Node, scope: ScenarioScope, problems: Problems) -> Act | None:
    key, value = next((key, value) for key, value in step.items() if key in _ACTS)
    calls = step.get("model_calls")
    if calls is not None:
        return _calls(calls, scope, problems, says=step.get("model_says"))
    match key:
        case "caller":
            return CallerTurn(text=value.text)
        case "model_says":
            return ModelSays(text=value.text)
        case "model_fails":
            return ModelFails(detail=value.text)
        case "keys":
            return KeysArePressed(keys=value.text)
        case "silence" | "sideband_lost" | "nothing_heard":
            seconds = duration_s(value, problems)
            return _LASTING[key](for_s=seconds) if seconds is not None else None
        case "interrupts":
            return _interruption(value, problems)
        case "restart":
            return RunnerRestarts()
        case "hands_off_refused":
            return HandoffIsRefused()
        case "person":
            return build_persons_act(value, scope, problems)
        case _:
            return CallerLeaves()


def _calls(node: Node, scope: ScenarioScope, problems: Problems, *, says: Node | None) -> ModelCalls:
    """A mapping, or a list of them where one tool is called twice."""
    calls: list[tuple[str, str]] = []
    for entry in node.entries() or (node,):
        for name, arguments in entry.items():
            scope.check_tool(name, entry.key_place(name), problems)
            calls.append((name, scope.arguments(name, arguments)))
    return ModelCalls(calls=tuple(calls), says=says.text if says is not None else None)


def _interruption(node: Node, problems: Problems) -> CallerInterrupts | None:
    after, caller = node.get("after"), node.get("caller")
    after_s = duration_s(after, problems)
    if after_s is None:
        return None
    return CallerInterrupts(after_s=after_s, text=caller.text if caller is not None else "")


def _usage(node: Node | None) -> Usage:
    if node is None:
        return Usage()
    return replace(Usage(), **{kind: int(tokens.text) for kind, tokens in node.items()})
