"""Finds the known name that a mistyped one was probably meant to be."""

from collections.abc import Iterable

_NEAR = 0.65
"""How similar two names are: `evn` and `env` are near, `number` and `user` are not."""


def nearest(word: str, known: Iterable[str], *, cutoff: float = _NEAR) -> str | None:
    """The known name nearest to the word, whatever its case and separators, or None when none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a configuration with a mistake pays for it

    plain = {_plain(name): name for name in sorted(known, reverse=True)}
    matches = get_close_matches(_plain(word), plain, n=1, cutoff=cutoff)
    return plain[matches[0]] if matches else None


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
