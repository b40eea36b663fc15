"""The ways to match a route: one entry of each of its lists. Ties and unreachable routes show in them."""

from collections.abc import Iterator
from itertools import islice, product
from typing import NamedTuple, TypeAlias

from runner.call.routes.matcher import leaves
from runner.model.route import Conditions, Country, Matcher

MOST_ALTERNATIVES = 100_000
"""Of one route; alternatives beyond these are not looked at."""

HeaderMatchers: TypeAlias = tuple[tuple[str, Matcher], ...]


class Alternative(NamedTuple):
    """One way to match a route: one entry for each part, None where the route asks for nothing."""

    called: Matcher | None
    caller: Matcher | None
    headers: HeaderMatchers


def alternatives(conditions: Conditions) -> Iterator[Alternative]:
    """Every way to match these conditions, each country of an entry by itself. At most MOST_ALTERNATIVES."""
    called, caller = _entries(conditions.called), _entries(conditions.caller)
    headers = [[(name, leaf) for leaf in leaves(matcher)] for name, matcher in conditions.headers]
    found = product(product(called, caller), product(*headers))
    for (to, from_), values in islice(found, MOST_ALTERNATIVES):
        yield Alternative(called=to, caller=from_, headers=values)


def _entries(matcher: Matcher | None) -> list[Matcher | None]:
    if matcher is None:
        return [None]
    found: list[Matcher | None] = []
    for leaf in leaves(matcher):
        found += [Country(frozenset({code})) for code in leaf.codes] if isinstance(leaf, Country) else [leaf]
    return found
