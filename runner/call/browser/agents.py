"""Adapts agents to callers from a browser: without what only a telephone can do."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from runner.model.agent import Agent, IfBroken


class AgentsOnTheWeb(Mapping[str, Agent]):
    """The agents by id, without keys and transfers; a way out by transfer becomes a spoken goodbye."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents

    def __getitem__(self, agent_id: str) -> Agent:
        return on_the_web(self._agents[agent_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)

    def __len__(self) -> int:
        return len(self._agents)


def on_the_web(agent: Agent) -> Agent:
    """The agent without what only a telephone can do: a browser has no keypad, and cannot be transferred."""
    way_out = agent.if_broken
    if way_out.transfer is not None:
        way_out = IfBroken(say=way_out.say, takes_leave=True)
    tools = tuple(tool for tool in agent.tools if not tool.binding.needs_telephone)
    return replace(agent, tools=tools, keys=None, if_broken=way_out)
