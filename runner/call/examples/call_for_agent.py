"""Finds a call that a given agent answers, at the earliest instant when it does. `now` is passed in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from runner.call.examples.calls_about_rules import CallsAboutRules
from runner.call.examples.example_call import CALLED, CALLER, WEB_CALLER, ExampleCall
from runner.call.examples.instants import Instants
from runner.call.routes.routing import Match, RouteTable
from runner.model.agent import Agent
from runner.model.call import WEB, Headers, Transport
from runner.model.route import Conditions
from runner.model.settings import Configuration
from runner.model.values import Instant

_MOST_TRIED = 3000
"""Calls tried for one route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedParts:
    """The parts of a call that are fixed, and not made up."""

    caller: str | None = None
    called: str | None = None
    headers: Headers = ()

    def applied(self, call: ExampleCall) -> ExampleCall:
        """The call, with these parts in place of made-up ones."""
        names = {name.lower() for name, _ in self.headers}
        others = tuple(header for header in call.headers if header[0].lower() not in names)
        return replace(
            call,
            caller=self.caller or call.caller,
            called=self.called or call.called,
            headers=(*self.headers, *others),
        )

    def call(self, at: Instant) -> ExampleCall:
        """A call with these parts."""
        if self.transport is Transport.WEBRTC:
            return self.applied(ExampleCall(caller=WEB_CALLER, called=WEB, at=at))
        return self.applied(ExampleCall(caller=CALLER, called=CALLED, at=at))

    @property
    def transport(self) -> Transport | None:
        """The transport that the call must have; None when any will do."""
        if any(party is not None and party.startswith(WEB) for party in (self.caller, self.called)):
            return Transport.WEBRTC
        return None if self == FixedParts() else Transport.SIP


class CallFinder:
    """Searches one configuration's table for calls that start at `now` or, where none is found, later."""

    def __init__(self, configuration: Configuration, now: Instant, fixed: FixedParts) -> None:
        settings = configuration.settings
        self.fixed = fixed
        self.now = now
        self._configuration = configuration
        self._table = RouteTable.of(configuration)
        self._examples = CallsAboutRules(
            [*settings.routing.reject, *self._table.routes],
            Instants((settings.schedules,), now),
            settings.routing.default_country,
        )

    def match(self, call: ExampleCall) -> Match:
        """The match of a call."""
        return self._table.match(call.incoming(self._configuration.settings.routing), call.at)

    def call_for(self, agent: Agent) -> ExampleCall | None:
        """A call that the agent answers, at the earliest instant when it does; None when none was found."""
        soonest: ExampleCall | None = None
        for call in self._candidates(agent):
            if soonest is not None and call.at >= soonest.at:
                continue
            if self.match(call).agent == agent.id:
                soonest = call
                if call.at <= self.now:
                    break
        return soonest

    def _candidates(self, agent: Agent) -> Iterator[ExampleCall]:
        """Calls about each of its routes, and about none: `otherwise` may lead to it."""
        wanted = self.fixed.transport
        all_conditions = [*(route.conditions for route in agent.routes), Conditions()]
        # A telephone call shows all features of an agent.
        for conditions in sorted(
            all_conditions, key=lambda conditions: conditions.transport is Transport.WEBRTC
        ):
            made_up = islice(self._examples.about(conditions, agent.id), _MOST_TRIED)
            calls = (self.fixed.applied(call) for call in made_up if wanted in (None, call.transport))
            yield from dict.fromkeys(calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffTo:
    """A hand-off by which calls of another agent reach this one."""

    agent: Agent
    """The agent that has the call before."""
    tool: str


def handoffs_to(agent_id: str, agents: Mapping[str, Agent]) -> Iterator[HandoffTo]:
    """The tools of other agents that hand calls to this one."""
    for agent in agents.values():
        for tool in agent.tools:
            if tool.binding.hands_to == agent_id:
                yield HandoffTo(agent=agent, tool=tool.name)
