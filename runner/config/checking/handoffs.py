"""Checks that every hand-off goes to an agent that exists, and reports what a hand-off cannot change."""

from collections.abc import Collection, Mapping

from runner.config.checking.handoff_graph import handoff_targets
from runner.config.checking.suggest import or_there_is
from runner.config.node import Node
from runner.config.problem import Problems


def check_handoffs(
    agents: Mapping[str, Node], shared_tools: Node | None, unread: Collection[str], problems: Problems
) -> None:
    """Note each hand-off, by a tool or a guardrail, that cannot be carried out as declared.

    `agents` are the agents' documents by id, merged with the defaults. An agent whose file could not be read
    (`unread`) is not reported as missing.
    """
    known = {*agents, *unread}
    for target in handoff_targets(shared_tools.values() if shared_tools is not None else (), ()):
        _check_exists(target, known, problems)
    for agent_id, node in agents.items():
        for target in handoff_targets(node.entries_at("tools"), node.entries_at("guardrails")):
            _check_exists(target, known, problems)
            if target.text == agent_id:
                problems.error(target.place, "hand-off", f'"{agent_id}" cannot hand the call to itself')
            elif target.text in agents:
                _check_model(agent_id, node, target, agents[target.text], problems)


def _check_exists(target: Node, known: Collection[str], problems: Problems) -> None:
    if target.text not in known:
        message = f'there is no agent "{target.text}"{or_there_is(target.text, known)}'
        problems.error(target.place, "unknown-agent", message)


def _check_model(agent_id: str, agent: Node, target: Node, other: Node, problems: Problems) -> None:
    """The API fixes the model when the call is accepted."""
    ours, theirs = agent.get("model"), other.get("model")
    if ours is not None and theirs is not None and ours.text != theirs.text:
        message = (
            f'"{target.text}" declares the model "{theirs.text}", but after a hand-off the call keeps that '
            f'of "{agent_id}", "{ours.text}"'
        )
        problems.warning(target.place, "hand-off", message)
