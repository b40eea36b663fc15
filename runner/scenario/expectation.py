"""Compares observed values with expected ones, and gives each difference its place.

A mapping must hold at least the named fields. In a text, `*` stands for any characters. A list is compared
whole and in order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from runner.model.scenario import Expectation, Expected
from runner.model.steering import DeedResult
from runner.model.values import Json
from runner.scenario.matching import aligned, matches, mismatches, request_mismatches
from runner.scenario.mismatch import MISSING, DiffLine, Mismatch, one_line, unplaced

NEVER = "not"


def differences(expectation: Expectation, got: Mapping[str, Json]) -> Iterator[Mismatch]:
    """The differences between observed and expected values, in the order of the file."""
    for key, expected in expectation.wanted.items():
        mismatches = list(_CHECKS.get(key, _value)(key, expected, got))
        yield from _with_refusals(mismatches, got) if key in _DONE_BY_TOOLS else mismatches
    for key, unwanted in expectation.unwanted.items():
        yield from _unwanted(key, unwanted, got)


_DONE_BY_TOOLS = frozenset({"agent", "ended", "handoffs", "order", "requests", "says", "transfers"})
"""What a refused tool, or a refused act of a person, does not do."""


def _with_refusals(differing: Sequence[Mismatch], got: Mapping[str, Json]) -> Iterator[Mismatch]:
    """The differences, with the reasons why tools were not carried out since the last expectation, and why
    persons' acts were not.
    """
    record = got["record"]
    tools, deeds = (record["tools"], record["deeds"]) if record is not None else ([], [])
    refusals = [
        DiffLine("+", f'"{tool["name"]}" is refused: {tool["error"]}')
        for tool in tools
        if tool["status"] == "refused" and tool["name"] in got["output"]
    ]
    refusals += [
        DiffLine("+", f'the person\'s "{deed["what"]}" is refused: {deed["detail"]}')
        for deed in deeds
        if deed["result"] == DeedResult.REFUSED.value
    ]
    refusals = list(dict.fromkeys(refusals))
    for difference in differing:
        yield replace(difference, lines=(*difference.lines, *refusals))


def _value(key: str, expected: Expected, got: Mapping[str, Json]) -> Iterator[Mismatch]:
    actual = got[key]
    if actual is None and expected.value is not None:
        yield Mismatch.between(expected, _instead(key, got), what=key)
    else:
        yield from mismatches(expected, actual, key)


def _instead(key: str, got: Mapping[str, Json]) -> str:
    """What there is instead of a missing value."""
    if got["rejected"] is not None:
        why = f": {got['why_rejected']}" if got["why_rejected"] else ""
        return f"the call is rejected with {got['rejected']}{why}"
    if key == "rejected":
        return f'the call is answered by "{got["agent"]}"'
    if key == "ended":
        return "the call goes on"
    return "it is unknown: the price of the model is not known" if key == "cost" else MISSING


def _cost(key: str, expected: Expected, got: Mapping[str, Json]) -> Iterator[Mismatch]:
    cost = got["cost"]
    if cost is None:
        yield Mismatch.between(expected, _instead("cost", got), what=key)
    elif not _costs(key, expected, cost):
        at_most = "at most " if key == "max_cost" else ""
        yield Mismatch(
            place=expected.place,
            what=key,
            lines=(DiffLine("-", f"{at_most}{expected.text}"), DiffLine("+", f"{cost:g}")),
        )


def _costs(key: str, expected: Expected, cost: float) -> bool:
    # Costs are rounded to the sixth digit.
    expected_cost = float(expected.text)
    return cost <= expected_cost if key == "max_cost" else abs(cost - expected_cost) < 5e-7


def _texts(key: str, expected: Expected, got: Mapping[str, Json]) -> Iterator[Mismatch]:
    yield from _list(key, expected, got[key], matches, one_line)


def _requests(key: str, expected: Expected, got: Mapping[str, Json]) -> Iterator[Mismatch]:
    wanted, actual = _entries(expected), got[key]
    if len(wanted) != len(actual):
        yield from _list(key, expected, actual, _is_request, request_line)
        return
    for number, (one, other) in enumerate(zip(wanted, actual, strict=True)):
        yield from request_mismatches(one, other, f"{key}[{number}]")


def _is_request(expected: Expected, got: Json) -> bool:
    return not any(request_mismatches(expected, got, ""))


def request_line(got: Json) -> str:
    """A request that was sent, on one line."""
    query = urlencode(got["query"], doseq=True)
    return f"{got['method']} {got['host']}{got['path']}{'?' if query else ''}{query}"


def _list(
    key: str,
    expected: Expected,
    actual: Sequence[Json],
    fits: Callable[[Expected, Json], bool],
    line: Callable[[Json], str],
) -> Iterator[Mismatch]:
    entries = _entries(expected)
    pairs = aligned(entries, actual, fits)
    if all(one is not None and other is not MISSING for one, other in pairs):
        return
    lines: list[DiffLine] = []
    for one, other in pairs:
        if one is None:
            lines.append(DiffLine("+", line(other)))
        else:
            lines.append(
                DiffLine("-", one_line(unplaced(one))) if other is MISSING else DiffLine(" ", line(other))
            )
    if not entries:
        lines.insert(0, DiffLine("-", "none"))
    if not actual:
        lines.append(DiffLine("+", "none"))
    first = next((one for one, other in pairs if one is not None and other is MISSING), expected)
    yield Mismatch(place=first.place, what=key, lines=tuple(lines))


def _order(key: str, expected: Expected, got: Mapping[str, Json]) -> Iterator[Mismatch]:
    """Check that the expected entries are in the log, in their order."""
    missing = _first_missing(expected, got[key])
    if missing is not None:
        lines = [
            DiffLine("-", one_line(unplaced(missing))),
            *(DiffLine("+", one_line(one)) for one in got[key]),
        ]
        yield Mismatch(
            place=missing.place, what=key, lines=tuple(lines if got[key] else [*lines, DiffLine("+", "none")])
        )


def _first_missing(expected: Expected, log: Sequence[Json]) -> Expected | None:
    rest = iter(log)
    return next((one for one in _entries(expected) if not any(matches(one, other) for other in rest)), None)


_CHECKS: Mapping[str, Callable[[str, Expected, Mapping[str, Json]], Iterator[Mismatch]]] = {
    "cost": _cost,
    "max_cost": _cost,
    "says": _texts,
    "tells": _texts,
    "handoffs": _texts,
    "transfers": _texts,
    "requests": _requests,
    "order": _order,
}


# What must not be


def _unwanted(key: str, unwanted: Expected, got: Mapping[str, Json]) -> Iterator[Mismatch]:
    actual = got[key]
    for part, name, other in _unwanted_parts(key, unwanted, actual):
        line = request_line(other) if key == "requests" else one_line(other)
        yield Mismatch(place=part.place, what=f"{NEVER}.{name}", lines=(DiffLine("+", line),))


def _unwanted_parts(key: str, unwanted: Expected, actual: Json) -> Iterator[tuple[Expected, str, Json]]:
    """The unwanted parts that are there all the same: kind, name, and observed value."""
    if key in {"cost", "max_cost"}:
        if actual is not None and _costs(key, unwanted, actual):
            yield unwanted, key, actual
    elif key == "order":
        if _first_missing(unwanted, actual) is None:
            yield unwanted, key, unplaced(unwanted)
    elif isinstance(unwanted.value, tuple):
        fits = _is_request if key == "requests" else matches
        for number, entry in enumerate(unwanted.value):
            match = next((other for other in actual if fits(entry, other)), MISSING)
            if match is not MISSING:
                yield entry, f"{key}[{number}]", match
    elif isinstance(unwanted.value, Mapping):
        for name, field in unwanted.value.items():
            if isinstance(actual, Mapping) and name in actual and matches(field, actual[name]):
                yield field, f"{key}.{name}", actual[name]
    elif actual is not None and matches(unwanted, actual):
        yield unwanted, key, actual


def _entries(expected: Expected) -> tuple[Expected, ...]:
    return expected.value if isinstance(expected.value, tuple) else ()
