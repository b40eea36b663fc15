"""Checks that every hand-off goes to an agent that exists, and reports what a hand-off cannot change."""

from collections.abc import Collection, Iterator, Mapping

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
    for target in _of_tools(shared_tools):
        _check_exists(target, known, problems)
    for agent_id, node in agents.items():
        for target in (*_of_tools(node.get("tools")), *_of_guardrails(node.get("guardrails"))):
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


def _of_tools(tools: Node | None) -> Iterator[Node]:
    if tools is None:
        return
    for entry in (*tools.entries(), *(tool for _, tool in tools.items())):
        target = entry.find("handoff", "agent")
        if target is not None:
            yield target


def _of_guardrails(guardrails: Node | None) -> Iterator[Node]:
    for entry in guardrails.entries() if guardrails is not None else ():
        target = entry.find("then", "handoff")
        if target is not None:
            yield target
