"""Orders routes as they win, as far as that is known without a call. Pure; for people to read."""

from collections.abc import Iterable
from typing import TypeVar

from runner.call.routes.conditions import Rank, rank
from runner.call.routes.matcher import NOTHING, Specificity, leaves, specificity
from runner.model.route import Matcher, RejectRule, Route

RuleT = TypeVar("RuleT", Route, RejectRule)


def in_order(rules: Iterable[RuleT]) -> list[RuleT]:
    """Each wins over those behind it, for calls that both match: routes, or reject rules.

    A list counts as its most specific entry, which is its best case.
    """
    by_place = sorted(rules, key=lambda rule: rule.place)
    return sorted(by_place, key=_rank, reverse=True)


def _rank(rule: Route | RejectRule) -> Rank:
    conditions = rule.conditions
    return rank(
        conditions,
        rule.priority if isinstance(rule, Route) else 0,
        called=_specificity(conditions.called),
        caller=_specificity(conditions.caller),
        headers=[_specificity(matcher) for _, matcher in conditions.headers],
    )


def _specificity(matcher: Matcher | None) -> Specificity:
    if matcher is None:
        return NOTHING
    return max((specificity(leaf) for leaf in leaves(matcher)), default=NOTHING)
