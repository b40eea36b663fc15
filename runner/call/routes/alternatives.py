"""Lists the ways to match a route: one entry from each of its lists. For finding ties and unreachable
routes."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice, product
from typing import NamedTuple, TypeAlias

from runner.call.addresses.number import read_number
from runner.call.routes.matcher import parts
from runner.call.wildcards import glob_matches
from runner.model.route import AnyOf, Conditions, Country, ExactAddress, ExactNumber, Matcher, Prefix, Text

MOST_ALTERNATIVES = 100_000
"""For one route; more are not considered."""

_OF_EACH_KIND = 3
"""Entries considered among those of a file that are alike, since patterns may distinguish them."""

_MOST_PATTERNS = 64
"""For header values. Where there are more, each entry stands for itself."""

HeaderMatchers: TypeAlias = tuple[tuple[str, Matcher], ...]


class Alternative(NamedTuple):
    """One way to match a route: one entry for each part, None where the route has no condition."""

    called: Matcher | None
    caller: Matcher | None
    headers: HeaderMatchers


class Alternatives:
    """The ways to match rules that are considered together.

    A few entries of a file stand for all that are alike: those that no rule distinguishes by naming them,
    their prefix, their country, or another file that contains them. So the length of a file does not matter,
    nor how many rules name it.
    """

    def __init__(self, rules: Iterable[Conditions]) -> None:
        self._named: set[Matcher] = set()
        self._prefixes: set[str] = set()
        self._patterns: dict[str, None] = {}
        self._lists: dict[int, tuple[Matcher, ...]] = {}
        self._has_countries = False
        for conditions in rules:
            headers = (matcher for _, matcher in conditions.headers)
            for matcher in (conditions.called, conditions.caller, *headers):
                for part in parts(matcher) if matcher is not None else ():
                    self._learn(part)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})
        self._listed_in = self._memberships() if len(self._lists) > 1 else {}
        self._standing_for: dict[int, list[Matcher]] = {}

    def of(self, conditions: Conditions) -> Iterator[Alternative]:
        """Every way to match these conditions, each country by itself. At most MOST_ALTERNATIVES."""
        called, caller = self._entries(conditions.called), self._entries(conditions.caller)
        headers = [[(name, leaf) for leaf in self._leaves(matcher)] for name, matcher in conditions.headers]
        combinations = product(product(called, caller), product(*headers))
        for (to, from_), values in islice(combinations, MOST_ALTERNATIVES):
            yield Alternative(called=to, caller=from_, headers=values)

    def _learn(self, part: Matcher) -> None:
        match part:
            case AnyOf(matchers=entries):
                self._lists[id(entries)] = entries
            case Prefix(prefix=prefix):
                self._prefixes.add(prefix)
            case Country():
                self._has_countries = True
            case Text(pattern=pattern) if "*" in pattern:
                self._patterns[pattern] = None
            case _:
                self._named.add(part)

    def _memberships(self) -> dict[Matcher, tuple[int, ...]]:
        memberships: dict[Matcher, tuple[int, ...]] = {}
        for number, entries in enumerate(self._lists.values()):
            for entry in dict.fromkeys(entries):
                memberships[entry] = (*memberships.get(entry, ()), number)
        return memberships

    def _entries(self, matcher: Matcher | None) -> list[Matcher | None]:
        if matcher is None:
            return [None]
        entries: list[Matcher | None] = []
        for leaf in self._leaves(matcher):
            entries += (
                [Country(frozenset({code})) for code in leaf.codes] if isinstance(leaf, Country) else [leaf]
            )
        return entries

    def _leaves(self, matcher: Matcher) -> Iterator[Matcher]:
        for part in parts(matcher):
            if isinstance(part, AnyOf):
                yield from self._few_of(part.matchers)
            else:
                yield part

    def _few_of(self, entries: tuple[Matcher, ...]) -> list[Matcher]:
        known = self._standing_for.get(id(entries))
        if known is None:
            alike = Counter[Hashable]()
            known = self._standing_for[id(entries)] = []
            for entry in entries:
                likeness = self._likeness(entry)
                alike[likeness] += 1
                if alike[likeness] <= _OF_EACH_KIND:
                    known.append(entry)
        return known

    def _likeness(self, entry: Matcher) -> Hashable:
        """A key for entries that no rule distinguishes."""
        if entry in self._named:
            return entry
        lists = self._listed_in.get(entry, ())
        match entry:
            case ExactNumber(number=number):
                prefixes = tuple(length for length in self._lengths if number[:length] in self._prefixes)
                begins = tuple(number[:length] for length in prefixes)
                read = read_number(number) if self._has_countries else None
                return ExactNumber, lists, begins, read.region if read is not None else None
            case Text(pattern=text) if "*" not in text and len(self._patterns) <= _MOST_PATTERNS:
                return (
                    Text,
                    lists,
                    tuple(pattern for pattern in self._patterns if glob_matches(pattern, text)),
                )
            case ExactAddress():
                return ExactAddress, lists
            case _:
                return entry
