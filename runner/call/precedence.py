"""The order in which routes win, as far as it can be told without a call. Pure; for people to read."""

from collections.abc import Iterable

from runner.call.conditions import Rank, rank
from runner.call.matcher import NOTHING, Specificity, leaves, specificity
from runner.model.route import Matcher, Route


def in_order(routes: Iterable[Route]) -> list[Route]:
    """Whoever comes first wins over those behind it, for calls that both match.

    A list counts as its most specific entry, which is what it is at best.
    """
    by_place = sorted(routes, key=lambda route: route.place)
    return sorted(by_place, key=_rank, reverse=True)


def _rank(route: Route) -> Rank:
    conditions = route.conditions
    return rank(
        conditions,
        route.priority,
        called=_specificity(conditions.called),
        caller=_specificity(conditions.caller),
        headers=[_specificity(matcher) for _, matcher in conditions.headers],
    )


def _specificity(matcher: Matcher | None) -> Specificity:
    if matcher is None:
        return NOTHING
    return max((specificity(leaf) for leaf in leaves(matcher)), default=NOTHING)
