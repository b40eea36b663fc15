"""Matches an address or a header, and says how specific the match is.

One evaluation serves routing, its explanation and the search for ties. The work is linear in the text,
however many numbers, addresses and prefixes an any-of lists.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias, assert_never

from runner.call.addresses.address import is_readable, read_address
from runner.call.regex import compile_regex
from runner.call.wildcards import glob_matches
from runner.model.call import Address
from runner.model.route import (
    Anonymous,
    AnyOf,
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

Specificity: TypeAlias = tuple[int, int]
"""Compares as the language says; the second part is the length of a prefix."""

NOTHING: Specificity = (0, 0)
COUNTRY: Specificity = (1, 0)
NEGATION: Specificity = (2, 0)
"""`not` is the least specific of patterns: it excludes almost nothing."""
PATTERN: Specificity = (3, 0)
PREFIX = 4
EXACT_NUMBER: Specificity = (5, 0)
EXACT_ADDRESS: Specificity = (6, 0)
"""A number matches at any host, an address at one: the address is more exact."""


class Subject:
    """What a matcher sees: a party of the call, or one value of a header."""

    def __init__(self, text: str, read: Callable[[], Address]) -> None:
        self.text = text
        self._read = read

    @classmethod
    def party(cls, address: Address) -> "Subject":
        """Caller or called party."""
        return cls(address_text(address), lambda: address)

    @classmethod
    def header(cls, value: str, default_country: str | None) -> "Subject":
        """One value of a header."""
        return cls(value, lambda: read_address(value, default_country))

    @cached_property
    def address(self) -> Address:
        """The subject as an address. A header's value is parsed only when a matcher needs it."""
        return self._read()


class Hit(NamedTuple):
    """A match, and how specific it is."""

    specificity: Specificity
    matcher: Matcher


Subjects: TypeAlias = Sequence[Subject]
Test: TypeAlias = Callable[[Subjects], bool]


def address_text(address: Address) -> str:
    """The whole address as patterns see it: `sip:user@host` without port and parameters.

    For an address that could not be read, its raw text.
    """
    if not is_readable(address) or (address.user is None and address.host is None):
        return address.uri
    scheme = address.uri.partition(":")[0].lower()
    if scheme not in ("sip", "sips", "tel", "web"):
        scheme = "sip"
    user, host = address.user, address.host
    return f"{scheme}:{user}@{host}" if user and host else f"{scheme}:{user or host}"


class CompiledMatcher:
    """A matcher, ready to use. Exact entries and prefixes are looked up; only the rest is tried."""

    def __init__(self, matcher: Matcher, lists: "CompiledLists | None" = None) -> None:
        """`lists` are the files of entries compiled so far, for matchers that name one again."""
        self.matcher = matcher
        self._known: CompiledLists = {} if lists is None else lists
        self._lists: list[CompiledMatcher] = []
        self._numbers: dict[str, ExactNumber] = {}
        self._addresses: dict[tuple[str | None, str], ExactAddress] = {}
        self._prefixes: dict[str, Prefix] = {}
        self._countries: dict[str, Country] = {}
        self._texts: dict[str, Text] = {}
        self._others: list[tuple[Specificity, Matcher, Test]] = []
        for part in parts(matcher):
            if isinstance(part, AnyOf):
                self._lists.append(self._listed(part))
            else:
                self._add(part)
        self._others += [other for listed in self._lists for other in listed._others]
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._others.sort(key=lambda other: other[0], reverse=True)

    def find(self, subjects: Subjects) -> Hit | None:
        """The most specific entry that matches one of these, or None.

        Several subjects are the values of a repeated header; a negation holds when none of them matches, so
        also when there are none.
        """
        hits = [hit for subject in subjects if (hit := self._look_up(subject))]
        best = max(hits, key=lambda hit: hit.specificity) if hits else None
        for specificity, matcher, test in self._others:
            if best is not None and best.specificity >= specificity:
                break
            if test(subjects):
                return Hit(specificity, matcher)
        return best

    def _listed(self, matcher: AnyOf) -> "CompiledMatcher":
        """A file's entries, compiled once. They hold their tuple, so that its identity stays its own."""
        key = id(matcher.matchers)
        if key not in self._known:
            self._known[key] = CompiledMatcher(AnyOf(matcher.matchers))
        return self._known[key]

    def _add(self, leaf: Matcher) -> None:
        match leaf:
            case ExactNumber():
                self._numbers[leaf.number] = leaf
            case ExactAddress():
                self._addresses[leaf.user, leaf.host.lower()] = leaf
            case Prefix():
                self._prefixes[leaf.prefix] = leaf
            case Country():
                self._countries.update(dict.fromkeys(leaf.codes, leaf))
            case Text(pattern=pattern) if "*" not in pattern:
                self._texts[pattern] = leaf
            case _:  # what cannot be looked up
                self._others.append((specificity(leaf), leaf, _test(leaf, self._known)))

    def _look_up(self, subject: Subject) -> Hit | None:
        exact = self._exact(subject)
        for listed in self._lists:
            hit = listed._exact(subject)
            if hit is not None and (exact is None or hit.specificity > exact.specificity):
                exact = hit
        return exact or self._wider(subject)

    def _exact(self, subject: Subject) -> Hit | None:
        if text := self._texts.get(subject.text):
            return Hit(EXACT_ADDRESS, text)
        if self._addresses:
            address = self._addresses.get((subject.address.user, subject.address.host or ""))
            if address:
                return Hit(EXACT_ADDRESS, address)
        number = subject.address.number if self._numbers else None
        exact = self._numbers.get(number) if number is not None else None
        return Hit(EXACT_NUMBER, exact) if exact else None

    def _wider(self, subject: Subject) -> Hit | None:
        if not (self._prefixes or self._countries):
            return None
        number = subject.address.number
        if number is None:
            return None
        for length in self._lengths:
            if prefix := self._prefixes.get(number[:length]):
                return Hit((PREFIX, length), prefix)
        country = self._countries.get(subject.address.country or "")
        return Hit(COUNTRY, country) if country else None


CompiledLists: TypeAlias = dict[int, CompiledMatcher]
"""By the identity of the tuple of a file's entries."""


def parts(matcher: Matcher) -> Iterable[Matcher]:
    """The parts of an any-of, however deep; the entries of a file count as one part."""
    if isinstance(matcher, AnyOf) and matcher.listed_in is None:
        for inner in matcher.matchers:
            yield from parts(inner)
    else:
        yield matcher


def leaves(matcher: Matcher) -> Iterable[Matcher]:
    """The entries of an any-of, however deep; any other matcher is its own only entry."""
    if isinstance(matcher, AnyOf):
        for inner in matcher.matchers:
            yield from leaves(inner)
    else:
        yield matcher


def specificity(leaf: Matcher) -> Specificity:
    """The specificity of one entry wherever it matches."""
    match leaf:
        case ExactAddress():
            return EXACT_ADDRESS
        case ExactNumber():
            return EXACT_NUMBER
        case Text(pattern=pattern) if "*" not in pattern:
            return EXACT_ADDRESS
        case Prefix(prefix=prefix):
            return (PREFIX, len(prefix))
        case Country():
            return COUNTRY
        case Not() | Anonymous(anonymous=False):
            return NEGATION
        case Glob() | Regex() | Text() | Anonymous():
            return PATTERN
        case AnyOf():
            return max(map(specificity, leaves(leaf)), default=NOTHING)
        case _:
            assert_never(leaf)


def _test(leaf: Matcher, lists: CompiledLists) -> Test:
    match leaf:
        case Glob(user=user, host=host):
            return lambda subjects: any(_glob(user, host, subject.address) for subject in subjects)
        case Regex(pattern=pattern):
            regex = compile_regex(pattern)
            return lambda subjects: any(regex.fullmatch(subject.text) is not None for subject in subjects)
        case Text(pattern=pattern):
            return lambda subjects: any(glob_matches(pattern, subject.text) for subject in subjects)
        case Anonymous(anonymous=wanted):
            return lambda subjects: any(subject.address.anonymous for subject in subjects) is wanted
        case Not(matcher=inner):
            compiled = CompiledMatcher(inner, lists)
            return lambda subjects: compiled.find(subjects) is None
        case ExactNumber() | ExactAddress() | Prefix() | Country() | AnyOf():
            raise TypeError(f"{leaf!r} is looked up, not tried")
        case _:
            assert_never(leaf)


def _glob(user: str | None, host: str | None, address: Address) -> bool:
    if user is not None and (address.user is None or not glob_matches(user, address.user)):
        return False
    return host is None or (address.host is not None and glob_matches(host.lower(), address.host))
