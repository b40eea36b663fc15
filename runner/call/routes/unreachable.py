"""Finds routes that can never win, because others take all of their calls.

A route is unreachable when each of its alternatives is taken: by a reject rule, or by a route with no further
conditions that is at least as strong for those calls. Every report is true, but not every unreachable route
is found: that one pattern implies another is known only for numbers, prefixes and countries, and for patterns
that are written the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import TypeAlias

from runner.call.addresses.number import read_number
from runner.call.routes.alternatives import Alternative, Alternatives, HeaderMatchers
from runner.call.routes.conditions import Rank, rank
from runner.call.routes.matcher import NOTHING, specificity
from runner.call.routes.routing import RouteTable
from runner.call.wildcards import glob_matches
from runner.model.call import Transport
from runner.model.route import (
    Conditions,
    Country,
    ExactNumber,
    Matcher,
    Prefix,
    RejectRule,
    Route,
    RoutingRule,
    Text,
)

_MOST_CANDIDATES = 64
"""Rules with the same parties that are compared with a route, so that the time stays linear."""

_Key: TypeAlias = tuple[object, ...]
_ANYBODY: _Key = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreachableRoute:
    """A route that never wins, and the rules that take its calls; none where it has a share of 0%."""

    route: Route
    by: tuple[RoutingRule, ...]


def find_unreachable(table: RouteTable) -> Iterator[UnreachableRoute]:
    """The routes of a table that no call can reach, by file and line."""
    rules: list[RoutingRule] = [*table.rejects, *table.routes]
    ways = Alternatives(rule.conditions for rule in rules)
    index = _Index(ways)
    for rule in rules:
        index.add(rule)
    for route in table.routes:
        if route.conditions.share == 0:
            yield UnreachableRoute(route=route, by=())
            continue
        takers = [index.stronger(route, way) for way in ways.of(route.conditions)]
        if takers and None not in takers:
            by = tuple(dict.fromkeys(rule for rule in takers if rule is not None))
            yield UnreachableRoute(route=route, by=by)


@dataclass(slots=True)
class _Index:
    """Rules by their parties."""

    _ways: Alternatives
    _filed: dict[tuple[_Key, _Key], list[tuple[RoutingRule, Alternative]]] = field(default_factory=dict)
    _lengths: set[int] = field(default_factory=set)
    _has_countries: bool = False

    def add(self, rule: RoutingRule) -> None:
        if rule.conditions.share == 0:
            return
        for way in self._ways.of(rule.conditions):
            for entry in way[:2]:
                if isinstance(entry, Prefix):
                    self._lengths.add(len(entry.prefix))
                self._has_countries |= isinstance(entry, Country)
            self._filed.setdefault((_key(way.called), _key(way.caller)), []).append((rule, way))

    def stronger(self, route: Route, way: Alternative) -> RoutingRule | None:
        """A rule that takes every call that matches the route in this way, and in no stronger one."""
        ours = _rank(route, way)
        for keys in product(self._wider(way.called), self._wider(way.caller)):
            for rule, other in islice(self._filed.get(keys, ()), _MOST_CANDIDATES):
                if (
                    rule is not route
                    and _implied(rule, other, route, way)
                    and _wins(rule, other, route, ours)
                ):
                    return rule
        return None

    def _wider(self, entry: Matcher | None) -> Iterator[_Key]:
        """The keys of the entries that match whatever this one matches."""
        if entry is not None:
            yield _key(entry)
        number = entry.number if isinstance(entry, ExactNumber) else ""
        digits = number or (entry.prefix if isinstance(entry, Prefix) else "")
        for length in sorted(self._lengths):
            if length <= len(digits):
                yield ("prefix", digits[:length])
        if number and self._has_countries and (read := read_number(number)):
            yield ("country", read.region)
        yield _ANYBODY


def _key(entry: Matcher | None) -> _Key:
    match entry:
        case None:
            return _ANYBODY
        case Prefix(prefix=prefix):
            return "prefix", prefix
        case Country(codes=codes):
            return "country", *codes
        case _:
            return "same", entry


def _implied(rule: RoutingRule, other: Alternative, route: Route, way: Alternative) -> bool:
    """Whether a call of these parties that matches the route in its way matches the rule in the other."""
    wider, narrower = rule.conditions, route.conditions
    return (
        wider.during in (None, narrower.during)
        and _transport_implied(rule, wider, route, narrower)
        and _share_implied(rule, wider, route, narrower)
        and all(_header_implied(name, leaf, way.headers) for name, leaf in other.headers)
    )


def _transport_implied(rule: RoutingRule, wider: Conditions, route: Route, narrower: Conditions) -> bool:
    """A browser requests one agent, and reaches only routes for browsers."""
    if narrower.transport is Transport.WEBRTC and isinstance(rule, Route):
        return wider.transport is Transport.WEBRTC and rule.agent == route.agent
    return wider.transport in (None, narrower.transport)


def _share_implied(rule: RoutingRule, wider: Conditions, route: Route, narrower: Conditions) -> bool:
    """Each agent has callers of its own in its share, and a larger share includes a smaller one."""
    if wider.share is None or narrower.share is None:
        return wider.share is None
    return isinstance(rule, Route) and rule.agent == route.agent and wider.share >= narrower.share


def _header_implied(name: str, wider: Matcher, narrower: HeaderMatchers) -> bool:
    return any(name.lower() == other.lower() and _value_implied(wider, leaf) for other, leaf in narrower)


def _value_implied(wider: Matcher, narrower: Matcher) -> bool:
    if wider == narrower:
        return True
    if not isinstance(wider, Text) or not isinstance(narrower, Text):
        return False
    return "*" not in narrower.pattern and glob_matches(wider.pattern, narrower.pattern)


def _wins(rule: RoutingRule, other: Alternative, route: Route, ours: Rank) -> bool:
    if isinstance(rule, RejectRule):
        return True
    theirs = _rank(rule, other)
    return theirs > ours or (theirs == ours and rule.place < route.place)


def _rank(route: Route, way: Alternative) -> Rank:
    called, caller = (NOTHING if entry is None else specificity(entry) for entry in way[:2])
    headers: Sequence[tuple[int, int]] = [specificity(leaf) for _, leaf in way.headers]
    return rank(route.conditions, route.priority, called=called, caller=caller, headers=headers)
