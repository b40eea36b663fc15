"""Builds a scenario's expectations, and finds those that could never fail."""

from collections.abc import Iterator, Mapping

from runner.config.checking.suggest import did_you_mean, one_of
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.scenarios.scenario_scope import ScenarioScope
from runner.model.action import LOOKUP
from runner.model.record import ENDS
from runner.model.scenario import Expectation, Expected

TO_BE_WRITTEN = "..."
"""Stands for an expectation that `phone-agents test --update` will write."""


def build_expectation(node: Node, scope: ScenarioScope, problems: Problems) -> Expectation | None:
    """The `expect` of a scenario or of a step, if there is one."""
    expect = node.get("expect")
    if expect is None:
        return None
    unwanted = expect.get("not")
    wanted = {key: value for key, value in expect.items() if key != "not"}
    for part in (wanted, dict(unwanted.items()) if unwanted is not None else {}):
        for key, value in part.items():
            _check_names(key, value, scope, problems)
            if _is_empty(key, value, is_unwanted=part is not wanted):
                message = f'"{key}" is empty here, so that it could never fail; say what is expected'
                problems.error(value.place, "never-fails", message)
    return Expectation(
        wanted={key: expected(value) for key, value in wanted.items()},
        unwanted={key: expected(value) for key, value in unwanted.items()} if unwanted is not None else {},
        to_be_written=expect.value == TO_BE_WRITTEN,
        place=expect.place,
    )


def expected(node: Node) -> Expected:
    """The value with the place of each of its parts."""
    if isinstance(node.value, Mapping):
        return Expected(value={key: expected(value) for key, value in node.items()}, place=node.place)
    if isinstance(node.value, tuple):
        return Expected(value=tuple(expected(entry) for entry in node.value), place=node.place)
    return Expected(value=node.value, text=node.text, place=node.place)


def _is_empty(key: str, value: Node, *, is_unwanted: bool) -> bool:
    """A mapping without fields expects nothing. An empty list means none, except below `not`."""
    if isinstance(value.value, Mapping):
        return not value.value and key != "not"
    return is_unwanted and value.value == ()


def _check_names(key: str, value: Node, scope: ScenarioScope, problems: Problems) -> None:
    if key == "agent":
        scope.check_agent(value.text, value.place, problems)
    elif key == "ended" and "*" not in value.text and value.text not in ENDS:
        hint = did_you_mean(value.text, ENDS) or f"; write {one_of(ENDS, len(ENDS))}"
        problems.error(value.place, "value", f'no call ends as "{value.text}"{hint}')
    elif key == "handoffs":
        for agent in value.entries():
            if "*" not in agent.text:
                scope.check_agent(agent.text, agent.place, problems)
    elif key == "output":
        for name, place in value.key_places.items():
            scope.check_tool(name, place, problems)
    elif key in {"requests", "order"}:
        for tool in _tools_named(value):
            scope.check_tool(tool.text, tool.place, problems, [LOOKUP])


def _tools_named(value: Node) -> Iterator[Node]:
    for entry in value.entries():
        for key in ("tool", "request", "output"):
            name = entry.get(key)
            if name is not None and "*" not in name.text:
                yield name
