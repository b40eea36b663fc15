"""Lists the parts of a configuration that a scenario can cover, each with its place."""

from collections.abc import Iterator, Mapping

from runner.config.node import Node
from runner.model.agent import Agent
from runner.model.declaration import Declaration, DeclarationKind
from runner.model.settings import Configuration
from runner.model.tool import Tool
from runner.model.values import Place


def declared(
    configuration: Configuration, documents: Mapping[str, Node], shared_tools: Node | None
) -> Iterator[Declaration]:
    """Routes, reject rules, tools, hand-offs, transfers, limits and guardrails, agent by agent."""
    for rule in configuration.settings.routing.reject:
        yield Declaration(kind=DeclarationKind.REJECT_RULE, agent="", name="", place=rule.place)
    for agent in configuration.agents.values():
        node = documents[agent.id]
        for route in agent.routes:
            yield Declaration(kind=DeclarationKind.ROUTE, agent=agent.id, name="", place=route.place)
        for tool in agent.tools:
            yield from _of_tool(agent, tool, _definition(tool.name, node.get("tools"), shared_tools))
        yield from _of_conduct(agent, node)


def _definition(name: str, tools: Node | None, shared_tools: Node | None) -> Node | None:
    """Where the tool is defined: in the agent, or in runner.yaml where the agent only names it."""
    for entry in tools.entries() if tools is not None else ():
        if entry.value == name:
            return shared_tools.get(name) if shared_tools is not None else None
        if (named := entry.get("name")) is not None and named.text == name:
            return entry
    documents = [entry for entry in tools.entries() if entry.get("openapi")] if tools is not None else []
    for document in documents:
        for operation in document.entries_at("openapi", "operations"):
            inner = (part.text for key, part in operation.items() if key in ("id", "name"))
            if name in (operation.text, *inner):
                return operation
    return documents[0] if documents else None


def _of_tool(agent: Agent, tool: Tool, node: Node | None) -> Iterator[Declaration]:
    place = _place(agent, node)
    kind, choices = tool.binding.declares, tool.binding.choices
    destinations = node.find("transfer", "destinations") if node is not None else None
    for name in choices:
        at = destinations.key_place(name) if destinations is not None else place
        yield Declaration(kind=kind, agent=agent.id, name=f"{tool.name}: {name}", place=at)
    if not choices:
        yield Declaration(kind=kind, agent=agent.id, name=tool.name, place=place)


def _place(agent: Agent, node: Node | None) -> Place:
    return node.place if node is not None else agent.place


def _of_conduct(agent: Agent, node: Node) -> Iterator[Declaration]:
    limits = node.get("limits")
    for name, _ in limits.items() if limits is not None else ():
        at = limits.key_place(name) if limits is not None else agent.place
        yield Declaration(kind=DeclarationKind.LIMIT, agent=agent.id, name=name, place=at)
    for entry in node.entries_at("guardrails"):
        name_node = entry.get("name")
        if name_node is not None:
            yield Declaration(
                kind=DeclarationKind.GUARDRAIL, agent=agent.id, name=name_node.text, place=name_node.place
            )
