"""Builds what precedes an agent's answer: its lookup, and what happens to calls when it is busy."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from runner.call.templates.template import templates_in
from runner.config.building.duration import duration_s
from runner.config.building.tool_http import build_http
from runner.config.checking.checked import Checked
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import or_there_is
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.agent import BUSY_HERE, Agent, Lookup
from runner.model.route import Otherwise, Reject, ToAgent
from runner.model.template import Templated

LONG_RINGING_S = 5.0
"""Callers give up, and the voice API does not publish how long it lets a call ring."""

_LATE = '"vars.{}" is rendered from "lookup", which has no value yet'
_NOT_YET = '"lookup" has no value yet in its own request'


def build_lookup(
    node: Node | None, variables: Mapping[str, Templated], scope: Scope, problems: Problems
) -> Lookup | None:
    """`lookup`, or None where there is none or after noting a problem.

    `variables` are the agent's: those rendered from the answer cannot be part of the request.
    """
    if node is None:
        return None
    http, timeout, default = node.get("http"), node.get("timeout"), node.get("default")
    if http is None:
        return None
    asking = replace(
        scope,
        has_lookup=False,
        late_vars={name: _LATE.format(name) for name, value in variables.items() if _names_lookup(value)},
        why_no_lookup=_NOT_YET,
        why_no_args='"args" exists only inside a tool; the lookup is sent before any is called',
    )
    binding = build_http(http, asking, problems)
    timeout_s = duration_s(timeout, problems)
    if binding is None:
        return None
    if binding.body is not None and binding.body.is_arguments:
        binding = replace(binding, body=None)  # a lookup has no arguments to send
    lookup = Lookup(http=binding, default=default.data() if default is not None else None)
    if timeout_s is not None:
        lookup = replace(lookup, timeout_s=timeout_s)
    _check_times(node, lookup, problems)
    return lookup


def _names_lookup(value: Templated) -> bool:
    references = (reference for each in templates_in(value) for reference in each.references)
    return any(reference.path[0] == "lookup" for reference in references)


def _check_times(node: Node, lookup: Lookup, problems: Problems) -> None:
    timeout, attempt = node.get("timeout"), node.find("http", "timeout")
    if timeout is not None and lookup.timeout_s > LONG_RINGING_S:
        message = f'the caller hears ringing for "{timeout.text}"; most endpoints answer within two seconds'
        problems.warning(timeout.place, "long-ringing", message)
    if attempt is not None and lookup.http.timeout_s > lookup.timeout_s:
        message = f'"{attempt.text}" is never reached: the lookup ends after {lookup.timeout_s:g}s'
        problems.warning(attempt.place, "never-reached", message)


def build_busy(checked: Checked, problems: Problems) -> Otherwise:
    """`busy`; by default, callers over the limits hear that the agent is busy."""
    node, limits = checked.part("busy"), checked.root.get("limits")
    if node is None:
        return Reject(status=BUSY_HERE)
    own_file = checked.root.key_place("agent").file
    if node.place.file == own_file and not any(
        limits is not None and limits.get(key) for key in ("concurrent_calls", "calls_per_day")
    ):
        message = '"busy" never happens: "limits" sets neither "concurrent_calls" nor "calls_per_day"'
        problems.warning(checked.root.key_place("busy"), "never-reached", message)
    agent, reject = node.get("agent"), node.get("reject")
    if agent is not None:
        return ToAgent(agent=agent.text)
    return Reject(status=int(reject.text) if reject is not None else BUSY_HERE)


def check_busy(
    agents: Mapping[str, Agent], nodes: Mapping[str, Node], unread: Collection[str], problems: Problems
) -> None:
    """Note each `busy` that gives calls to an agent that does not exist, or back in a circle.

    `nodes` are the agents' documents by id. An agent whose file could not be read is not reported as missing.
    """
    known = {*nodes, *unread}
    for agent_id, node in nodes.items():
        target = node.find("busy", "agent")
        if target is None:
            continue
        if target.text not in known:
            message = f'there is no agent "{target.text}"{or_there_is(target.text, known)}'
            problems.error(target.place, "unknown-agent", message)
            continue
        circle = _circle(agent_id, agents)
        if circle and agent_id == min(circle):
            way = " -> ".join(f'"{name}"' for name in [*circle, agent_id])
            message = f"busy calls would go round in a circle: {way}; let one of them reject"
            problems.error(target.place, "busy-circle", message)


def _circle(agent_id: str, agents: Mapping[str, Agent]) -> list[str]:
    """The agents that a busy call would pass on its way back to this one, itself first; empty without a
    circle.
    """
    way: list[str] = []
    current = agent_id
    while current not in way:
        way.append(current)
        agent = agents.get(current)
        if agent is None or not isinstance(agent.busy, ToAgent):
            return []
        current = agent.busy.agent
    return way if current == agent_id else []
