"""One run of `load`, over documents that were read: checks, merges and builds them, with every problem."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.call.routes.routing import RouteTable
from runner.config.building import settings
from runner.config.building.admission import check_busy
from runner.config.building.agents import AgentBuilder
from runner.config.building.hosts import check_hosts_are_asked, environment_hosts, redirected_agent
from runner.config.building.parts import Parts
from runner.config.building.routes import RouteBuilder, check_otherwise, default_country
from runner.config.building.schedules import schedule_names, schedules
from runner.config.building.secrets import needed_secrets
from runner.config.building.shared import Shared, shared_by_agents
from runner.config.checking.checked import Checked
from runner.config.checking.egress_hosts import check_hosts, request_urls
from runner.config.checking.environment_names import check_environment_names
from runner.config.checking.handoff_graph import HandoffGraph, check_variables
from runner.config.checking.handoffs import check_handoffs
from runner.config.checking.not_yet import refuse_unsupported
from runner.config.checking.route_ties import check_ties
from runner.config.checking.schema import check
from runner.config.loaded import Loaded
from runner.config.node import Node
from runner.config.problem import Problem, Problems, has_errors
from runner.config.reading.documents import Documents
from runner.config.reading.environments import environment_names, in_environment, with_variables
from runner.config.reading.files import SETTINGS_FILE, Directory, is_scenarios
from runner.config.reading.layers import laid_over
from runner.config.scenarios.declared import declared
from runner.model.agent import Agent
from runner.model.price import PriceList
from runner.model.settings import Configuration, Settings
from runner.model.values import Place

if TYPE_CHECKING:
    from runner.model.scenario import Scenario

# What is reported about an agent only because runner.yaml was not read.
_NEEDS_RUNNER = {
    *("unknown-secret", "unknown-tool", "unknown-schedule", "unknown-name"),
    *("missing-default", "default-country"),
}
# What is reported about a file only because the agents beside it were not read.
_NEEDS_AGENTS = {"unknown-agent", "unreached-agent"}
_EMPTY = Node(value={}, place=Place(SETTINGS_FILE, 1, 1))


def _only_environment(runner: Node, name: str) -> Node | None:
    """The document of runner.yaml with only this environment in it; None where there is no such one."""
    environments, environment = runner.get("environments"), runner.find("environments", name)
    if environments is None or environment is None:
        return None
    return runner.holding({"environments": environments.holding({name: environment})})


class Loading:
    """One run of `load`, over documents that were read, in one environment or without any."""

    def __init__(
        self, directory: Directory, documents: Documents, problems: Problems, environment: str | None
    ) -> None:
        self._directory = directory
        self._read = documents
        self._problems = problems
        self._environment = environment
        self._documents: dict[str, Node] = {}
        """Each agent's document, merged with the defaults and the environment."""
        runner = documents.runner or _EMPTY
        if environment is not None:
            runner = in_environment(runner, environment)
        self._runner = check(runner, "runner", problems)
        self._chosen = (
            documents.runner.find("environments", environment) if documents.runner and environment else None
        )
        self._hosts = environment_hosts(self._chosen, problems)
        refuse_unsupported(runner, "runner", problems)
        if documents.runner is not None:
            # Its own mistakes are reported before it is merged, except keys that it cannot have.
            alone = _only_environment(documents.runner, environment) if environment is not None else None
            if alone is not None:
                check(alone, "runner", problems)
            is_whole = not (documents.is_partial or documents.strangers)
            agents = documents.agents if is_whole else None
            check_environment_names(documents.runner, agents, problems)

    def loaded(self) -> Loaded:
        """The result."""
        configuration = self._configuration()
        if not has_errors(self._of_configuration()):
            # With a route or a schedule missing, the table would show false ties.
            check_ties(RouteTable.of(configuration), self._problems)
        problems = self._of_configuration()
        is_sound = not has_errors(problems)
        scenarios = self._scenarios(configuration, is_sound=is_sound)
        return Loaded(
            configuration=configuration if is_sound else None,
            problems=problems,
            scenario_problems=tuple(
                problem for problem in self._problems.sorted() if is_scenarios(problem.place.file)
            ),
            sources=dict(self._directory.texts),
            secrets=tuple(needed_secrets(self._runner)),
            documents=self._documents,
            scenarios=scenarios,
            declared=tuple(declared(configuration, self._documents, self._runner.root.get("tools"))),
            runner=self._read.runner,
        )

    def _configuration(self) -> Configuration:
        runner, problems = self._runner, self._problems
        routes = self._route_builder(problems)
        provider = settings.provider(runner, problems)
        agents = self._agents(provider.prices)
        check_otherwise(runner, {*agents, *self._read.unread_ids}, problems)
        check_handoffs(self._documents, runner.root.get("tools"), self._read.unread_ids, problems)
        check_busy(
            {name: agent for name, agent in agents.items() if agent},
            self._documents,
            self._read.unread_ids,
            problems,
        )
        egress = settings.egress(runner)
        check_hosts(
            self._documents.values(),
            runner.root.get("tools"),
            self._chosen and self._chosen.get("hosts"),
            egress,
            problems,
        )
        if None not in agents.values():
            urls = request_urls(self._documents.values(), runner.root.get("tools"))
            check_hosts_are_asked(self._chosen, filter(None, agents.values()), urls, problems)
        return Configuration(
            directory=self._directory.name,
            settings=Settings(
                provider=provider,
                server=settings.server(runner, problems),
                store=settings.store(runner),
                records=settings.records(runner),
                routing=routes.settings(runner),
                schedules=schedules(runner, problems),
                secrets=settings.secrets(runner),
                egress=egress,
            ),
            agents={name: redirected_agent(agent, self._hosts) for name, agent in agents.items() if agent},
        )

    def _of_configuration(self) -> tuple[Problem, ...]:
        """The problems so far that are not in scenarios."""
        unread = _NEEDS_AGENTS if self._read.is_partial else ()
        return tuple(
            problem
            for problem in self._problems.sorted()
            if not is_scenarios(problem.place.file) and problem.rule not in unread
        )

    def _scenarios(self, configuration: Configuration, *, is_sound: bool) -> "tuple[Scenario, ...]":
        if not self._read.scenarios:
            return ()
        from runner.config.scenarios.scenario_scope import ScenarioScope  # noqa: PLC0415 - only directories with scenarios pay for it
        from runner.config.scenarios.scenarios import build_scenarios  # noqa: PLC0415 - as above

        scope = ScenarioScope(
            agents=configuration.agents,
            is_whole=is_sound and not self._read.is_partial,
            environments=environment_names(self._read.runner),
            default_country=configuration.settings.routing.default_country,
        )
        files = self._read.scenarios
        return tuple(each for file in files for each in build_scenarios(file, scope, self._problems))

    def _route_builder(self, problems: Problems) -> RouteBuilder:
        return RouteBuilder(
            problems,
            default_country=default_country(self._runner, self._problems),
            schedules=schedule_names(self._runner),
            read_list=self._directory.referenced_text,
            lists=self._read.number_lists,
        )

    def _agents(self, prices: PriceList) -> dict[str, Agent | None]:
        """Every agent by its id; None for one that could not be built."""
        shared = shared_by_agents(self._runner, prices)
        drafts = [self._draft(node) for node in self._read.agents]
        handoffs = HandoffGraph.of(self._documents, self._runner.root)
        check_variables(handoffs, self._documents, self._problems)
        agents: dict[str, Agent | None] = {}
        for draft in drafts:
            agents[draft.name] = self._agent(draft, shared, handoffs)
            self._problems.extend(
                problem
                for problem in draft.problems.sorted()
                if not (
                    (self._read.is_runner_unread or self._read.is_partial) and problem.rule in _NEEDS_RUNNER
                )
            )
        if not agents and not self._read.strangers and not self._read.is_partial:
            place = Place(self._directory.name, 1, 1)
            self._problems.error(
                place,
                "no-agent",
                'no agent here; an agent is a YAML file with the key "agent", '
                'and "phone-agents init" writes one',
            )
        return agents

    def _draft(self, node: Node) -> "_Draft":
        """An agent's document, merged with defaults and environment, checked by itself."""
        problems = Problems()
        merged = laid_over(self._runner.root.get("defaults"), node, "agent")
        merged = with_variables(merged, self._read.runner, self._environment)
        checked = check(merged, "agent", problems, self._read.memory)
        refuse_unsupported(merged, "agent", problems)
        agent_id = node.find("agent")
        name = agent_id.text if agent_id else ""
        other = self._documents[name].get("agent") if name in self._documents else None
        if agent_id is not None and other is not None:
            message = f'the id "{name}" is taken by {other.place}; choose another'
            problems.error(agent_id.place, "duplicate-agent", message)
        elif checked.part("agent") is not None:
            self._documents[name] = merged
        return _Draft(name, checked, problems)

    def _agent(self, draft: "_Draft", shared: Shared, handoffs: HandoffGraph) -> Agent | None:
        checked, problems, documents = draft.checked, draft.problems, self._documents
        routes = Parts(checked, problems).entries(
            "routes", lambda nodes, problems: self._route_builder(problems).routes(draft.name, tuple(nodes))
        )
        set_before = handoffs.set_by(draft.name, documents, self._runner.root)
        builder = AgentBuilder(
            checked,
            shared,
            self._directory,
            self._read.api_documents,
            problems,
            brought={**dict.fromkeys(set_before, ()), **handoffs.variables_for(draft.name, documents)},
            brought_lookup=handoffs.lookup_for(draft.name, documents),
        )
        return builder.build(routes)


@dataclass(frozen=True, slots=True)
class _Draft:
    """An agent's document, ready to build. `name` is its id, even where it has mistakes."""

    name: str
    checked: Checked
    problems: Problems
