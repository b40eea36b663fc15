"""Compares two configurations: the results of calls, the agents on each side, and the settings of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from runner.api.port import VoiceApi
from runner.difference.call_changes import CallChanges, call_changes
from runner.difference.outline import fields_of, outline
from runner.difference.tree import Change, changes
from runner.model.agent import Agent
from runner.model.settings import Configuration
from runner.model.values import Instant, Json

_IN_THE_ACCEPT_BODY = frozenset({"model", "voice", "session", "transcription_model"})
"""Compared as they are sent: a voice is the same whether the agent names it or its session does."""

_BY_THEMSELVES = frozenset({"id", "routes", "instructions", "tools"})
_ROUTING_BY_CALLS = frozenset({"reject"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs for callers."""

    calls: CallChanges
    added: tuple[str, ...]
    """Agents, by id."""
    removed: tuple[str, ...]
    agents: Mapping[str, tuple[Change, ...]]
    """The changes of agents on both sides. Unchanged agents are left out."""
    settings: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether no caller can notice anything."""
        calls = self.calls.moved or self.calls.without_example
        return not (calls or self.added or self.removed or self.agents or self.settings)


def difference(old: Configuration, new: Configuration, now: Instant, api: VoiceApi) -> Difference:
    """Compare two configurations as callers meet them.

    Comments, the order and names of files and different spellings of the same value make no difference. `now`
    is where the search for an instant begins when the time of a call matters. `api` is the one that answers.
    """
    both = [name for name in new.agents if name in old.agents]
    differing = {
        name: tuple(changes(_agent(old.agents[name], api), _agent(new.agents[name], api))) for name in both
    }
    return Difference(
        calls=call_changes(old, new, now),
        added=tuple(name for name in new.agents if name not in old.agents),
        removed=tuple(name for name in old.agents if name not in new.agents),
        agents={name: changed for name, changed in differing.items() if changed},
        settings=tuple(changes(_settings(old), _settings(new))),
    )


def _agent(agent: Agent, api: VoiceApi) -> Json:
    body = api.session_body(agent, "")
    accept = {key: value for key, value in body.items() if key not in ("type", "instructions", "tools")}
    return {
        "accept": accept,
        # The empty line at the end depends on how the text is written in YAML.
        "instructions": agent.instructions.source.strip(),
        **fields_of(agent, without=_IN_THE_ACCEPT_BODY | _BY_THEMSELVES),
        # By name: the order of tools has no meaning to the model.
        "tools": {tool.name: fields_of(tool, without=frozenset({"name"})) for tool in agent.tools},
    }


def _settings(configuration: Configuration) -> Json:
    """Reject rules are compared by their effect on calls, and schedules only where a rule uses them."""
    settings = configuration.settings
    routes = [route for agent in configuration.agents.values() for route in agent.routes]
    schedules = {route.conditions.during for route in routes}
    schedules |= {rule.conditions.during for rule in settings.routing.reject}
    return {
        **fields_of(settings, without=frozenset({"routing", "schedules"})),
        "routing": fields_of(settings.routing, without=_ROUTING_BY_CALLS),
        "schedules": {
            name: outline(schedule) for name, schedule in settings.schedules.items() if name in schedules
        },
    }
