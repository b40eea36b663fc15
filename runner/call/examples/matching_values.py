"""Makes up addresses and header values that two matchers both match.

Correct rather than complete: each proposal is checked with the matchers themselves, and for some pairs of
patterns none is found although one exists.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from urllib.parse import quote

from runner.call.addresses.address import read_address
from runner.call.addresses.number import MAX_DIGITS, example_number, read_number
from runner.call.routes.matcher import CompiledMatcher, Subject
from runner.model.call import Address
from runner.model.route import (
    Anonymous,
    Country,
    ExactAddress,
    ExactNumber,
    Glob,
    Matcher,
    Prefix,
    Regex,
    Text,
)

_HOST = "carrier.example"
_WITHHELD = "sip:anonymous@anonymous.invalid"
_USUAL = ("US", "GB", "DE", "CA", "FR", "IN", "BR", "AU")
_MOST_ALIKE = 2000
"""Numbers made up for one prefix or country, for a share that few callers are in."""

_MOST_REFUSED = 24
"""After this many texts that do not match, two entries are assumed to have nothing in common."""

_read = lru_cache(maxsize=4096)(read_address)
"""The same few addresses are tried on each pair of many routes."""

_ATOM = re.compile(r"(\\.|\[\^?[^\]]+\]|[^\\\[])(?:\{([0-9]+)(?:,[0-9]*)?\}|([*+?]))?\??")
_CLASSES = {"d": "5", "w": "a", "s": " ", "D": "x", "W": ".", "S": "x"}


def addresses(matchers: Sequence[Matcher], default_country: str | None) -> Iterator[Address]:
    """Addresses that all of these entries match, the likeliest first. No entry is an any-of.

    `default_country` applies to numbers without a country code, as for a call.
    """
    conditions = [compiled(matcher) for matcher in matchers]
    refused = 0
    for text in _address_texts(matchers):
        address = _read(text, default_country)
        subject = (Subject.party(address),)
        if all(matcher.find(subject) for matcher in conditions):
            yield address
        else:
            refused += 1
        if refused > _MOST_REFUSED:
            return


def header_value(matchers: Sequence[Matcher], default_country: str | None) -> str | None:
    """A value that all of these entries match; None where none was found."""
    conditions = [compiled(matcher) for matcher in matchers]
    for value in islice(chain(_texts(matchers), _address_texts(matchers)), _MOST_REFUSED):
        subject = (Subject.header(value, default_country),)
        if all(matcher.find(subject) for matcher in conditions):
            return value
    return None


@lru_cache(maxsize=1024)
def compiled(matcher: Matcher) -> CompiledMatcher:
    """The compiled matcher, cached: the same ones are used again and again."""
    return CompiledMatcher(matcher)


def common_text(first: str, second: str) -> str | None:
    """A shortest text that both patterns match, or None; `*` stands for any characters."""
    seen = {(0, 0)}
    queue = deque([(0, 0, "")])
    while queue:
        i, j, text = queue.popleft()
        if i == len(first) and j == len(second):
            return text
        for step in _steps(first[i : i + 1], second[j : j + 1]):
            state = i + step[0], j + step[1]
            if state not in seen:
                seen.add(state)
                queue.append((*state, text + step[2]))
    return None


def _steps(one: str, other: str) -> Iterator[tuple[int, int, str]]:
    """How far both patterns advance, and with which character."""
    if one == "*":
        yield 1, 0, ""
        if other not in ("", "*"):
            yield 0, 1, other
    if other == "*":
        yield 0, 1, ""
        if one not in ("", "*"):
            yield 1, 0, one
    if one == other and one not in ("", "*"):
        yield 1, 1, one


def _texts(matchers: Sequence[Matcher]) -> Iterator[str]:
    patterns = [matcher.pattern for matcher in matchers if isinstance(matcher, Text)]
    yield from (pattern.replace("*", "x") for pattern in patterns)
    for pattern in patterns[1:]:
        common = common_text(patterns[0], pattern)
        if common is not None:
            yield common
    for matcher in matchers:
        if isinstance(matcher, Regex):
            yield _sample(matcher.pattern)
    yield "x"


def _address_texts(matchers: Sequence[Matcher]) -> Iterator[str]:
    # The narrowest entry first: there is one address for an exact entry, and there are many for a country.
    for matcher in matchers:
        match matcher:
            case ExactAddress(user=user, host=host):
                yield f"sip:{quote(user)}@{host}" if user else f"sip:{host}"
            case ExactNumber(number=number):
                yield _sip(number)
            case Regex(pattern=pattern):
                yield _sample(pattern)
            case Anonymous(anonymous=True):
                yield _WITHHELD
            case _:
                pass
    yield from _globbed([matcher for matcher in matchers if isinstance(matcher, Glob)])
    for matcher in matchers:
        match matcher:
            case Prefix(prefix=prefix):
                yield from map(_sip, _numbers(prefix))
            case Country(codes=codes):
                for code in sorted(codes):
                    yield from map(_sip, _numbers_of(code))
            case _:
                pass
    for code in _USUAL:
        yield _sip(example_number(code) or "")
    yield "sip:desk@pbx.example"
    yield from map(_sip, _numbers_of("US"))


def _globbed(globs: Sequence[Glob]) -> Iterator[str]:
    if not globs:
        return
    users = _meeting([glob.user for glob in globs if glob.user is not None], "1")
    hosts = _meeting([glob.host for glob in globs if glob.host is not None], _HOST)
    for user in users:
        for host in hosts:
            yield f"sip:{quote(user)}@{host}"


def _meeting(patterns: Sequence[str], otherwise: str) -> list[str]:
    """Texts that the patterns may have in common."""
    if not patterns:
        return [otherwise]
    filled = [pattern.replace("*", "1") for pattern in patterns]
    common = [text for pattern in patterns[1:] if (text := common_text(patterns[0], pattern))]
    return [*filled, *common]


def _sip(number: str) -> str:
    return f"sip:{number}@{_HOST}"


def _numbers_of(region: str) -> Iterator[str]:
    """Numbers of the region that differ in their last digits."""
    example = example_number(region)
    if example is None:
        return
    yield example
    for number in _numbers(example[:-4]):
        read = read_number(number)
        if read is not None and read.region == region:
            yield number


def _numbers(prefix: str) -> Iterator[str]:
    """Numbers with this prefix."""
    lengths = [length for length in (11, 12, 10, 13, 9, 8, 14, 15, 7) if length > len(prefix) - 1]
    length = next((length for length in lengths if _is_number(_padded(prefix, length, 100))), None)
    if length is None:
        yield prefix
        return
    free = min(length, MAX_DIGITS) - (len(prefix) - 1)
    for i in range(100, 100 + min(_MOST_ALIKE, 10**free - 100) if free > 2 else 101):
        yield _padded(prefix, length, i)


def _padded(prefix: str, length: int, ending: int) -> str:
    free = length - (len(prefix) - 1)
    return prefix + f"5550{ending:04}"[-free:].rjust(free, "2")


def _is_number(text: str) -> bool:
    return read_number(text) is not None


@lru_cache(maxsize=1024)
def _sample(pattern: str) -> str:
    """A text that a simple pattern matches; for alternatives and groups, perhaps nonsense."""
    parts = []
    for atom, count, mark in _ATOM.findall(pattern):
        repeats = int(count) if count else 1
        parts.append(_filled(atom) * min(repeats, 64) if mark != "?" else "")
    return "".join(parts)


def _filled(atom: str) -> str:
    if atom in ("^", "$"):
        return ""
    if atom.startswith("["):
        inner = atom[1:-1]
        return _filled(inner[:2] if inner.startswith("\\") else inner[0]) if inner[0] != "^" else "x"
    if atom.startswith("\\"):
        return _CLASSES.get(atom[1], atom[1])
    return "1" if atom == "." else atom
