"""Knows which agents hand calls to which, by their documents, and what a call brings along from them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runner.config.node import Node
from runner.config.problem import Problems


@dataclass(frozen=True, slots=True)
class HandoffGraph:
    """The hand-offs between agents, by tools and by guardrails."""

    sources: Mapping[str, tuple[str, ...]]
    """For each agent, those that hand calls to it."""
    answering: frozenset[str]
    """The agents that calls reach without a hand-off."""

    @classmethod
    def of(cls, agents: Mapping[str, Node], runner: Node) -> "HandoffGraph":
        """`agents` are the agents' documents by id, merged with the defaults."""
        shared = runner.get("tools")
        otherwise = runner.find("routing", "otherwise", "agent")
        busy = [target.text for node in agents.values() if (target := node.find("busy", "agent"))]
        routed = [name for name, node in agents.items() if node.entries_at("routes")]
        sources: dict[str, dict[str, None]] = {}
        for name, node in agents.items():
            for target in handoff_targets(_tools(node, shared), node.entries_at("guardrails")):
                sources.setdefault(target.text, {})[name] = None
        return cls(
            {name: tuple(others) for name, others in sources.items()},
            frozenset({*routed, *busy, *([otherwise.text] if otherwise is not None else ())}),
        )

    def leading_to(self, agent: str) -> tuple[str, ...]:
        """The agents that a call may have had before it reached this one by hand-offs, the nearest first."""
        others: dict[str, None] = {}
        waiting = [agent]
        while waiting:
            for name in self.sources.get(waiting.pop(0), ()):
                if name != agent and name not in others:
                    others[name] = None
                    waiting.append(name)
        return tuple(others)

    def variables_for(self, agent: str, agents: Mapping[str, Node]) -> dict[str, tuple[Node, ...]]:
        """The possible values of each variable that a call brings to an agent which only hand-offs reach."""
        if agent in self.answering:
            return {}
        values: dict[str, tuple[Node, ...]] = {}
        for name in self.leading_to(agent):
            for key, value in agents[name].items_at("vars"):
                values[key] = (*values.get(key, ()), value)
        return values

    def lookup_for(self, agent: str, agents: Mapping[str, Node]) -> Node | None:
        """The lookup whose result a call brings to an agent which only hand-offs reach: the nearest one."""
        if agent in self.answering:
            return None
        return next(
            (lookup for name in self.leading_to(agent) if (lookup := agents[name].get("lookup"))), None
        )

    def set_by(self, agent: str, agents: Mapping[str, Node], runner: Node) -> Iterator[str]:
        """The variables that replies may have set before a hand-off, where nothing else leads here."""
        if agent in self.answering:
            return
        shared = runner.get("tools")
        for name in self.leading_to(agent):
            for tool in _tools(agents[name], shared):
                yield from (key for key, _ in tool.items_at("result", "set"))


def check_variables(graph: HandoffGraph, agents: Mapping[str, Node], problems: Problems) -> None:
    """Note each variable that an agent declares otherwise than one that hands calls to it.

    A call keeps the first value, so it never uses the second.
    """
    for name, node in agents.items():
        for key, value in node.items_at("vars"):
            for other in graph.leading_to(name):
                theirs = agents[other].find("vars", key)
                if theirs is None or theirs.data() == value.data():
                    continue
                if name in graph.leading_to(other) and theirs.place > value.place:
                    continue  # each hands off to the other, and one message is enough
                message = (
                    f'after a hand-off "{key}" keeps the value of "{other}", at {theirs.place}; '
                    "declare the same value in both, or give one another name"
                )
                problems.warning(value.place, "hand-off", message)
                break


def handoff_targets(tools: Iterable[Node], guardrails: Iterable[Node]) -> Iterator[Node]:
    """The agents that these tools and guardrails name for a hand-off."""
    yield from filter(None, (tool.find("handoff", "agent") for tool in tools))
    yield from filter(None, (guardrail.find("then", "handoff") for guardrail in guardrails))


def _tools(agent: Node, shared: Node | None) -> Iterator[Node]:
    """The tools of an agent, including those of runner.yaml that it names."""
    for entry in agent.entries_at("tools"):
        named = shared.get(entry.text) if shared is not None and isinstance(entry.value, str) else None
        yield named or entry
