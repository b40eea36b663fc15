"""Reports names that only an environment has: they change nothing, and staging would call production."""

from collections.abc import Iterable, Iterator, Sequence

from runner.config.checking.suggest import did_you_mean, or_there_is
from runner.config.checking.unused import secrets_named
from runner.config.node import Node
from runner.config.problem import Problems


def check_environment_names(runner: Node, agents: Sequence[Node] | None, problems: Problems) -> None:
    """Note each tool, secret, schedule and variable of an environment that exists nowhere else.

    A secret may also be one that a template of the environment names. `runner` is the document of runner.yaml
    as it was read; `agents` are the agents', or None where not all are known.
    """
    for _, environment in runner.items_at("environments"):
        _check_tools(environment.get("tools"), runner.get("tools"), agents or (), problems)
        secrets = {*_keys(runner.get("secrets")), *secrets_named(_texts(environment))}
        _check_keys(environment.get("secrets"), secrets, "secret", problems)
        _check_keys(environment.get("schedules"), _keys(runner.get("schedules")), "schedule", problems)
        if agents is not None:
            _check_variables(environment, runner, agents, problems)


def _check_keys(node: Node | None, known: Iterable[str], noun: str, problems: Problems) -> None:
    names = set(known)
    for name in _keys(node):
        if node is not None and name not in names:
            hint = or_there_is(name, names) or f'; declare it under "{noun}s" of runner.yaml'
            message = f'there is no {noun} "{name}" for the environment to change{hint}'
            problems.error(node.key_place(name), f"unknown-{noun}", message)


def _check_tools(node: Node | None, shared: Node | None, agents: Iterable[Node], problems: Problems) -> None:
    own = {
        named.text
        for agent in agents
        for entry in agent.entries_at("tools")
        if (named := entry.get("name")) is not None
    }
    theirs = [name for name in _keys(node) if name in own and name not in _keys(shared)]
    for name in theirs:
        if node is not None:
            message = (
                f'the tool "{name}" is an agent\'s own; move it to "tools" of runner.yaml, where an '
                "environment can change it"
            )
            problems.error(node.key_place(name), "unknown-tool", message)
    _check_keys(node, [*_keys(shared), *theirs], "tool", problems)


def _check_variables(environment: Node, runner: Node, agents: Sequence[Node], problems: Problems) -> None:
    declared = [
        variables
        for part in (runner.get("defaults"), environment.get("defaults"), *agents)
        if part is not None and (variables := part.get("vars")) is not None
    ]
    tools = [entry for agent in agents for entry in agent.entries_at("tools")]
    sets = [tool.find("result", "set") for tool in (*(node for _, node in runner.items_at("tools")), *tools)]
    known = {key for node in sets for key in _keys(node)}
    _check_below(environment.get("vars"), declared, known, problems)


def _check_below(node: Node | None, declared: Sequence[Node], known: set[str], problems: Problems) -> None:
    """Of a variable that is a mapping everywhere, the keys are known too."""
    names = {*known, *(key for variables in declared for key in _keys(variables))}
    for name, value in node.items() if node is not None else ():
        below = [part for variables in declared if (part := variables.get(name)) is not None]
        if node is not None and name not in names:
            hint = did_you_mean(name, names) or '; declare it under "vars" of an agent'
            message = f'there is no variable "{name}" for the environment to change{hint}'
            problems.error(node.key_place(name), "unknown-variable", message)
        elif below and all(_keys(part) for part in below):
            _check_below(value, below, set(), problems)


def _texts(node: Node) -> Iterator[str]:
    yield node.text
    for part in (*node.entries(), *node.values()):
        yield from _texts(part)


def _keys(node: Node | None) -> list[str]:
    return [key for key, _ in node.items()] if node is not None else []
