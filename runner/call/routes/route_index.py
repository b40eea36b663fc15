"""Finds the few routes among very many that can match a call, without trying the others.

Only a filter: whoever matches is among the candidates, but the conditions themselves decide. Each route is
filed in cells of (called, caller, header); a call has few cells.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Generic, TypeAlias, TypeVar, assert_never

from runner.call.routes.conditions import Facts
from runner.call.routes.matcher import leaves, parts
from runner.model.call import Address
from runner.model.route import (
    Anonymous,
    AnyOf,
    Conditions,
    Country,
    ExactAddress,
    ExactNumber,
    Glob,
    Matcher,
    Not,
    Prefix,
    Regex,
    Text,
)

Key: TypeAlias = tuple[str, ...]
"""A necessary condition of a matcher, e.g. `("prefix", "+1800")`."""

ANY: Key = ()
"""No necessary condition: the matcher has to be tried."""

_MOST_CELLS = 1024
"""A route whose lists multiply to more cells than this is filed without its longest list."""

T = TypeVar("T")


class RouteIndex(Generic[T]):
    """Items filed under their conditions."""

    def __init__(self, items: Iterable[tuple[Conditions, T]]) -> None:
        self._cells: dict[tuple[Key, Key, Key], list[T]] = {}
        self._called: set[Key] = set()
        self._caller: set[Key] = set()
        self._header: set[Key] = set()
        self._names: set[str] = set()
        self._lengths: tuple[int, ...] = ()
        self._lists: dict[int, Key] = {}
        """The key of each file of entries, by the identity of its tuple, which the conditions hold."""
        self._members: dict[Key, list[Key]] = {}
        """The lists that contain an entry, so that routes that name a file are filed once for it."""
        for conditions, item in items:
            for cell in self._cells_of(conditions):
                self._cells.setdefault(cell, []).append(item)
        for called, caller, header in self._cells:
            self._called.add(called)
            self._caller.add(caller)
            self._header.add(header)
        prefixes = (key[1] for key in self._called | self._caller if key[:1] == ("prefix",))
        self._lengths = tuple(sorted({len(prefix) for prefix in prefixes}))
        self._names = {key[1] for key in self._header if key != ANY}

    def candidates(self, facts: Facts) -> Iterator[T]:
        """All items that can match the call, and few others. One may come more than once."""
        if not self._cells:
            return
        called = self._known(facts.call.called, self._called)
        caller = self._known(facts.call.caller, self._caller)
        for cell in product(called, caller, self._known_headers(facts)):
            yield from self._cells.get(cell, ())

    def _known(self, address: Address, known: set[Key]) -> list[Key]:
        keys = [*keys_of_address(address, self._lengths)]
        if self._members:
            keys += dict.fromkeys(listed for key in keys for listed in self._members.get(key, ()))
        return [key for key in keys if key in known]

    def _known_headers(self, facts: Facts) -> Sequence[Key]:
        if not self._names:
            return [ANY]
        keys: set[Key] = set()
        for name in self._names & facts.headers.keys():
            for value in facts.headers[name]:
                text = ("text", value.text)
                keys.update(("header", name, *key) for key in (text, *self._members.get(text, ())))
        return [ANY, *(keys & self._header)]

    def _cells_of(self, conditions: Conditions) -> Iterator[tuple[Key, Key, Key]]:
        called, caller = self._keys(conditions.called), self._keys(conditions.caller)
        parts = [called, caller, self._header_keys(conditions.headers)]
        while prod(map(len, parts)) > _MOST_CELLS and sum(len(part) > 1 for part in parts) > 1:
            parts[parts.index(max(parts, key=len))] = frozenset({ANY})
        yield from product(*parts)

    def _header_keys(self, headers: Sequence[tuple[str, Matcher]]) -> frozenset[Key]:
        """Keys of the first header with whole values."""
        for name, matcher in headers:
            keys = self._keys(matcher)
            if all(key[:1] in (("text",), ("list",)) for key in keys):
                return frozenset(("header", name.lower(), *key) for key in keys)
        return frozenset({ANY})

    def _keys(self, matcher: Matcher | None) -> frozenset[Key]:
        """Keys of which one holds wherever the matcher matches; a file of entries has one key."""
        if matcher is None:
            return frozenset({ANY})
        keys: set[Key] = set()
        for part in parts(matcher):
            keys.update([self._key_of_list(part)] if isinstance(part, AnyOf) else _leaf_keys(part))
        return frozenset({ANY} if ANY in keys else keys)

    def _key_of_list(self, listed: AnyOf) -> Key:
        known = self._lists.get(id(listed.matchers))
        if known is None:
            entries = [key for leaf in listed.matchers for key in _leaf_keys(leaf)]
            known = ANY if ANY in entries else ("list", str(len(self._lists)))
            self._lists[id(listed.matchers)] = known
            for key in entries if known != ANY else ():
                self._members.setdefault(key, []).append(known)
        return known


def keys_of_address(address: Address, prefix_lengths: Iterable[int]) -> Iterator[Key]:
    """All keys that hold for this address; prefixes of these lengths."""
    yield ANY
    user, host, number = address.user, address.host, address.number
    if host is not None:
        yield ("host", host)
        yield ("address", user or "", host)
    if user is not None:
        yield ("user", user)
    if number is not None:
        yield ("number", number)
        for length in prefix_lengths:
            if length <= len(number):
                yield ("prefix", number[:length])
    if address.country is not None:
        yield ("country", address.country)


def matcher_keys(matcher: Matcher | None) -> frozenset[Key]:
    """Keys of which one holds wherever the matcher matches."""
    if matcher is None:
        return frozenset({ANY})
    keys = frozenset(key for leaf in leaves(matcher) for key in _leaf_keys(leaf))
    return frozenset({ANY}) if ANY in keys else keys


def _leaf_keys(leaf: Matcher) -> Iterator[Key]:
    match leaf:
        case ExactNumber(number=number):
            yield ("number", number)
        case ExactAddress(user=user, host=host):
            yield ("address", user or "", host.lower())
        case Prefix(prefix=prefix):
            yield ("prefix", prefix)
        case Country(codes=codes):
            yield from (("country", code) for code in codes)
        case Glob(user=str(user)) if "*" not in user:
            yield ("user", user)
        case Glob(host=str(host)) if "*" not in host:
            yield ("host", host.lower())
        case Text(pattern=pattern) if "*" not in pattern:
            yield ("text", pattern)
        case Glob() | Text() | Regex() | Anonymous() | Not() | AnyOf():
            yield ANY
        case _:
            assert_never(leaf)
