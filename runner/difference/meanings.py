"""What rules mean, wherever and in whichever order they were written, for rules that share long lists.

Three hundred agents may name one list of twenty thousand numbers: whatever is found out about a list is
found out once.
"""

from collections.abc import Hashable, Iterator
from dataclasses import replace
from itertools import chain

from runner.call.examples.boundaries import pieces
from runner.call.routes.matcher import parts
from runner.model.route import AnyOf, Conditions, Country, Glob, Matcher, Not, Regex, Route, RoutingRule, Text

_SHORT = 200
"""Entries of a list that mean the same whether they stand in a file or in the route itself."""


class Named:
    """What some rules name. A list is kept whole."""

    def __init__(self) -> None:
        self.leaves: set[Matcher] = set()
        self.lists: dict[int, AnyOf] = {}

    def add(self, rule: RoutingRule) -> None:
        """Note what one more rule names."""
        for piece in pieces_of(rule):
            if isinstance(piece, AnyOf):
                self.lists[id(piece)] = piece
            else:
                self.leaves.add(piece)

    def __contains__(self, leaf: Matcher) -> bool:
        return leaf in self.leaves or any(leaf in listed.entries for listed in self.lists.values())


class Meanings:
    """The meanings of the rules of two tables, each list and each rule read once. They outlive it."""

    def __init__(self) -> None:
        self._keys: dict[int, Hashable] = {}
        self._lists: dict[int, frozenset[Hashable]] = {}
        self._alike: dict[frozenset[Hashable], frozenset[Hashable]] = {}
        self._fresh: dict[Hashable, tuple[Matcher, ...]] = {}
        self._with_patterns: dict[int, bool] = {}

    def key(self, rule: RoutingRule) -> Hashable:
        """What a rule means: two of one key do the same to every call."""
        known = self._keys.get(id(rule))
        if known is None:
            known = self._keys[id(rule)] = self._key(rule)
        return known

    def without_share(self, rule: RoutingRule) -> Hashable:
        """The same, whatever its share."""
        return self._key(replace(rule, conditions=replace(rule.conditions, share=None)))

    def _key(self, rule: RoutingRule) -> Hashable:
        decides = (rule.agent, rule.priority) if isinstance(rule, Route) else (rule.status, None)
        conditions = rule.conditions
        headers = frozenset((name.lower(), self._meaning(matcher)) for name, matcher in conditions.headers)
        parties = (self._meaning(conditions.called), self._meaning(conditions.caller), headers)
        return (*decides, *parties, conditions.during, conditions.transport, conditions.share)

    def _meaning(self, matcher: Matcher | None) -> Hashable:
        if matcher is None:
            return None
        meanings: set[Hashable] = set()
        lists: list[frozenset[Hashable]] = []
        for part in parts(matcher):
            if isinstance(part, AnyOf):
                listed = self._list(part)
                if len(listed) > _SHORT:
                    lists.append(listed)
                else:
                    meanings |= listed
            else:
                meanings.update(self._part(part))
        if len(lists) == 1 and meanings <= lists[0]:
            return lists[0]
        return frozenset({*meanings, *(("list", listed) for listed in lists)})

    def _part(self, part: Matcher) -> Iterator[Hashable]:
        match part:
            case Not(matcher=inner):
                yield ("not", self._meaning(inner))
            case Country(codes=codes):
                yield from codes
            case _:
                yield part

    def _list(self, listed: AnyOf) -> frozenset[Hashable]:
        """The entries of a list: one and the same set for all lists that hold the same."""
        known = self._lists.get(id(listed))
        if known is None:
            entries: frozenset[Hashable] = listed.entries
            known = self._lists[id(listed)] = self._alike.setdefault(entries, entries)
        return known

    def fresh(self, rule: RoutingRule, known: Named) -> list[Matcher]:
        """What a rule names and those others do not."""
        matchers: list[Matcher] = []
        for piece in pieces_of(rule):
            if isinstance(piece, AnyOf):
                matchers += self._fresh_of(piece, known)
            elif piece not in known:
                matchers.append(piece)
        return matchers

    def _fresh_of(self, listed: AnyOf, known: Named) -> tuple[Matcher, ...]:
        key = id(listed), *known.lists
        if key not in self._fresh:
            others = [self._list(other) for other in known.lists.values()]
            held = self._list(listed)
            is_known = any(held is other for other in others)
            entries = () if is_known else listed.matchers
            self._fresh[key] = tuple(leaf for leaf in entries if not any(leaf in other for other in others))
        fresh = self._fresh[key]
        return tuple(leaf for leaf in fresh if leaf not in known.leaves) if known.leaves else fresh

    def is_open(self, conditions: Conditions) -> bool:
        """Whether they match more than a few calls can stand for: a pattern, or a share."""
        matchers = [conditions.called, conditions.caller, *(matcher for _, matcher in conditions.headers)]
        return conditions.share is not None or any(
            self._has_patterns(piece) for piece in chain.from_iterable(map(pieces, matchers))
        )

    def _has_patterns(self, piece: Matcher) -> bool:
        if not isinstance(piece, AnyOf):
            return _is_pattern(piece)
        if id(piece) not in self._with_patterns:
            self._with_patterns[id(piece)] = any(map(_is_pattern, piece.matchers))
        return self._with_patterns[id(piece)]


def _is_pattern(leaf: Matcher) -> bool:
    return (
        isinstance(leaf, Regex)
        or (isinstance(leaf, Text) and "*" in leaf.pattern)
        or (isinstance(leaf, Glob) and "*" in f"{leaf.user}{leaf.host}")
    )


def pieces_of(rule: RoutingRule) -> Iterator[Matcher]:
    """What a rule names, of both parties and of headers; lists whole."""
    conditions = rule.conditions
    headers = [matcher for _, matcher in conditions.headers]
    return chain.from_iterable(map(pieces, (conditions.called, conditions.caller, *headers)))
