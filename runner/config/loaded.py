"""The result of loading a configuration directory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.config.building.secrets import NeededSecret
from runner.config.node import Node
from runner.config.problem import Problem, Problems
from runner.model.declaration import Declaration
from runner.model.settings import Configuration

if TYPE_CHECKING:
    from runner.model.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration, or its mistakes, and the texts that it was read from."""

    configuration: Configuration | None
    """None when `problems` has errors."""
    problems: tuple[Problem, ...]
    """The mistakes of the configuration, sorted by place."""
    scenario_problems: tuple[Problem, ...] = ()
    """The mistakes in `*.test.yaml`, sorted by place. They concern `test` and `validate` only."""
    sources: Mapping[str, str] = field(repr=False)
    """The text of each file that was read, by the name that places use."""
    secrets: tuple[NeededSecret, ...]
    """The secrets that runner.yaml names. Whether they are set is a matter of the process's environment."""
    documents: Mapping[str, Node] = field(repr=False)
    """Each agent's document by id, merged with the defaults and the environment."""
    scenarios: "tuple[Scenario, ...]" = field(default=(), repr=False)
    """Those of all `*.test.yaml`, by file and line."""
    declared: tuple[Declaration, ...] = field(default=(), repr=False)
    """What a scenario can cover."""
    runner: Node | None = field(repr=False)
    """The document of runner.yaml as it was read."""

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Those of the configuration and of its scenarios, sorted by place."""
        problems = Problems()
        problems.extend((*self.problems, *self.scenario_problems))
        return problems.sorted()
