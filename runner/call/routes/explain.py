"""Puts conditions into words: why a route won, and which condition of another one failed."""

from collections.abc import Callable, Sequence
from typing import assert_never

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

_MOST_NAMED = 3
"""For a longer list only the number of entries is given."""


def holds(matcher: Matcher) -> str:
    """What holds when the matcher matches, e.g. `begins with +1800`."""
    return _in_words(matcher, is_so=True)


def fails(matcher: Matcher) -> str:
    """What holds when the matcher does not match, e.g. `does not begin with +1800`."""
    return _in_words(matcher, is_so=False)


def _in_words(matcher: Matcher, *, is_so: bool) -> str:
    be, begin, match_ = (
        ("is", "begins", "matches") if is_so else ("is not", "does not begin", "does not match")
    )
    match matcher:
        case ExactNumber(number=number):
            return f"{be} {number}"
        case ExactAddress(user=user, host=host):
            return f"{be} sip:{user}@{host}" if user else f"{be} sip:{host}"
        case Prefix(prefix=prefix):
            return f"{begin} with {prefix}"
        case Country(codes=codes):
            return f"{be} a number of {' or '.join(sorted(codes))}"
        case Glob(user=user, host=host):
            parts = [
                f'{name} "{part}"' for name, part in (("user", user), ("host", host)) if part is not None
            ]
            return f"{match_} {' and '.join(parts)}"
        case Regex(pattern=pattern):
            return f'{match_} the regex "{pattern}"'
        case Text(pattern=pattern):
            return f'{match_ if "*" in pattern else be} "{pattern}"'
        case Anonymous(anonymous=anonymous):
            return "is withheld" if anonymous is is_so else "is not withheld"
        case AnyOf():
            return _any_of(matcher, *(("is one of", "or", holds) if is_so else ("is none of", "and", fails)))
        case Not(matcher=inner):
            return fails(inner) if is_so else holds(inner)
        case _:
            assert_never(matcher)


def _any_of(matcher: AnyOf, one_of: str, joint: str, say: Callable[[Matcher], str]) -> str:
    entries: Sequence[Matcher] = matcher.matchers
    if matcher.listed_in is not None:
        return f"{one_of} the lines of {matcher.listed_in}"
    if len(entries) > _MOST_NAMED:
        return f"{one_of} the {len(entries)} entries"
    return f" {joint} ".join(say(entry) for entry in entries)
