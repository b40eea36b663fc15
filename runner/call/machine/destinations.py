"""Lists where a person may transfer a call: the destinations of agents, and those of
`server.admin.transfer_to`.
"""

from collections.abc import Iterable, Mapping, Sequence

from runner.model.agent import Agent
from runner.model.template import Template
from runner.model.tool import TransferBinding


def destinations(
    serving: Agent, agents: Iterable[Agent], transfer_to: Sequence[str]
) -> Mapping[str, Template | str]:
    """Destinations by name. Of two with the same name, the serving agent's own counts."""
    found: dict[str, Template | str] = {}
    for agent in (serving, *agents):
        for tool in agent.tools:
            if isinstance(tool.binding, TransferBinding):
                for name, target in tool.binding.destinations.items():
                    found.setdefault(name, target)
    for address in transfer_to:
        found.setdefault(address, address)
    return found
