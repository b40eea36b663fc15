"""Finds calls with another result: another agent, or rejected and not before, or the reverse.

Two tables answer a call differently only if it matches a rule which one of them lacks (or has with another
meaning: a schedule with other hours, another default country), or no rule at all. So calls are made up about
those rules and routed by both tables; each report is true, and shown with such a call. A rule with a pattern
or a share for which no such call was found is reported by itself, since its effect is unknown.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from runner.call.examples.calls_about_rules import CallsAboutRules
from runner.call.examples.example_call import CALLED, ExampleCall, project_address
from runner.call.examples.instants import Instants
from runner.call.routes.conditions import CompiledConditions, Facts
from runner.call.routes.matcher import CompiledLists, CompiledMatcher, Subject
from runner.call.routes.routing import Match, RouteTable
from runner.difference.meanings import Meanings, Named
from runner.model.call import Address, IncomingCall
from runner.model.route import AnyOf, Conditions, Matcher, Route, RoutingRule, RoutingSettings
from runner.model.schedule import Schedule
from runner.model.settings import Configuration
from runner.model.values import Instant

_MOST_CALLS = 20_000
_MOST_CALLS_OF_A_RULE = 1500
_LEAST_CALLS_OF_A_RULE = 12

Verdict: TypeAlias = str | int
"""An agent's id, or the SIP status with which a call is rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedCall:
    """A call and its result, on either side."""

    call: ExampleCall
    old: Match
    new: Match


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedCalls:
    """Calls with one result before and another now."""

    old: Verdict
    new: Verdict
    examples: tuple[MovedCall, ...]
    """One for each pair of routes, and of entries in their lists, that decided before and decide now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWithoutExample:
    """A rule of one side only, for which no call with another result was found."""

    rule: RoutingRule
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanges:
    """The changes of calls' results."""

    moved: tuple[MovedCalls, ...]
    without_example: tuple[RuleWithoutExample, ...]
    has_schedules: bool
    """Whether the result of a call may depend on its time."""


def call_changes(old: Configuration, new: Configuration, now: Instant) -> CallChanges:
    """Compare the results of calls. `now` is where the search for instants begins when schedules matter."""
    return _Search(old, new, now).call_changes()


class _Side:
    """One configuration, ready to route calls."""

    def __init__(self, configuration: Configuration, meanings: Meanings, lists: CompiledLists) -> None:
        settings = configuration.settings
        self.routing: RoutingSettings = settings.routing
        self.schedules = settings.schedules
        self.table = RouteTable.of(configuration)
        self.rules: list[RoutingRule] = [*settings.routing.reject, *self.table.routes]
        self.keys = {meanings.key(rule) for rule in self.rules}
        self.named: dict[str, Named] = {}
        """What the rules of each agent name, and the reject rules."""
        for rule in self.rules:
            self.named.setdefault(owner_of(rule), Named()).add(rule)
        self._lists = lists
        self._compiled: dict[int, CompiledConditions] = {}

    def matches(self, rule: RoutingRule, call: IncomingCall, now: Instant) -> bool:
        """Whether the rule's own conditions hold, whoever wins."""
        compiled = self._compiled.get(id(rule))
        if compiled is None:
            agent = rule.agent if isinstance(rule, Route) else None
            compiled = self._compiled[id(rule)] = CompiledConditions(
                rule.conditions, priority=0, agent=agent, lists=self._lists
            )
        facts = Facts(call, now, schedules=self.schedules, default_country=self.routing.default_country)
        return not isinstance(compiled.ask(facts), str)


class _Search:
    """One comparison of two tables."""

    def __init__(self, old: Configuration, new: Configuration, now: Instant) -> None:
        self._meanings = Meanings()
        self._lists: CompiledLists = {}
        self._compiled: dict[int, CompiledMatcher] = {}
        self._old, self._new = (_Side(side, self._meanings, self._lists) for side in (old, new))
        self._changed_schedules = _changed_schedules(self._old.schedules, self._new.schedules)
        self._is_read_otherwise = (
            self._old.routing.default_country != self._new.routing.default_country
            or self._old.routing.called_number != self._new.routing.called_number
        )
        rules = [*self._old.rules, *self._new.rules]
        self._has_schedules = any(rule.conditions.during is not None for rule in rules)
        instants = Instants((self._old.schedules, self._new.schedules), now)
        self._examples = CallsAboutRules(rules, instants, self._new.routing.default_country)
        self._found: dict[Hashable, MovedCall] = {}
        self._shown: set[Hashable] = set()
        """Rules that decided about a call that moved. Of two equal shares, one shows the other."""

    def call_changes(self) -> CallChanges:
        changed = [*self._changed(self._old, self._new), *self._changed(self._new, self._old)]
        share = _MOST_CALLS // max(1, len(changed))
        budget = min(_MOST_CALLS_OF_A_RULE, max(_LEAST_CALLS_OF_A_RULE, share))
        matched = {id(rule) for side, rule in changed if self._tried(side, rule, budget)}
        if self._old.routing.otherwise != self._new.routing.otherwise:
            for call in islice(self._examples.about(Conditions(), ""), _MOST_CALLS_OF_A_RULE):
                self._ask(call)
        without_example = [
            RuleWithoutExample(rule=rule, is_new=side is self._new)
            for side, rule in changed
            if self._meanings.key(rule) not in (self._old if side is self._new else self._new).keys
            and (id(rule) not in matched or self._meanings.is_open(rule.conditions))
            and self._meanings.without_share(rule) not in self._shown
        ]
        return CallChanges(
            moved=tuple(self._groups()),
            without_example=tuple(without_example),
            has_schedules=self._has_schedules,
        )

    def _changed(self, side: _Side, other: _Side) -> Iterator[tuple[_Side, RoutingRule]]:
        """The rules that the other side lacks, or that mean something else there."""
        for rule in side.rules:
            means_the_same = (
                self._meanings.key(rule) in other.keys
                and rule.conditions.during not in self._changed_schedules
                and not self._is_read_otherwise
            )
            if not means_the_same:
                yield side, rule

    def _tried(self, side: _Side, rule: RoutingRule, budget: int) -> bool:
        """Route calls of this rule on both sides; returns whether it matched any of them."""
        other = self._new if side is self._old else self._old
        fresh = self._meanings.fresh(rule, other.named.get(owner_of(rule), Named()))
        matched = False
        for call in islice(self._calls(rule, fresh), budget):
            incoming = self._ask(call)[side is self._new]
            matched = matched or side.matches(rule, incoming, call.at)
        return matched

    def _calls(self, rule: RoutingRule, fresh: Sequence[Matcher]) -> Iterator[ExampleCall]:
        for call in self._examples.about(rule.conditions, owner_of(rule), fresh):
            yield call
            if self._is_read_otherwise:
                yield from self._read_otherwise(call)

    def _read_otherwise(self, call: ExampleCall) -> Iterator[ExampleCall]:
        """The same call with numbers that the two sides read differently."""
        names = dict.fromkeys((*self._old.routing.called_number, *self._new.routing.called_number))
        project = project_address(self._new.routing) or ""
        for name in names if self._old.routing.called_number != self._new.routing.called_number else ():
            yield replace(call, called=project, headers=((name, call.called), *call.headers))
            for other in names:
                if other != name:
                    headers = ((name, call.called), (other, CALLED), *call.headers)
                    yield replace(call, called=project, headers=headers)
        if self._old.routing.default_country != self._new.routing.default_country:
            # Country codes have one to three digits; one of these leaves the number as it is dialled at home.
            for end in (2, 3, 4):
                yield replace(call, called=_without_code(call.called, end))
                yield replace(call, caller=_without_code(call.caller, end))

    def _ask(self, call: ExampleCall) -> tuple[IncomingCall, IncomingCall]:
        """Route the call on both sides, and keep it when they differ; returns the call as each side reads
        it."""
        before = call.incoming(self._old.routing)
        after = before if not self._is_read_otherwise else call.incoming(self._new.routing)
        old, new = self._old.table.match(before, call.at), self._new.table.match(after, call.at)
        if verdict(old) != verdict(new):
            key = (verdict(old), verdict(new), self._lane(old, before), self._lane(new, after))
            self._found.setdefault(key, MovedCall(call=call, old=old, new=new))
            rules = (match.route or match.rule for match in (old, new))
            self._shown.update(self._meanings.without_share(rule) for rule in rules if rule is not None)
        return before, after

    def _lane(self, match: Match, call: IncomingCall) -> Hashable:
        """The rule that decided, and which entries of its lists the call matched."""
        rule = match.route or match.rule
        if rule is None:
            return None
        called, caller = rule.conditions.called, rule.conditions.caller
        return (rule.place, self._hit(called, call.called), self._hit(caller, call.caller))

    def _hit(self, matcher: Matcher | None, address: Address) -> Hashable:
        if not isinstance(matcher, AnyOf):
            return None
        compiled = self._compiled.get(id(matcher))
        if compiled is None:
            compiled = self._compiled[id(matcher)] = CompiledMatcher(matcher, self._lists)
        hit = compiled.find((Subject.party(address),))
        return hit.matcher if hit else None

    def _groups(self) -> Iterator[MovedCalls]:
        groups: dict[tuple[Verdict, Verdict], list[MovedCall]] = {}
        for example in self._found.values():
            groups.setdefault((verdict(example.old), verdict(example.new)), []).append(example)
        for (old, new), examples in sorted(groups.items(), key=lambda group: str(group[0])):
            yield MovedCalls(old=old, new=new, examples=tuple(examples))


def verdict(match: Match) -> Verdict:
    """Who answers, or the status that rejects the call."""
    return match.agent if match.agent is not None else match.reject or 0


def _without_code(number: str, end: int) -> str:
    return number[end:] if number.startswith("+") else number


def owner_of(rule: RoutingRule) -> str:
    """The owner of a rule's `share`."""
    return rule.agent if isinstance(rule, Route) else "reject"


def _changed_schedules(old: Mapping[str, Schedule], new: Mapping[str, Schedule]) -> frozenset[str]:
    return frozenset(name for name in old.keys() & new.keys() if old[name] != new[name])
