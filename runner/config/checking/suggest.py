"""Finds the known name that a mistyped one was probably meant to be."""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

_NEAR = 0.65
"""How similar two names are: `evn` and `env` are near, `number` and `user` are not."""
_MOST_COMPARED = 10
"""Names that are compared with a word in full, which takes ten microseconds each: thousands of mistakes among
hundreds of names that are all alike would take a minute.
"""


class _Known(NamedTuple):
    """Known names, prepared for any number of words."""

    originals: dict[str, str]
    """The names by their plain form."""
    bits: dict[tuple[str, int], int]
    """A bit for each letter that occurs, for its second occurrence in a name, and so on."""
    letters: dict[str, int]
    """The letters of each plain name, as a set of bits."""


def nearest(word: str, known: Iterable[str], *, cutoff: float = _NEAR) -> str | None:
    """The known name nearest to the word, whatever its case and separators, or None when none is near."""
    word, names = _plain(word), _prepared(tuple(sorted(known, reverse=True)))
    if word in names.originals:
        return names.originals[word]
    own = _letters(word, names.bits)
    # Names can only be as similar as their letters are in any order.
    by_letters = (
        (2 * (own & its).bit_count() / (len(word) + len(name)), name) for name, its in names.letters.items()
    )
    candidates = sorted((pair for pair in by_letters if pair[0] >= cutoff), reverse=True)[:_MOST_COMPARED]
    if not candidates:
        return None
    from difflib import SequenceMatcher  # noqa: PLC0415 - only a configuration with a mistake pays for it

    ratio, name = max((SequenceMatcher(a=name, b=word).ratio(), name) for _, name in candidates)
    return names.originals[name] if ratio >= cutoff else None


@lru_cache(maxsize=64)
def _prepared(known: tuple[str, ...]) -> _Known:
    originals = {_plain(name): name for name in known}
    occurring = dict.fromkeys(pair for name in originals for pair in _occurrences(name))
    bits = {pair: 1 << position for position, pair in enumerate(occurring)}
    return _Known(originals, bits, {name: _letters(name, bits) for name in originals})


def _letters(word: str, bits: dict[tuple[str, int], int]) -> int:
    return sum(bits.get(pair, 0) for pair in _occurrences(word))


def _occurrences(word: str) -> list[tuple[str, int]]:
    """Each letter of a word with how often it has occurred before."""
    return [(letter, n) for letter, times in Counter(word).items() for n in range(times)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing: the end of a message about an unknown name."""
    name = nearest(word, known)
    return "" if name is None or name == word else f'; did you mean "{name}"?'


def or_there_is(word: str, known: Iterable[str]) -> str:
    """The name that was probably meant, or all that exist; nothing where there are none."""
    names = sorted(known)
    return did_you_mean(word, names) or (f"; there is {one_of(names)}" if names else "")


def one_of(names: Iterable[str], limit: int = 12) -> str:
    """`"a", "b" or "c"`, for a message that lists what would be right."""
    quoted = [f'"{name}"' for name in names]
    if len(quoted) > limit:
        return ", ".join([*quoted[:limit], "…"])
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")
