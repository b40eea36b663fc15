"""Makes up calls that show what a rule is about: inside it, just outside, and where other rules take over.

Correct rather than complete, as `matching_values` is: each proposed call is checked against the tables
themselves. Between two sets of number rules nothing is missed: for each prefix there is a number that no
longer prefix of either table covers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, product, zip_longest
from types import MappingProxyType
from typing import Any, TypeVar

from runner.call.addresses.address import read_address
from runner.call.addresses.number import country_code
from runner.call.examples.boundaries import boundaries, pieces
from runner.call.examples.example_call import CALLED, CALLER, ExampleCall
from runner.call.examples.instants import Instants
from runner.call.examples.matching_values import addresses, header_value
from runner.call.examples.number_plan import NumberPlan, first_numbers, header_text
from runner.call.routes.conditions import Facts
from runner.call.routes.route_index import ANY, Key, keys_of_address, matcher_keys
from runner.model.call import WEB, Headers, Transport
from runner.model.route import (
    Anonymous,
    AnyOf,
    Conditions,
    Country,
    ExactNumber,
    Glob,
    Matcher,
    Prefix,
    Route,
    RoutingRule,
    RoutingSettings,
)

T = TypeVar("T")

OTHER_CALLED = ("+442079460999", "sip:reception@elsewhere.example", "+493023125999")
CALLERS = (CALLER, "+442079460123", "anonymous", "sip:1001@elsewhere.example", "+493023125123")
"""Parties of different kinds, for rules without `to` or `from`."""

_NONE_FIRST: Mapping[Matcher, None] = MappingProxyType({})
_MOST_ENTRIES = 1000
_MOST_OTHERS = 12
_MOST_CALLED_BY_OTHERS = 60
_CALLERS_OF_A_SHARE = 200


def _combined(every: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """All combinations: first those that differ from the first in one value, then the others, from the
    front."""
    likeliest = tuple(values[0] for values in every)
    yield likeliest
    for position, values in enumerate(every):
        for value in values[1:]:
            yield (*likeliest[:position], value, *likeliest[position + 1 :])
    if sum(len(values) > 1 for values in every) < 2:
        return
    for size in range(2, max(map(len, every)) + 1):
        for indexes in product(*(range(min(size, len(values))) for values in every)):
            if max(indexes) == size - 1 and sum(index > 0 for index in indexes) > 1:
                yield tuple(values[index] for values, index in zip(every, indexes, strict=True))


class CallsAboutRules:
    """Makes calls about the rules of one table, or of two that are compared."""

    def __init__(self, rules: Sequence[RoutingRule], instants: Instants, default_country: str | None) -> None:
        self._instants = instants
        self._default_country = default_country
        self._called_plan = NumberPlan.of(rule.conditions.called for rule in rules)
        self._caller_plan = NumberPlan.of(rule.conditions.caller for rule in rules)
        self._by_called: dict[Key, list[Conditions]] = {}
        self._entries: dict[str | int, dict[Matcher, None]] = {}
        """The `to` entries of each agent's rules, and of each status."""
        for rule in rules:
            for key in matcher_keys(rule.conditions.called):
                self._by_called.setdefault(key, []).append(rule.conditions)
            owner = rule.agent if isinstance(rule, Route) else rule.status
            leaves_of_owner = self._entries.setdefault(owner, {})
            if len(leaves_of_owner) < _MOST_CALLED_BY_OTHERS:
                leaves_of_owner.update(dict.fromkeys(boundaries(rule.conditions.called)))
        self._prefix_lengths = sorted({len(key[1]) for key in self._by_called if key[:1] == ("prefix",)})
        self._called_by_others: list[str] | None = None

    def about(
        self, conditions: Conditions, owner: str, fresh: Iterable[Matcher] = ()
    ) -> Iterator[ExampleCall]:
        """Calls about a rule with these conditions, the most telling first.

        `owner` is the agent whose share a share is, `fresh` the entries that the other table does not have.
        """
        if conditions.transport is Transport.WEBRTC:
            yield from self._from_browsers(conditions, owner)
            return
        first = dict.fromkeys(islice(fresh, _MOST_ENTRIES))
        called = list(self._texts(conditions.called, self._called_plan, first))
        rivals = self._rivals(conditions, called)
        called += self._other_called(conditions)
        callers = self._callers(conditions, rivals, first, owner)
        headers = self._headers(conditions, rivals)
        during = [conditions.during, *(rival.during for rival in rivals)]
        every = (
            _unique(called),
            _unique(callers),
            _unique(headers),
            self._instants.about(filter(None, during)),
        )
        for to, from_, more, at in _combined(every):
            yield ExampleCall(called=to, caller=from_, headers=more, at=at)

    def _from_browsers(self, conditions: Conditions, owner: str) -> Iterator[ExampleCall]:
        """Calls to the agent by name, from the callers of the rule, from anybody, and from many for a
        share."""
        named = [
            leaf.user.replace("*", "1")
            for leaf in boundaries(conditions.caller)
            if isinstance(leaf, Glob) and leaf.user is not None
        ]
        others = [f"user-{number}" for number in range(1, _CALLERS_OF_A_SHARE)]
        callers = [f"{WEB}{name}" for name in (*named, *others[: None if conditions.share else 1])]
        called = f"{WEB}{owner}"
        if conditions.share is not None:
            callers.sort(key=lambda caller: self._position(caller, owner, called))
        instants = self._instants.about(filter(None, [conditions.during]))
        for caller, at in _combined((_unique(callers), instants)):
            yield ExampleCall(called=called, caller=caller, at=at)

    def _rivals(self, conditions: Conditions, called: Sequence[str]) -> list[Conditions]:
        """Rules that may match the same calls; of many, some."""
        keys = matcher_keys(conditions.called)
        near = set(keys)
        for text in called[:_MOST_OTHERS]:
            near.update(keys_of_address(read_address(text, self._default_country), self._prefix_lengths))
        places = list(self._by_called) if ANY in keys else sorted(near & self._by_called.keys())
        in_turn = chain.from_iterable(zip_longest(*(self._by_called[place] for place in places)))
        asking = (
            rival
            for rival in filter(None, in_turn)
            if rival != conditions and (rival.caller or rival.headers or rival.during)
        )
        return _unique(islice(asking, 4 * _MOST_OTHERS))[:_MOST_OTHERS]

    def _other_called(self, conditions: Conditions) -> Iterator[str]:
        """For a rule without exactly one number or prefix in `to`: the `to` of other rules."""
        yield CALLED
        if conditions.called is None or ANY in matcher_keys(conditions.called):
            yield from OTHER_CALLED
            if self._called_by_others is None:
                self._called_by_others = _unique(self._one_of_each_entry())
            yield from self._called_by_others

    def _one_of_each_entry(self) -> Iterator[str]:
        """The first entry of everybody, then the second, and so on; of many, some."""
        in_turn = chain.from_iterable(zip_longest(*self._entries.values()))
        for leaf in islice(filter(None, in_turn), _MOST_CALLED_BY_OTHERS):
            yield from islice(self._texts(leaf, self._called_plan), 1)

    def _callers(
        self, conditions: Conditions, rivals: Iterable[Conditions], first: Mapping[Matcher, None], owner: str
    ) -> list[str]:
        texts = list(self._texts(conditions.caller, self._caller_plan, first))
        texts += CALLERS
        for rival in rivals:
            texts += islice(self._texts(rival.caller, self._caller_plan), 6)
        if conditions.share is not None:
            texts += _many_callers(conditions.caller, self._default_country)
            # The first within a share come first, so that the likeliest call matches.
            texts.sort(key=lambda caller: self._position(caller, owner))
        elif any(rival.share is not None for rival in rivals):
            texts += islice(_many_callers(None, self._default_country), 40)
        return texts

    def _position(self, caller: str, owner: str, called: str = CALLED) -> float:
        call = ExampleCall(called=called, caller=caller, at=0.0)
        incoming = call.incoming(RoutingSettings(default_country=self._default_country))
        return Facts(incoming, 0.0, schedules={}, default_country=self._default_country).position(owner)

    def _headers(self, conditions: Conditions, rivals: Iterable[Conditions]) -> Iterator[Headers]:
        own = list(self._header_sets(conditions))
        yield from own
        if () not in own:
            yield ()
        for rival in rivals:
            for theirs in islice(self._header_sets(rival), 2):
                merged = {name.lower(): (name, value) for name, value in (*theirs, *own[0])}
                yield tuple(merged.values())

    def _header_sets(self, conditions: Conditions) -> Iterator[Headers]:
        values = [
            [
                (name, value)
                for leaf in boundaries(matcher)
                if (value := header_value([leaf], self._default_country))
            ]
            for name, matcher in conditions.headers
        ]
        yield from islice(product(*values), _MOST_OTHERS)

    def _texts(
        self, matcher: Matcher | None, plan: NumberPlan, first: Mapping[Matcher, None] = _NONE_FIRST
    ) -> Iterator[str]:
        """Addresses at the boundaries of a matcher, as a header would hold them."""
        for leaf in islice(_in_order(matcher, first), _MOST_ENTRIES):
            match leaf:
                case ExactNumber(number=number):
                    yield number
                case Prefix(prefix=prefix):
                    yield from plan.within(prefix)
                case Country(codes=codes):
                    yield from first_numbers(leaf, 3)
                    for region in codes:
                        yield from plan.known_within(country_code(region))
                case Anonymous():
                    yield "anonymous"
                case _:
                    known_addresses = addresses([leaf], self._default_country)
                    yield from (address.uri for address in islice(known_addresses, 2))


def _in_order(matcher: Matcher | None, first: Mapping[Matcher, None]) -> Iterator[Matcher]:
    """The boundaries of a matcher, those among `first` before the others."""
    if first:
        lists = [piece for piece in pieces(matcher) if isinstance(piece, AnyOf)]
        alone = {piece for piece in pieces(matcher) if not isinstance(piece, AnyOf)}
        yield from (leaf for leaf in first if leaf in alone or any(leaf in held.entries for held in lists))
    yield from (leaf for leaf in boundaries(matcher) if leaf not in first)


def _many_callers(matcher: Matcher | None, default_country: str | None) -> Iterator[str]:
    """Callers enough to find some that are in a share."""
    entries = list(islice(boundaries(matcher), _MOST_OTHERS)) or [Prefix("+1415")]
    for leaf in entries:
        known_addresses = addresses([leaf], default_country)
        yield from map(header_text, islice(known_addresses, _CALLERS_OF_A_SHARE // len(entries)))


def _unique(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))
