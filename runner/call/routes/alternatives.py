"""The ways to match a route: of each of its lists, one entry. Ties and covered routes are found by them."""

from collections.abc import Iterator
from itertools import islice, product
from typing import NamedTuple, TypeAlias

from runner.call.routes.matcher import leaves
from runner.model.route import Conditions, Country, Matcher

MOST_WAYS = 100_000
"""Of one route; what its lists multiply to beyond this is not looked at."""

Headers: TypeAlias = tuple[tuple[str, Matcher], ...]


class Way(NamedTuple):
    """One entry for each part; None where nothing is asked for."""

    called: Matcher | None
    caller: Matcher | None
    headers: Headers


def ways(conditions: Conditions) -> Iterator[Way]:
    """Every way to match these conditions, each country of an entry by itself. At most MOST_WAYS."""
    called, caller = _entries(conditions.called), _entries(conditions.caller)
    headers = [[(name, leaf) for leaf in leaves(matcher)] for name, matcher in conditions.headers]
    found = product(product(called, caller), product(*headers))
    for (to, from_), values in islice(found, MOST_WAYS):
        yield Way(called=to, caller=from_, headers=values)


def _entries(matcher: Matcher | None) -> list[Matcher | None]:
    if matcher is None:
        return [None]
    found: list[Matcher | None] = []
    for leaf in leaves(matcher):
        found += [Country(frozenset({code})) for code in leaf.codes] if isinstance(leaf, Country) else [leaf]
    return found
