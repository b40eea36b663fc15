"""Decides which agent answers a call. Reads no clock and sends nothing.

The highest priority wins, then the most specific route: `to` is compared before `from`, `from` before
headers, those before `during`, then `transport`, and a smaller `share` before a larger one. What still ties
is decided by the order of the files and lines, so that the answer never depends on chance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from runner.call.routes.conditions import CompiledConditions, Facts, Rank
from runner.call.routes.matcher import CompiledLists, CompiledMatcher, Subject
from runner.call.routes.route_index import RouteIndex
from runner.model.call import IncomingCall, Transport
from runner.model.route import Matcher, Otherwise, Reject, RejectRule, Route, ToAgent
from runner.model.schedule import Schedule
from runner.model.settings import Configuration
from runner.model.values import Instant

RuleT = TypeVar("RuleT", Route, RejectRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The result for a call: exactly one of `agent` and `reject` is set."""

    agent: str | None
    reject: int | None
    """The SIP status to reject the call with."""
    route: Route | None
    """The route that won; None when a reject rule or `otherwise` decided."""
    rule: RejectRule | None
    """The reject rule that decided."""
    why: str
    """One sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A route or reject rule that did not decide, and why."""

    entry: Route | RejectRule
    matches: bool
    """Whether it matches the call all the same, and a stronger one won."""
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A match, and every route and reject rule beside it, in the order of the files."""

    match: Match
    others: tuple[Candidate, ...]


class RouteTable:
    """All routes and reject rules of a configuration, ready to be searched.

    The cost of a look-up does not grow with the number of routes that name numbers, addresses, prefixes,
    countries, whole users and hosts, or whole header values; routes with patterns only are tried one by one.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        rejects: Iterable[RejectRule] = (),
        otherwise: Otherwise | None = None,
        schedules: Mapping[str, Schedule] | None = None,
        default_country: str | None = None,
    ) -> None:
        self.otherwise = otherwise or Reject(status=404)
        self.schedules = schedules or {}
        self.default_country = default_country
        self._is_for_all = False
        lists: CompiledLists = {}
        self._routes = _Rules(
            (
                route,
                CompiledConditions(route.conditions, priority=route.priority, agent=route.agent, lists=lists),
            )
            for route in routes
        )
        self._rejects = _Rules(
            (rule, CompiledConditions(rule.conditions, priority=0, agent=None, lists=lists))
            for rule in rejects
        )
        self._header_names = self._routes.header_names | self._rejects.header_names

    @classmethod
    def of(cls, configuration: Configuration) -> "RouteTable":
        """The table of a loaded configuration."""
        routing = configuration.settings.routing
        return cls(
            (route for agent in configuration.agents.values() for route in agent.routes),
            rejects=routing.reject,
            otherwise=routing.otherwise,
            schedules=configuration.settings.schedules,
            default_country=routing.default_country,
        )

    @classmethod
    def always(cls, agent: str) -> "RouteTable":
        """A table that gives every call to this agent, wherever it comes from."""
        table = cls((), otherwise=ToAgent(agent=agent))
        table._is_for_all = True
        return table

    def headers_asked_for(self, call: IncomingCall, match: Match | None) -> dict[str, str]:
        """The call's headers that any route or reject rule has a condition for.

        Of a repeated one, the value for which the call's route was taken; else the first.
        """
        by_name: dict[str, tuple[str, list[str]]] = {}
        for name, value in call.headers:
            if name.lower() in self._header_names:
                by_name.setdefault(name.lower(), (name, []))[1].append(value)
        matchers: dict[str, Matcher] = {}
        if match is not None and match.route is not None:
            matchers = {name.lower(): matcher for name, matcher in match.route.conditions.headers}
        return {
            name: self._decisive(values, matchers.get(key)) if len(values) > 1 else values[0]
            for key, (name, values) in by_name.items()
        }

    def _decisive(self, values: Sequence[str], matcher: Matcher | None) -> str:
        compiled = CompiledMatcher(matcher) if matcher is not None else None
        hits = (
            value
            for value in values
            if compiled is not None and compiled.find([Subject.header(value.strip(), self.default_country)])
        )
        return next(hits, values[0])

    @property
    def routes(self) -> Sequence[Route]:
        """All routes, by file and line."""
        return self._routes.all()

    @property
    def rejects(self) -> Sequence[RejectRule]:
        """All reject rules, by file and line."""
        return self._rejects.all()

    def match(self, call: IncomingCall, now: Instant) -> Match:
        """Decide who answers the call at `now`. Reject rules come first, whatever the priority of a route."""
        return self._match(self._facts(call, now))

    def explain(self, call: IncomingCall, now: Instant) -> Explanation:
        """The match, and why every other route lost. Tries every route."""
        facts = self._facts(call, now)
        match = self._match(facts)
        rejects = self._rejects.others(facts, match.rule, "another reject rule")
        stronger = "a reject rule" if match.rule else "the winning route"
        routes = self._routes.others(facts, match.route, stronger)
        return Explanation(match=match, others=(*rejects, *routes))

    def best(self, call: IncomingCall, now: Instant) -> tuple[Route, ...]:
        """The routes of the highest rank, by file and line; none for a call that is rejected or unmatched."""
        facts = self._facts(call, now)
        return () if self._rejects.best(facts) else tuple(self._routes.best(facts))

    def _facts(self, call: IncomingCall, now: Instant) -> Facts:
        return Facts(call, now, schedules=self.schedules, default_country=self.default_country)

    def _match(self, facts: Facts) -> Match:
        if rules := self._rejects.best(facts):
            rule = rules[0]
            why = f"the reject rule at {rule.place} matches: {self._rejects.why(rule, facts)}"
            return Match(agent=None, reject=rule.status, route=None, rule=rule, why=why)
        if routes := self._routes.best(facts):
            route = routes[0]
            why = f"the route at {route.place} matches: {self._routes.why(route, facts)}"
            return Match(agent=route.agent, reject=None, route=route, rule=None, why=why)
        if facts.transport is Transport.WEBRTC and not self._is_for_all:
            why = "no route with transport: webrtc matches"
            return Match(agent=None, reject=404, route=None, rule=None, why=why)
        if isinstance(self.otherwise, Reject):
            status = self.otherwise.status
            why = f"no route matches, and routing.otherwise rejects with {status}"
            return Match(agent=None, reject=status, route=None, rule=None, why=why)
        agent = self.otherwise.agent
        why = f'no route matches, and routing.otherwise names "{agent}"'
        return Match(agent=agent, reject=None, route=None, rule=None, why=why)


class _Rules(Generic[RuleT]):
    """Routes, or reject rules: both are found and ranked in the same way."""

    def __init__(self, rules: Iterable[tuple[RuleT, CompiledConditions]]) -> None:
        self._rules: list[tuple[RuleT, CompiledConditions]] = sorted(rules, key=lambda entry: entry[0].place)
        self._conditions: dict[int, CompiledConditions] = {
            id(rule): compiled for rule, compiled in self._rules
        }
        self._index = RouteIndex(
            (rule.conditions, position) for position, (rule, _) in enumerate(self._rules)
        )

    def all(self) -> list[RuleT]:
        """By file and line."""
        return [rule for rule, _ in self._rules]

    @property
    def header_names(self) -> set[str]:
        """The headers that any of them has a condition for, in lower case."""
        return {name.lower() for rule, _ in self._rules for name, _ in rule.conditions.headers}

    def best(self, facts: Facts) -> list[RuleT]:
        """Those of the highest rank, by file and line."""
        if not self._rules:  # as of most configurations that reject nobody
            return []
        highest: Rank | None = None
        best: list[int] = []
        for position in set(self._index.candidates(facts)):
            outcome = self._rules[position][1].ask(facts)
            if isinstance(outcome, str) or (highest is not None and outcome < highest):
                continue
            if outcome != highest:
                highest, best = outcome, []
            best.append(position)
        return [self._rules[position][0] for position in sorted(best)]

    def why(self, rule: RuleT, facts: Facts) -> str:
        """Why this one matches, in words."""
        return self._conditions[id(rule)].why(facts)

    def others(self, facts: Facts, winner: RuleT | None, stronger: str) -> list[Candidate]:
        """All but the winner, with the reason why each lost."""
        won = self._conditions[id(winner)].ask(facts) if winner is not None else None
        return [
            _candidate(rule, conditions, facts, won, stronger)
            for rule, conditions in self._rules
            if rule is not winner
        ]


def _candidate(
    rule: Route | RejectRule,
    conditions: CompiledConditions,
    facts: Facts,
    won: Rank | str | None,
    stronger: str,
) -> Candidate:
    outcome = conditions.ask(facts)
    if isinstance(outcome, str):
        return Candidate(entry=rule, matches=False, why_not=conditions.why_not(outcome, facts))
    if not isinstance(won, Rank):
        return Candidate(entry=rule, matches=True, why_not=f"matches too, but {stronger} comes first")
    return Candidate(
        entry=rule, matches=True, why_not=f"matches too, but {stronger} {_stronger(won, outcome)}"
    )


_STRONGER: Sequence[tuple[str, str]] = (
    ("priority", "has the higher priority"),
    ("called", "has the more specific `to`"),
    ("caller", "has the more specific `from`"),
    ("headers", "has the more specific headers"),
    ("during", "has a schedule"),
    ("transport", "has a transport"),
    ("share", "has a smaller share"),
)


def _stronger(won: Rank, lost: Rank) -> str:
    for name, words in _STRONGER:
        if getattr(won, name) != getattr(lost, name):
            return words
    return "is as specific and comes before it"
