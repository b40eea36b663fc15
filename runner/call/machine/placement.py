"""Decides who takes a ringing call: the agent of its route, or the next one where that has no room."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.call.routes.routing import Match, RouteTable
from runner.model.agent import BUSY_HERE, Agent
from runner.model.call import IncomingCall
from runner.model.event import Limit
from runner.model.reception import LimitReached
from runner.model.route import Reject
from runner.model.values import Instant

DECLINE_STATUS = 603
"""What the API answers with when no status is given."""


@dataclass(slots=True, eq=False)
class Placement:
    """The search for the agent of one call."""

    call: IncomingCall
    table: RouteTable
    agents: Mapping[str, Agent]
    match: Match | None = field(default=None, init=False)
    why: str = field(default="", init=False)
    """One sentence: why this agent answers, or why nobody does."""
    agent: Agent | None = field(default=None, init=False)
    """The agent that takes the call, as far as it is known."""
    reached: list[LimitReached] = field(default_factory=list, init=False)
    """The agents that had no room, in the order in which they were tried."""

    def by_route(self, now: Instant) -> Agent | Reject:
        """The agent of the route that matches."""
        self.match = match = self.table.match(self.call, now)
        self.why = match.why
        if match.agent is None:
            return Reject(status=match.reject or DECLINE_STATUS)
        self.agent = self.agents[match.agent]
        return self.agent

    def without_room(self, agent: Agent, limit: Limit) -> Agent | Reject:
        """The agent to try after this one, which has reached a limit."""
        limits = agent.limits
        most = limits.concurrent_calls if limit is Limit.CONCURRENT_CALLS else limits.calls_per_day
        self.reached.append(LimitReached(agent=agent.id, limit=limit, most=most or 0))
        busy = agent.busy
        if not isinstance(busy, Reject) and busy.agent not in {one.agent for one in self.reached}:
            self.agent = self.agents[busy.agent]
            return self.agent
        # `validate` refuses circles; one that was built otherwise ends here.
        reject = busy if isinstance(busy, Reject) else Reject(status=BUSY_HERE)
        self._add_why(f"the call is rejected with {reject.status}")
        return reject

    def found_room(self, agent: Agent) -> None:
        """The call is this agent's."""
        if self.reached:
            self._add_why(f'the call is given to "{agent.id}"')

    def _add_why(self, end: str) -> None:
        self.why = "; ".join([self.why, *map(str, self.reached), end])
