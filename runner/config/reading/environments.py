"""Environments: overlays of runner.yaml by name, for `--environment`. Does not read the process's
environment.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from runner.config.checking.schema_files import schema
from runner.config.checking.suggest import did_you_mean, one_of
from runner.config.node import Node
from runner.config.problem import Problem
from runner.config.reading.layers import laid_over
from runner.errors import UsageError


def environment_names(runner: Node | None) -> tuple[str, ...]:
    """The environments that runner.yaml declares, in order."""
    declared = runner.get("environments") if runner is not None else None
    return tuple(name for name, _ in declared.items()) if declared is not None else ()


def check_environment(name: str, runner: Node | None, directory: str) -> None:
    """Raise UsageError for an environment that runner.yaml does not declare."""
    known = environment_names(runner)
    if name not in known:
        hint = did_you_mean(name, known) or (f"; there is {one_of(known)}" if known else "")
        raise UsageError(f'"{directory}" declares no environment "{name}"{hint}')


def in_environment(runner: Node, name: str | None) -> Node:
    """The document of runner.yaml as it is in this environment, or without any, and without `environments`.

    The environment's `vars` are not part of it: they are laid over the agents (`with_variables`). Nor are its
    `hosts`, what it names and runner.yaml does not declare, and keys that it cannot have.
    """
    base = _without(runner, "environments")
    overlay = runner.find("environments", name) if name is not None else None
    if overlay is None or not isinstance(overlay.value, Mapping):
        return base
    return laid_over(base, _overlay(overlay, base), "runner")._replace(place=base.place)


def _overlay(environment: Node, base: Node) -> Node:
    """The part of an environment that overlays runner.yaml. What is left out is noted at its place."""
    overlaid = schema("runner")["$defs"]["environment"]["properties"].keys() - {"vars", "hosts"}
    values = {key: value for key, value in environment.items() if key in overlaid}
    for key in ("tools", "schedules"):
        declared, changed = base.get(key), values.get(key)
        if changed is not None and isinstance(changed.value, Mapping):
            known = declared.value if declared is not None and isinstance(declared.value, Mapping) else {}
            values[key] = changed.holding({name: part for name, part in changed.items() if name in known})
    return environment.holding(values)


def with_variables(agent: Node, runner: Node | None, environment: str | None) -> Node:
    """An agent's document with the `vars` of the environment over its own."""
    if runner is None or environment is None:
        return agent
    overlay = runner.find("environments", environment)
    variables = overlay.get("vars") if overlay is not None else None
    if overlay is None or variables is None or not isinstance(variables.value, Mapping):
        return agent
    above = Node(value={"vars": variables}, place=agent.place, key_places={"vars": overlay.key_place("vars")})
    merged = laid_over(agent, above, "agent")
    # Where the agent has variables of its own, the key stands for them.
    return merged._replace(key_places={**merged.key_places, **agent.key_places})


def _without(node: Node, key: str) -> Node:
    return node.holding({name: value for name, value in node.items() if name != key})


def only_in_environments(
    everywhere: Collection[Problem], there: Mapping[str, Collection[Problem]]
) -> Iterator[Problem]:
    """The problems that only environments have, each once, with the names of those that have it."""
    names: dict[Problem, list[str]] = {}
    known = frozenset(everywhere)
    for name, problems in there.items():
        for problem in problems:
            if problem not in known:
                names.setdefault(problem, []).append(name)
    for problem, found_in in names.items():
        noun = "environment" if len(found_in) == 1 else "environments"
        quoted = " and ".join(f'"{name}"' for name in found_in)
        yield replace(problem, message=f"in the {noun} {quoted}: {problem.message}")
