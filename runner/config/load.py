"""Loads a configuration directory: reads, checks, merges, builds. Asks no environment and no network."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from runner.call.routing import RouteTable
from runner.config import settings
from runner.config.admission import check_busy
from runner.config.agents import AgentBuilder, Shared, shared_by_agents
from runner.config.defaults import laid_over
from runner.config.files import SETTINGS_FILE, Directory, Kind, SourceFile
from runner.config.handoffs import check_handoffs
from runner.config.node import Node
from runner.config.not_yet import refuse
from runner.config.problem import Problem, Problems
from runner.config.route_ties import check_ties
from runner.config.routes import RouteBuilder, check_otherwise, default_country
from runner.config.schedules import schedule_names, schedules
from runner.config.schema import check
from runner.config.secrets import NeededSecret, needed_secrets
from runner.config.suggest import nearest
from runner.config.yaml_text import read
from runner.model.agent import Agent
from runner.model.settings import Configuration, Settings
from runner.model.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of loading a directory."""

    configuration: Configuration | None
    """None when there are errors."""
    problems: tuple[Problem, ...]
    """Everything that is wrong, sorted by place."""
    sources: Mapping[str, str] = field(repr=False)
    """The text of each file that was read, by the name that places use."""
    secrets: tuple[NeededSecret, ...]
    """The secrets that runner.yaml names. Whether they are there, the environment decides."""


def load(directory: Path) -> Loaded:
    """Load a directory, with every problem in it at once.

    Raises CannotRunError when there is no such directory or it cannot be read.
    """
    problems = Problems()
    return _Loading(Directory(directory, problems), problems).loaded()


_THREE_KINDS = (
    'this file is none of the three kinds: an agent (it has the key "agent"), "runner.yaml" at the top, '
    'or scenarios ("*.test.yaml"); what begins with "_" is not read'
)
_ELSEWHERE = 'settings are read from "runner.yaml" at the top of the directory only; this is another file'
_AGENT_LINE = re.compile(r"""^agent:[ \t]*["']?([a-z0-9][a-z0-9-]*)""", re.MULTILINE)
# What is said about an agent only because runner.yaml could not be read.
_FOLLOW_UPS = {
    "unknown-secret",
    "unknown-tool",
    "unknown-schedule",
    "unknown-name",
    "missing-default",
    "default-country",
}
_EMPTY = Node(value={}, place=Place(SETTINGS_FILE, 1, 1))


class _Loading:
    """One run of `load`."""

    def __init__(self, directory: Directory, problems: Problems) -> None:
        self._directory = directory
        self._problems = problems
        self._runner = check(_EMPTY, "runner", problems)
        self._is_runner_unread = False
        self._agent_nodes: list[Node] = []
        self._documents: dict[str, Node] = {}
        """Each agent's document, with the defaults under it."""
        self._unread_ids: set[str] = set()
        """Ids of agents in files that cannot be read."""
        self._strangers = 0
        """Files that may have been meant as agents."""

    def loaded(self) -> Loaded:
        for file in self._directory.yaml_files():
            self._read(file)
        configuration = self._configuration()
        if not self._problems.has_errors:
            # With a route or a schedule missing, the table would show ties that are none.
            check_ties(RouteTable.of(configuration), self._problems)
        return Loaded(
            configuration=None if self._problems.has_errors else configuration,
            problems=self._problems.sorted(),
            sources=dict(self._directory.texts),
            secrets=tuple(needed_secrets(self._runner)),
        )

    def _read(self, file: SourceFile) -> None:
        node = None if file.content is None else read(file.name, file.content, self._problems)
        if node is None:
            self._unreadable(file)
        elif file.kind is Kind.SETTINGS:
            self._runner = check(node, "runner", self._problems)
            refuse(node, "runner", self._problems)
        elif file.kind is Kind.SCENARIOS:
            check(node, "test", self._problems)
        elif node.get("agent") is not None:
            self._agent_nodes.append(node)
        else:
            self._no_kind(file, node)

    def _unreadable(self, file: SourceFile) -> None:
        if file.kind is Kind.SETTINGS:
            self._is_runner_unread = True
        elif file.kind is Kind.AGENT:
            found = _AGENT_LINE.findall(self._directory.texts.get(file.name, ""))
            self._unread_ids.update(found)
            self._strangers += 1

    def _no_kind(self, file: SourceFile, node: Node) -> None:
        self._strangers += 1
        meant = next((key for key, _ in node.items() if nearest(key, ["agent"])), None)
        if PurePath(file.name).stem == PurePath(SETTINGS_FILE).stem:
            self._problems.error(node.place, "file-kind", _ELSEWHERE)
        elif meant is not None:
            message = f'unknown key "{meant}"; did you mean "agent"?'
            self._problems.error(node.key_place(meant), "file-kind", message)
        else:
            self._problems.error(node.place, "file-kind", _THREE_KINDS)

    def _configuration(self) -> Configuration:
        runner, problems = self._runner, self._problems
        routes = self._route_builder(problems)
        agents = self._agents()
        check_otherwise(runner, {*agents, *self._unread_ids}, problems)
        check_handoffs(self._documents, runner.root.get("tools"), self._unread_ids, problems)
        check_busy(
            {name: agent for name, agent in agents.items() if agent},
            self._documents,
            self._unread_ids,
            problems,
        )
        default = Settings()
        return Configuration(
            directory=self._directory.name,
            settings=Settings(
                provider=settings.provider(runner, problems),
                server=settings.server(runner, problems),
                store=settings.store(runner, problems) or default.store,
                routing=routes.settings(runner),
                schedules=schedules(runner, problems),
                secrets=settings.secrets(runner),
                egress=settings.egress(runner),
            ),
            agents={name: agent for name, agent in agents.items() if agent},
        )

    def _route_builder(self, problems: Problems) -> RouteBuilder:
        return RouteBuilder(
            problems,
            default_country=default_country(self._runner, self._problems),
            schedules=schedule_names(self._runner),
            read_list=self._directory.referenced_text,
        )

    def _agents(self) -> dict[str, Agent | None]:
        """Every agent by its id; None for one that could not be built."""
        shared = shared_by_agents(self._runner)
        agents: dict[str, Agent | None] = {}
        places: dict[str, Place] = {}
        for node in self._agent_nodes:
            agent_id = node.find("agent")
            name = agent_id.text if agent_id else ""
            found = Problems()
            agents[name] = self._agent(node, shared, found)
            if agent_id and name in places:
                found.error(agent_id.place, "duplicate-agent", f'the id "{name}" is taken by {places[name]}')
            elif agent_id:
                places[name] = agent_id.place
            self._problems.extend(
                problem
                for problem in found.sorted()
                if not (self._is_runner_unread and problem.rule in _FOLLOW_UPS)
            )
        if not agents and not self._strangers:
            place = Place(self._directory.name, 1, 1)
            self._problems.error(
                place, "no-agent", 'no agent here; an agent is a YAML file with the key "agent"'
            )
        return agents

    def _agent(self, node: Node, shared: Shared, problems: Problems) -> Agent | None:
        merged = laid_over(self._runner.root.get("defaults"), node)
        checked = check(merged, "agent", problems)
        refuse(merged, "agent", problems)
        agent_id, entries = checked.part("agent"), checked.root.get("routes")
        if agent_id is not None:
            self._documents[agent_id.text] = merged
        sound = [entry for entry in entries.entries() if checked.sound(entry)] if entries else []
        routes = self._route_builder(problems).routes(agent_id.text if agent_id else "", sound)
        return AgentBuilder(checked, shared, self._directory, problems).build(routes)
