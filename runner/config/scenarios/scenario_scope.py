"""The names that scenarios may use: agents, tools, environments. Suggests one for an unknown name."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from runner.config.checking.suggest import did_you_mean, or_there_is
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.action import LOOKUP
from runner.model.agent import Agent
from runner.model.scenario import IF_BROKEN
from runner.model.tool import Tool
from runner.model.values import Json, JsonObject, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioScope:
    """The names of one configuration.

    `is_whole` is False where an agent could not be built: then an unknown name may be that agent's.
    """

    agents: Mapping[str, Agent]
    is_whole: bool
    environments: Collection[str]
    default_country: str | None

    def tools(self, name: str) -> list[Tool]:
        """The tools of this name, of any agent."""
        return [tool for agent in self.agents.values() for tool in agent.tools if tool.name == name]

    def check_agent(self, name: str, place: Place, problems: Problems) -> None:
        """Note an unknown agent."""
        if self.is_whole and name not in self.agents:
            message = f'there is no agent "{name}"{or_there_is(name, self.agents)}'
            problems.error(place, "unknown-agent", message)

    def check_tool(self, name: str, place: Place, problems: Problems, further: Iterable[str] = ()) -> bool:
        """Note an unknown tool; `further` names are fine too."""
        known = {*further, *(tool.name for agent in self.agents.values() for tool in agent.tools)}
        if not self.is_whole or name in known or self.is_mcp_tool(name):
            return True
        message = f'no agent has a tool "{name}"{self._meant(name, known)}'
        problems.error(place, "unknown-tool", message)
        return False

    def _meant(self, name: str, known: Iterable[str]) -> str:
        labels = self._mcp_labels()
        if name in labels:
            return f'; it is an MCP server, whose tools are called "{name}.TOOL"'
        _, dot, tool = name.partition(".")
        return did_you_mean(name, [*known, *(f"{label}.{tool}" for label in labels if dot)])

    def _mcp_labels(self) -> set[str]:
        return {server.label for agent in self.agents.values() for server in agent.mcp}

    def is_mcp_tool(self, name: str) -> bool:
        """Whether it is `server.tool`, with an MCP server that some agent has."""
        server, dot, tool = name.partition(".")
        return bool(dot and tool) and server in self._mcp_labels()

    def asks(self, name: str) -> bool:
        """Whether a request has this name, ours or one to an MCP server."""
        if self.is_mcp_tool(name):
            return True
        if name == LOOKUP:
            return any(agent.lookup is not None for agent in self.agents.values())
        return any(tool.binding.sends_request for tool in self.tools(name))

    def transfers(self, name: str) -> bool:
        """Whether a transfer has this name."""
        if name == IF_BROKEN:
            return any(agent.if_broken.transfer is not None for agent in self.agents.values())
        return any(tool.binding.choices for tool in self.tools(name))

    def arguments(self, name: str, node: Node) -> str:
        """The arguments of a call as the model would write them; a text stands for itself.

        Digits need no quotes where the tool takes a text, as everywhere in the language.
        """
        if isinstance(node.value, str):
            return node.value
        parameters = next((tool.parameters for tool in self.tools(name)), {})
        return json.dumps(_as_wanted(node, parameters), ensure_ascii=False)


def _as_wanted(node: Node, schema: JsonObject) -> Json:
    if isinstance(node.value, Mapping):
        properties = _mapping(schema.get("properties"))
        return {name: _as_wanted(value, _mapping(properties.get(name))) for name, value in node.items()}
    if isinstance(node.value, tuple):
        return [_as_wanted(entry, _mapping(schema.get("items"))) for entry in node.value]
    if schema.get("type") == "string" and node.value is not None:
        return node.text
    return node.value


def _mapping(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}
