"""Finds numbers and addresses in a text by their form, in time linear in the text.

- `payment_card`: 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1), with or without separators.
- `ssn`: nine digits as the US writes them (`123-45-6789`, `123 45 6789`, `123456789`, or digit by digit),
  except numbers that are never issued: those that begin with 000, 666 or 9, or contain a group 00 or 0000.
- `phone`: a valid number by the world's numbering plans, with its country code or as written in a default
  country; very long runs of digits, in which no number could be told from another; and, in a text with
  very many numbers, each that might be one.
- `email`: text in the form of an address.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from runner.call.records.digit_runs import DigitRun
from runner.model.agent import Sensitive

TextRange: TypeAlias = tuple[int, int]
"""Begin and end in a text."""

_CARD_DIGITS = 13, 19
_SSN_DIGITS = 9
_FEWEST_PHONE_DIGITS = 6
_MOST_PHONE_DIGITS = 60
"""In one run: a few numbers said one after the other. The search is slow for more."""
_MOST_CANDIDATES = 300
"""In one text: to look one up takes nearly 0.1 ms."""
# The look-behind and the possessive quantifiers keep it linear: a run of letters is tried once.
_EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@[\w-]++(?:\.[\w-]++)+")


def sensitive_spans(
    kind: Sensitive, text: str, runs: Sequence[DigitRun], country: str
) -> Iterator[TextRange]:
    """The spans of this kind. `runs` are the text's; `country` is for telephone numbers."""
    return _FINDERS[kind](text, runs, country)


def _luhn(digits: str, windows: Sequence[tuple[int, int]]) -> Iterator[bool]:
    """Whether the last digit of each window is the check digit of its others (ISO/IEC 7812-1, annex B).

    Every second digit from the end is doubled, so there are two sums.
    """
    sums = [
        [0, *accumulate(_VALUES[place % 2 == last][digit] for place, digit in enumerate(digits))]
        for last in (0, 1)
    ]
    for first, behind in windows:
        sum_ = sums[(behind - 1) % 2]
        yield (sum_[behind] - sum_[first]) % 10 == 0


_VALUES = {
    True: {str(digit): digit for digit in range(10)},
    False: {str(digit): 2 * digit - (9 if digit > 4 else 0) for digit in range(10)},
}
"""The value of a digit, plain and doubled."""


def _cards(_text: str, runs: Sequence[DigitRun], _country: str) -> Iterator[TextRange]:
    for run in runs:
        windows = list(run.windows(*_CARD_DIGITS))
        for window, is_card in zip(windows, _luhn(run.digits, windows), strict=True):
            if is_card:
                yield run.span_of(*window)


def _social_security(_text: str, runs: Sequence[DigitRun], _country: str) -> Iterator[TextRange]:
    for run in runs:
        for first, behind in run.windows(_SSN_DIGITS, _SSN_DIGITS):
            if _is_grouped_as_ssn(run, first) and _is_given_out(run.digits[first:behind]):
                yield run.span_of(first, behind)


def _is_grouped_as_ssn(run: DigitRun, first: int) -> bool:
    begins = [place for place in range(_SSN_DIGITS) if run.begins_at(first + place)]
    if begins in ([0], [0, 3, 5]):
        return True
    return len(run.digits) == _SSN_DIGITS and {3, 5} <= {*begins}


def _is_given_out(digits: str) -> bool:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return not (area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000")


def _phones(text: str, runs: Sequence[DigitRun], country: str) -> Iterator[TextRange]:
    candidates = [run for run in runs if len(run.digits) >= _FEWEST_PHONE_DIGITS]
    if not candidates:
        return
    unsearched = [
        run.span
        for number, run in enumerate(candidates)
        if number >= _MOST_CANDIDATES or len(run.digits) > _MOST_PHONE_DIGITS
    ]
    yield from unsearched
    text = _without(text, unsearched)
    import phonenumbers  # noqa: PLC0415 - slow to import, and most records name no number

    # Transcripts put commas where the speaker paused. The numbering plans end a number at a comma.
    for written in dict.fromkeys((text, text.replace(",", " "))):
        for match in phonenumbers.PhoneNumberMatcher(written, country):
            yield match.start, match.end


def _without(text: str, spans: Sequence[TextRange]) -> str:
    """The text with letters in place of these parts."""
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], "x" * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


def _emails(text: str, _runs: Sequence[DigitRun], _country: str) -> Iterator[TextRange]:
    for match in _EMAIL.finditer(text):
        yield match.span()


_FINDERS: Mapping[Sensitive, Callable[[str, Sequence[DigitRun], str], Iterator[TextRange]]] = {
    Sensitive.PAYMENT_CARD: _cards,
    Sensitive.SSN: _social_security,
    Sensitive.PHONE: _phones,
    Sensitive.EMAIL: _emails,
}
