"""Masks what a record may not hold: numbers and addresses by their look, values by the paths to them.

What is looked for, in everything that was said and in arguments, errors and faults:

- `payment_card`: 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1), with or without separators.
- `ssn`: nine digits as the US writes them (`123-45-6789`, `123 45 6789`, `123456789`, or digit by digit),
  but for numbers that are never given out: those that begin with 000, 666 or 9, or have 00 or 0000 in them.
- `phone`: what the world's numbering plans take for a valid number, with its country code, or as it is
  written in the default country (in the US where there is none). Caller and dialled number of the call
  itself stay: a record that does not say who called whom is none.
- `email`: what has the form of an address.
- `args.…`, `result.…`: the value at that place of any tool's arguments or JSON reply, in its place and
  wherever else it is written the same.

Only what is written in digits is found: a transcript that says "four one one one" is not understood.
Redacting what is redacted changes nothing.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from runner.model.agent import Recording, Sensitive
from runner.model.record import CallRecord
from runner.model.values import Json, JsonObject

MASKED = "[redacted]"
"""Stands where a path led."""
SHORTEST = 4
"""A shorter value is masked in its own place only: "yes" and "12" stand everywhere."""

Path: TypeAlias = tuple[str, ...]
Span: TypeAlias = tuple[int, int]
"""Where something begins and ends in a text."""

_RUN = re.compile(r"\d(?:[\s.,/()\-\u2010-\u2015]{0,2}\d)*")
_GROUP = re.compile(r"\d+")
# The look-behind and the possessive quantifiers keep it linear: a run of letters is tried once.
_EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@[\w-]++(?:\.[\w-]++)+")
_MOST_CARD_DIGITS = 19


class Redactor:
    """Masks whatever any of these agents declares. A call that is handed over is kept as strictly as the
    strictest of its agents wants."""

    def __init__(self, recordings: Iterable[Recording], values: Iterable[str] = ()) -> None:
        """`values` are known already to be masked, e.g. those that result paths led to."""
        recordings = tuple(recordings)
        self._keeps_transcript = all(recording.transcript for recording in recordings)
        self._kinds = [kind for kind in Sensitive if any(kind in each.kinds for each in recordings)]
        self._argument_paths = {path for recording in recordings for path in recording.arguments}
        self._result_paths = {path for recording in recordings for path in recording.results}
        self._country = next((each.country for each in recordings if each.country), "US")
        self._values = set(values)

    @property
    def changes_nothing(self) -> bool:
        """Whether nothing is declared."""
        return self._keeps_transcript and not (
            self._kinds or self._argument_paths or self._result_paths or self._values
        )

    def record(self, record: CallRecord) -> CallRecord:
        """The record as it may be kept."""
        if self.changes_nothing:
            return record
        arguments = [self.arguments(use.arguments) for use in record.tools]
        return replace(
            record,
            turns=tuple(
                replace(turn, text=self._turn(turn.text) if turn.text is not None else None)
                for turn in record.turns
            ),
            tools=tuple(
                replace(
                    use,
                    # Once more: a value that a later call gave away may stand in an earlier one.
                    arguments=self.data(given),
                    error=self.text(use.error) if use.error is not None else None,
                )
                for use, given in zip(record.tools, arguments, strict=True)
            ),
            handoffs=tuple(replace(each, because=self.text(each.because)) for each in record.handoffs),
            faults=tuple(self.text(fault) for fault in record.faults),
            detail=self.text(record.detail),
        )

    def arguments(self, given: Json) -> Json:
        """A tool call's arguments, as an object or as the text that the model wrote."""
        if not isinstance(given, str) or not self._argument_paths:
            return self._at_paths(given, self._argument_paths)
        try:
            parsed = json.loads(given)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            # It cannot be told what stands where, so that all of it might be what must not be kept.
            return MASKED if given else given
        return json.dumps(self._at_paths(parsed, self._argument_paths), ensure_ascii=False)

    def result(self, reply: Json) -> Json:
        """What a tool replied, as JSON."""
        return self._at_paths(reply, self._result_paths)

    def data(self, value: Json) -> Json:
        """Any JSON value, with every text, key and number in it masked where it has to be."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.data(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(entry) for entry in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            written = str(value)
            masked = self.text(written)
            return value if masked == written else masked
        return value

    def names(self, names: JsonObject) -> dict[str, Json]:
        """What templates may name after the call, kept as strictly as the record; its parties stay too."""
        call = {**names["call"], "headers": self.data(names["call"]["headers"])}
        masked = {name: self.data(names[name]) for name in ("vars", "lookup")}
        return {**names, **masked, "call": call}

    def text(self, text: str) -> str:
        """Any text."""
        found = [*_places_of(text, self._values)]
        runs = tuple(_runs(text)) if self._kinds else ()
        for kind in self._kinds:
            found += [(span, f"[{kind.value}]") for span in _FINDERS[kind](text, runs, self._country)]
        return _masked(text, found)

    def _turn(self, text: str) -> str | None:
        return self.text(text) if self._keeps_transcript else None

    def _at_paths(self, value: Json, paths: Collection[Path]) -> Json:
        self._values |= values_at(value, paths)
        return self.data(_without(value, paths))


def values_at(value: Json, paths: Iterable[Path]) -> set[str]:
    """Everything that stands at or below these paths, as text. A list is looked through entry by entry."""
    return {leaf for path in paths for found in _at(value, path) for leaf in _leaves(found)}


def _at(value: Json, path: Path) -> Iterator[Json]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _at(entry, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        below = value[path[0]]
        yield from [below] if len(path) == 1 else _at(below, path[1:])


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _without(value: Json, paths: Collection[Path]) -> Json:
    """The value with a mark at each of the paths; null stays, since it gives nothing away."""
    if isinstance(value, list | tuple):
        return [_without(entry, paths) for entry in value]
    if not isinstance(value, Mapping):
        return value
    masked = dict(value)
    for key, entry in value.items():
        below = [path[1:] for path in paths if path[0] == key]
        if () in below:
            masked[key] = None if entry is None else MASKED
        elif below:
            masked[key] = _without(entry, below)
    return masked


# Finding


@dataclass(frozen=True, slots=True)
class _Run:
    """Digits with nothing but separators between them."""

    groups: tuple[tuple[Span, str], ...]
    """Each group of digits that stand together: where, and which."""

    @property
    def size(self) -> int:
        return sum(len(digits) for _, digits in self.groups)

    def windows(self, least: int, most: int) -> "Iterator[_Run]":
        """Every part of so many digits that begins and ends where a group does."""
        for first in range(len(self.groups)):
            size = 0
            for last in range(first, len(self.groups)):
                size += len(self.groups[last][1])
                if size > most:
                    break
                if size >= least:
                    yield _Run(self.groups[first : last + 1])

    @property
    def span(self) -> Span:
        return self.groups[0][0][0], self.groups[-1][0][1]

    @property
    def digits(self) -> str:
        return "".join(digits for _, digits in self.groups)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(digits) for _, digits in self.groups)


def _runs(text: str) -> Iterator[_Run]:
    for run in _RUN.finditer(text):
        groups = tuple(
            # Digits of any script: people who speak Arabic or Hindi are transcribed in theirs.
            (group.span(), "".join(str(int(digit)) for digit in group[0]))
            for group in _GROUP.finditer(text, *run.span())
        )
        yield _Run(groups)


def _cards(_text: str, runs: Sequence[_Run], _country: str) -> Iterator[Span]:
    for run in runs:
        for window in run.windows(13, _MOST_CARD_DIGITS):
            if passes_luhn(window.digits):
                yield window.span


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _social_security(_text: str, runs: Sequence[_Run], _country: str) -> Iterator[Span]:
    for run in runs:
        for window in run.windows(9, 9):
            if _is_grouped_as_ssn(window, run) and _is_given_out(window.digits):
                yield window.span


def _is_grouped_as_ssn(window: _Run, run: _Run) -> bool:
    if window.sizes in ((9,), (3, 2, 4)):
        return True
    ends = {sum(window.sizes[: index + 1]) for index in range(len(window.sizes))}
    return run.size == 9 and {3, 5} <= ends


def _is_given_out(digits: str) -> bool:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return not (area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000")


def _phones(text: str, runs: Sequence[_Run], country: str) -> Iterator[Span]:
    if not any(run.size >= 6 for run in runs):
        return
    import phonenumbers  # noqa: PLC0415 - slow to import, and most records name no number

    # Transcripts put commas where the speaker paused. To the plans a comma ends a number.
    for written in dict.fromkeys((text, text.replace(",", " "))):
        for match in phonenumbers.PhoneNumberMatcher(written, country):
            yield match.start, match.end


def _emails(text: str, _runs: Sequence[_Run], _country: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        yield match.span()


_FINDERS: Mapping[Sensitive, Callable[[str, Sequence[_Run], str], Iterator[Span]]] = {
    Sensitive.PAYMENT_CARD: _cards,
    Sensitive.SSN: _social_security,
    Sensitive.PHONE: _phones,
    Sensitive.EMAIL: _emails,
}


def _places_of(text: str, values: Iterable[str]) -> Iterator[tuple[Span, str]]:
    """Where a value is written again: the same characters, or the same digits with other separators."""
    wanted = sorted((value for value in values if len(value) >= SHORTEST), key=len, reverse=True)
    for value in wanted:
        for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
            yield match.span(), MASKED
    numbers = {run.digits for value in wanted for run in _runs(value) if run.span == (0, len(value))}
    if not numbers:
        return
    sizes = [len(number) for number in numbers]
    for run in _runs(text):
        for window in run.windows(min(sizes), max(sizes)):
            if window.digits in numbers:
                yield window.span, MASKED


def _masked(text: str, found: Sequence[tuple[Span, str]]) -> str:
    """The text with a mark in place of each span. Of spans that meet, the first found names the mark."""
    merged: list[tuple[Span, int]] = []
    for order in sorted(range(len(found)), key=lambda order: found[order][0]):
        start, end = found[order][0]
        if merged and start < merged[-1][0][1]:
            (first_start, first_end), first = merged.pop()
            merged.append(((first_start, max(first_end, end)), min(first, order)))
        else:
            merged.append(((start, end), order))
    parts, at = [], 0
    for (start, end), order in merged:
        parts += [text[at:start], found[order][1]]
        at = end
    return "".join([*parts, text[at:]])
