"""Warns of declared parts without a use: agents that no call reaches, secrets, tools and schedules."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.agent import Agent
from runner.model.route import ToAgent
from runner.model.settings import Configuration

_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_SECRET = re.compile(r"""\bsecrets\s*(?:\.\s*|\[\s*["'])([A-Za-z0-9_]+)""")


def check_agents(configurations: Sequence[Configuration], problems: Problems) -> None:
    """Note each agent that no call reaches in any of these configurations of one directory."""
    reached = {agent_id for configuration in configurations for agent_id in _reached(configuration)}
    for agent_id, agent in configurations[0].agents.items():
        if agent_id not in reached:
            right = 'give it "routes", or name it in a hand-off, in "busy" or in "routing.otherwise"'
            message = f'no call reaches the agent "{agent_id}"; {right}'
            problems.warning(agent.place, "unreached-agent", message)


def _reached(configuration: Configuration) -> set[str]:
    """A hand-off by an agent that no call reaches brings no call either."""
    agents, otherwise = configuration.agents, configuration.settings.routing.otherwise
    waiting = [agent_id for agent_id, agent in agents.items() if agent.routes]
    waiting += [otherwise.agent] if isinstance(otherwise, ToAgent) else []
    reached: set[str] = set()
    while waiting:
        agent_id = waiting.pop()
        if agent_id in agents and agent_id not in reached:
            reached.add(agent_id)
            waiting += _next(agents[agent_id])
    return reached


def _next(agent: Agent) -> Iterator[str]:
    """The agents to which this one may give a call."""
    yield from agent.hands_to
    if isinstance(agent.busy, ToAgent):
        yield agent.busy.agent


def check_shared(
    runner: Node, agents: Iterable[Node], sources: Mapping[str, str], problems: Problems
) -> None:
    """Note what runner.yaml declares for all agents and none uses.

    `runner` is its document; `agents` are the agents', merged with the defaults, in each environment.
    `sources` are the texts of all files, since a secret is named only in text.
    """
    agents = list(agents)
    tools = {entry.text for agent in agents for entry in agent.entries_at("tools")}
    right = 'is not used by any agent; name it under "tools" of an agent, or leave it out'
    _warn(runner.get("tools"), tools, "tool", right, problems)
    secrets = secrets_named(_COMMENT.sub("", text) for text in sources.values() if "secrets" in text)
    right = "is not used in any template; write {{{{ secrets.{} }}}} where it is needed, or leave it out"
    _warn(runner.get("secrets"), secrets, "secret", right, problems)
    everywhere = (runner, *(node for _, node in runner.items_at("environments")))
    rules = [entry for agent in agents for entry in agent.entries_at("routes")]
    rules += [entry for node in everywhere for entry in node.entries_at("routing", "reject")]
    schedules = {during.text for rule in rules if (during := rule.get("during")) is not None}
    right = 'is not used by any route; write "during: {}" in one, or leave it out'
    _warn(runner.get("schedules"), schedules, "schedule", right, problems)


def secrets_named(texts: Iterable[str]) -> set[str]:
    """The secrets that templates in these texts name, as far as the text shows."""
    return {name for text in texts for name in _SECRET.findall(text)}


def _warn(declared: Node | None, used: Collection[str], noun: str, right: str, problems: Problems) -> None:
    if declared is None:
        return
    for name in declared.key_places:
        if name not in used:
            message = f'the {noun} "{name}" {right.format(name)}'
            problems.warning(declared.key_place(name), f"unused-{noun}", message)
