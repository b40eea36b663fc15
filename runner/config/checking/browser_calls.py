"""Warns of an agent's features that only telephones have, where browsers may call it."""

from collections.abc import Iterator, Mapping

from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.agent import Agent
from runner.model.call import Transport
from runner.model.values import Place

RULE = "browser-calls"
CREDENTIALS = frozenset({"authorization", "headers"})
"""The keys of an MCP server's settings that may hold credentials."""


def check_browser_calls(
    agent: Agent,
    document: Node,
    tools: Mapping[str, Node],
    problems: Problems,
    *,
    takes_them: bool,
    opens_data_channel: bool,
) -> None:
    """Note what a caller from a browser will not meet, and what a page may read that it should not.

    `takes_them`: whether runner.yaml allows such calls.
    """
    on_the_web = [route for route in agent.routes if route.conditions.transport is Transport.WEBRTC]
    if not on_the_web:
        return
    if not takes_them:
        message = (
            'no browser can call: runner.yaml declares no "server.browser"; '
            "`phone-agents run --dev` takes such calls on this machine"
        )
        problems.warning(on_the_web[0].place, RULE, message)
    for place, message in _for_telephones(agent, document, tools):
        problems.warning(place, RULE, message)
    for server in agent.mcp if opens_data_channel else ():
        if not server.settings.keys().isdisjoint(CREDENTIALS):
            place = document.key_place("tools")
            message = f'"{server.label}" has credentials, which a page may read with "data_channel: open"'
            problems.warning(place, RULE, message)


def _for_telephones(agent: Agent, document: Node, tools: Mapping[str, Node]) -> Iterator[tuple[Place, str]]:
    for tool in agent.tools:
        if tool.binding.needs_telephone:
            place = tools[tool.name].place if tool.name in tools else agent.place
            yield place, f'"{tool.name}" transfers, so callers from a browser get the agent without it'
    keys, way_out = document.get("keys"), document.find("if_broken", "transfer")
    if keys is not None:
        yield document.key_place("keys"), "callers from a browser have no keys to press"
    if way_out is not None:
        broken = document.get("if_broken")
        place = broken.key_place("transfer") if broken is not None else agent.place
        yield place, "callers from a browser cannot be transferred; their call ends with a goodbye instead"
