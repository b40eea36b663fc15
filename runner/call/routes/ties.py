"""Finds routes of two agents that tie for some call, and shows such a call.

A tie is reported only with a call for which the table itself ranks both routes highest. So each report is
true, but two patterns whose common address is hard to find may tie unreported; then, as always, the order of
the files and lines decides. Routes are compared only with those that are as specific and have the same
number, prefix or country, so that the time is proportional to the size of the table.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from typing import NamedTuple

from runner.call.examples.instants import Instants
from runner.call.examples.matching_values import addresses, header_value
from runner.call.routes.alternatives import Alternatives, HeaderMatchers
from runner.call.routes.matcher import NOTHING, Specificity, specificity
from runner.call.routes.route_index import ANY, matcher_keys
from runner.call.routes.routing import RouteTable
from runner.model.call import Address, IncomingCall, SipOrigin, Transport
from runner.model.route import Country, ExactAddress, ExactNumber, Matcher, Prefix, Route, RoutingRule
from runner.model.values import Instant

_MOST_PARTNERS = 32
"""Each option is compared with the same option of others, and with this many different ones."""

_MOST_REPORTED = 20
"""Among routes of the same specificity."""

_MOST_TRIES = 4
_MOST_TRIES_FOR_A_SHARE = 2000

_SOME_MONDAY = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
"""Whether routes tie does not depend on the day, so the search begins on a fixed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """Two agents' routes of the same specificity for `call` at `now`."""

    first: Route
    second: Route
    call: IncomingCall
    now: Instant


class _Option(NamedTuple):
    """One way to match a route: one entry from each of its lists."""

    called: Matcher | None
    caller: Matcher | None
    headers: HeaderMatchers
    route: Route


def find_ties(table: RouteTable) -> Iterator[Tie]:
    """The ties of a table, by file and line; each route is reported once, with the first that it ties with.

    Among routes with the same conditions only the first few ties are reported: correcting those shows the
    way.
    """
    groups: dict[tuple[object, ...], list[_Option]] = {}
    rules: list[RoutingRule] = [*table.rejects, *table.routes]
    ways = Alternatives(rule.conditions for rule in rules)
    for route in table.routes:
        for option in _options(route, ways) if _can_tie(route) else ():
            groups.setdefault(_group(option), []).append(option)
    instants = Instants((table.schedules,), _SOME_MONDAY)
    known: dict[int, Tie] = {}
    for options in groups.values():
        if len({option.route.agent for option in options}) > 1:
            for tie in islice(_ties_in(options, table, instants, known), _MOST_REPORTED):
                known[id(tie.second)] = tie
    return iter(sorted(known.values(), key=lambda tie: (tie.second.place, tie.first.place)))


def _can_tie(route: Route) -> bool:
    """A browser requests one agent, so two agents never tie for its call."""
    return route.conditions.share != 0 and route.conditions.transport is not Transport.WEBRTC


def _options(route: Route, ways: Alternatives) -> Iterator[_Option]:
    for way in ways.of(route.conditions):
        yield _Option(*way, route=route)


def _group(option: _Option) -> tuple[object, ...]:
    """What two options must have in common to tie."""
    conditions = option.route.conditions
    return (
        option.route.priority,
        _class(option.called),
        _class(option.caller),
        tuple(sorted(specificity(matcher) for _, matcher in option.headers)),
        conditions.during is not None,
        conditions.transport,
        conditions.share,
    )


def _class(entry: Matcher | None) -> tuple[Specificity, Matcher | None]:
    if entry is None:
        return NOTHING, None
    is_itself = isinstance(entry, ExactNumber | ExactAddress | Prefix | Country)
    return specificity(entry), entry if is_itself else None


def _ties_in(
    options: Sequence[_Option], table: RouteTable, instants: Instants, known: dict[int, Tie]
) -> Iterator[Tie]:
    """The ties among options of the same specificity."""
    alike: dict[tuple[object, ...], list[_Option]] = {}
    others: list[_Option] = []
    # Whole values meet only the same ones, so patterns are the likelier partners.
    for option in sorted(options, key=lambda option: (_asks_for_whole_values(option), option.route.place)):
        same = alike.setdefault(_signature(option), [])
        if id(option.route) not in known:
            tie = _tie_with(option, chain(same, others), table, instants)
            if tie is not None:
                yield tie
        if option.route.agent not in {partner.route.agent for partner in same} and len(same) < 2:
            same.append(option)
        if len(others) < _MOST_PARTNERS:
            others.append(option)


def _signature(option: _Option) -> tuple[object, ...]:
    headers = frozenset((name.lower(), matcher) for name, matcher in option.headers)
    return option.called, option.caller, headers, option.route.conditions.during


def _asks_for_whole_values(option: _Option) -> bool:
    entries = (option.called, option.caller, *(matcher for _, matcher in option.headers))
    return all(ANY not in matcher_keys(entry) for entry in entries if entry is not None)


def _tie_with(
    option: _Option, partners: Iterable[_Option], table: RouteTable, instants: Instants
) -> Tie | None:
    for partner in partners:
        if partner.route.agent != option.route.agent:
            tie = _proven(partner, option, table, instants)
            if tie is not None:
                return tie
    return None


def _proven(one: _Option, other: _Option, table: RouteTable, instants: Instants) -> Tie | None:
    """A call that both match, if the table itself ranks no route above them."""
    if _clash(one.called, other.called) or _clash(one.caller, other.caller):
        return None
    headers = _headers((*one.headers, *other.headers), table.default_country)
    if headers is None:
        return None
    conditions = one.route.conditions
    tries = _MOST_TRIES if conditions.share is None else _MOST_TRIES_FOR_A_SHARE
    during = sorted(filter(None, {one.route.conditions.during, other.route.conditions.during}))
    first, second = sorted((one.route, other.route), key=lambda route: route.place)
    for now in islice(instants.when_open(during), _MOST_TRIES):
        for called in islice(_parties(one.called, other.called, table), _MOST_TRIES):
            # Nobody calls from the number that is called.
            callers = (
                caller
                for caller in _parties(one.caller, other.caller, table)
                if caller.number is None or caller.number != called.number
            )
            for caller in islice(callers, tries):
                call = IncomingCall(
                    id="rtc_example",
                    caller=caller,
                    called=called,
                    called_found_in="To",
                    origin=SipOrigin(headers=headers),
                )
                best = [id(route) for route in table.best(call, now)]
                if id(first) in best and id(second) in best:
                    return Tie(first=first, second=second, call=call, now=now)
    return None


def _clash(one: Matcher | None, other: Matcher | None) -> bool:
    """Whether both have a whole value for the same part, and the values differ."""
    ones, others = matcher_keys(one), matcher_keys(other)
    if ANY in ones or ANY in others or ones & others:
        return False
    return {key[0] for key in ones} == {key[0] for key in others}


def _parties(one: Matcher | None, other: Matcher | None, table: RouteTable) -> Iterator[Address]:
    entries = {entry for entry in (one, other) if entry is not None}
    return addresses(sorted(entries, key=repr), table.default_country)


def _headers(wanted: HeaderMatchers, default_country: str | None) -> tuple[tuple[str, str], ...] | None:
    """Headers that satisfy all of these, each once; None where one header would need two values."""
    by_name: dict[str, tuple[str, list[Matcher]]] = {}
    for name, matcher in wanted:
        by_name.setdefault(name.lower(), (name, []))[1].append(matcher)
    ties = []
    for name, matchers in by_name.values():
        if len(matchers) == 2 and _clash(*matchers):
            return None
        value = header_value(matchers, default_country)
        if value is None:
            return None
        ties.append((name, value))
    return tuple(ties)
