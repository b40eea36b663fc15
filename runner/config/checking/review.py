"""Warns of legal settings that are probably mistakes, as only the whole configuration shows."""

from collections.abc import Sequence

from runner.call.routes.routing import RouteTable
from runner.config.checking.unreachable_routes import check_unreachable
from runner.config.checking.unused import check_agents, check_shared
from runner.config.loaded import Loaded
from runner.config.problem import Problem, Problems


def review(variants: Sequence[Loaded]) -> tuple[Problem, ...]:
    """The warnings about one directory, as loaded without an environment and in each, or in one.

    With an error anywhere there are none: what the missing part uses would look unused.
    """
    configurations = [loaded.configuration for loaded in variants if loaded.configuration is not None]
    if len(configurations) < len(variants):
        return ()
    problems = Problems()
    check_unreachable(RouteTable.of(configurations[0]), problems)
    check_agents(configurations, problems)
    runner = variants[0].runner
    if runner is not None:
        agents = (node for loaded in variants for node in loaded.documents.values())
        sources = {name: text for loaded in variants for name, text in loaded.sources.items()}
        check_shared(runner, agents, sources, problems)
    return problems.sorted()
