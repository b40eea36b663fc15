"""Compares a value with the expected one: the rules for texts, mappings, lists and requests."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from runner.call.wildcards import glob_matches
from runner.model.scenario import Expected
from runner.model.values import Json
from runner.scenario.mismatch import MISSING, DiffLine, Mismatch, one_line

_BODIES = ("json", "form", "text")


def matches(expected: Expected, got: Json) -> bool:
    """Whether there is no difference."""
    return not any(mismatches(expected, got, ""))


def mismatches(expected: Expected, got: Json, name: str, *, exact: bool = False) -> Iterator[Mismatch]:
    """The differing parts, each with its own place. `exact`: mappings hold the named fields only."""
    value = expected.value
    if isinstance(value, Mapping):
        yield from _mapping(expected, value, got, name, exact=exact)
    elif isinstance(value, tuple):
        if not isinstance(got, Sequence) or isinstance(got, str) or len(got) != len(value):
            yield Mismatch.between(expected, one_line(got), what=name)
            return
        for number, (entry, other) in enumerate(zip(value, got, strict=True)):
            yield from mismatches(entry, other, f"{name}[{number}]", exact=exact)
    elif not _is_scalar(expected, got):
        yield Mismatch.between(expected, one_line(got), what=name)


def _mapping(
    expected: Expected, value: Mapping[str, Expected], got: Json, name: str, *, exact: bool
) -> Iterator[Mismatch]:
    if not isinstance(got, Mapping):
        yield Mismatch.between(expected, one_line(got), what=name)
        return
    for key, field in value.items():
        below = f"{name}.{key}"
        if key in got:
            yield from mismatches(field, got[key], below, exact=exact)
        else:
            yield Mismatch.between(field, MISSING, what=below)
    if exact:
        yield from _further(expected, got, set(value), name)


def _further(expected: Expected, got: Mapping[str, Json], known: set[str], name: str) -> Iterator[Mismatch]:
    for key in got:
        if key not in known:
            lines = (DiffLine("-", MISSING), DiffLine("+", one_line(got[key])))
            yield Mismatch(place=expected.place, what=f"{name}.{key}", lines=lines)


def _is_scalar(expected: Expected, got: Json) -> bool:
    value = expected.value
    if isinstance(value, str):
        if isinstance(got, str):
            return glob_matches(value, got)
        # A pattern is about how a value is written, so `*` alone demands only that there is one.
        return "*" in value and glob_matches(value, one_line(got))
    if isinstance(got, str) and value is not None:
        return got == expected.text
    if isinstance(value, bool) or isinstance(got, bool) or value is None or got is None:
        return value is got
    return isinstance(got, int | float) and value == got


def request_mismatches(expected: Expected, got: Mapping[str, Json], name: str) -> Iterator[Mismatch]:
    """The differences between a sent request and the expected one."""
    if not isinstance(expected.value, Mapping):
        return
    parts = dict(expected.value)
    is_exact = "exact" in parts and parts.pop("exact").value is True
    for key, part in parts.items():
        below = f"{name}.{key}"
        if key == "headers" and isinstance(part.value, Mapping):
            for header, text in part.value.items():
                yield from _header(text, got[key].get(header.lower()), f"{below}.{header}")
        elif key not in got:
            yield Mismatch.between(part, _other_body(got) if key in _BODIES else MISSING, what=below)
        else:
            yield from mismatches(part, got[key], below, exact=is_exact and key in {"query", *_BODIES})
    if is_exact:
        unnamed = {key: got[key] for key in ("query", *_BODIES) if got.get(key) and key not in parts}
        yield from _further(expected, unnamed, set(), name)


def _header(expected: Expected, got: str | None, name: str) -> Iterator[Mismatch]:
    if got is None:
        yield Mismatch.between(expected, MISSING, what=name)
    else:
        yield from mismatches(expected, got, name)


def _other_body(got: Mapping[str, Json]) -> str:
    kind = next((kind for kind in _BODIES if kind in got), None)
    return "no body" if kind is None else f"{kind}: {one_line(got[kind])}"


def aligned(
    wanted: Sequence[Expected], actual: Sequence[Json], fits: Callable[[Expected, Json], bool]
) -> list[tuple[Expected | None, Json]]:
    """Both lists side by side, with as much in common as possible.

    An entry that the other list lacks stands beside None, or beside MISSING.
    """
    common = [[0] * (len(actual) + 1) for _ in range(len(wanted) + 1)]
    fit = [[fits(one, other) for other in actual] for one in wanted]
    for i in reversed(range(len(wanted))):
        for j in reversed(range(len(actual))):
            common[i][j] = common[i + 1][j + 1] + 1 if fit[i][j] else max(common[i + 1][j], common[i][j + 1])
    pairs: list[tuple[Expected | None, Json]] = []
    i = j = 0
    while i < len(wanted) or j < len(actual):
        if i < len(wanted) and j < len(actual) and fit[i][j]:
            pairs.append((wanted[i], actual[j]))
            i, j = i + 1, j + 1
        elif j == len(actual) or (i < len(wanted) and common[i + 1][j] >= common[i][j + 1]):
            pairs.append((wanted[i], MISSING))
            i += 1
        else:
            pairs.append((None, actual[j]))
            j += 1
    return pairs
