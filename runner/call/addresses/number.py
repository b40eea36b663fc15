"""Reads telephone numbers and writes them as E.164. Never raises, and knows nothing of SIP.

The world's numbering plans come from `phonenumbers`, which is imported with the first number (about 50 ms),
so that a command without numbers does not pay for it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

MAX_LENGTH = 64
"""Longer text is not a number. Separators and an extension may come on top of an E.164 number."""

MAX_DIGITS = 15
"""Of an E.164 number, without the plus."""

_SHAPE = re.compile(
    r"([+]?[0-9 ().\-/]*[0-9][0-9 ().\-/]*?)(?: *(?:;ext=|ext\.?|x) *[0-9]{1,9})?", re.IGNORECASE
)

_SEPARATORS = re.compile(r"[ ().\-/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A telephone number."""

    e164: str
    """With the leading plus."""
    region: str | None
    """ISO 3166-1 alpha-2, e.g. US or CA within +1; None where the plan does not say."""


def read_number(text: str, default_country: str | None = None) -> Number | None:
    """The telephone number in the text, or None. Visual separators and an extension are ignored.

    With `+` (or `00`, which stands for it) the text is international: it is a number when its country code
    exists and its length is possible there. Fictional numbers (+1 555 …) are therefore numbers, and so are
    ranges that were opened after the numbering plans were last updated.

    Without `+` a number must be valid, since any digits would fit somewhere. Carriers send international
    numbers without their plus, and in a country whose numbers vary in length those can be valid national
    numbers too. So text that begins with the default country's own code is international where that is
    valid, unless it begins with the national prefix (`0` in most countries); any other text is national
    where that is valid, else international.
    """
    if len(text) > MAX_LENGTH:
        return None
    return _read(text.strip(), default_country)


def begins_a_number(prefix: str) -> bool:
    """Whether international numbers can begin with this prefix (plus included)."""
    digits = prefix.removeprefix("+")
    codes = map(str, _plans().COUNTRY_CODE_TO_REGION_CODE)
    return len(digits) <= MAX_DIGITS and any(
        code.startswith(digits) or digits.startswith(code) for code in codes
    )


def is_region(code: str) -> bool:
    """Whether some telephone numbers belong to this ISO 3166-1 alpha-2 code (in capitals)."""
    return code in regions()


def regions() -> frozenset[str]:
    """All region codes that a number can have."""
    return frozenset(_plans().SUPPORTED_REGIONS)


@lru_cache(maxsize=256)
def example_number(region: str) -> str | None:
    """A valid number of the region, for messages and checks; None where the plans hold no example."""
    plans = _plans()
    number = plans.example_number(region)
    return plans.format_number(number, plans.PhoneNumberFormat.E164) if number is not None else None


def country_code(region: str) -> str:
    """What international numbers of the region begin with, e.g. `+1`."""
    return f"+{_plans().country_code_for_region(region)}"


def regions_with(code: str) -> tuple[str, ...]:
    """The regions whose numbers begin with this country code: of `+1` there are more than twenty."""
    regions: tuple[str, ...] = _plans().COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
    return regions


@lru_cache(maxsize=4096)
def _read(text: str, default_country: str | None) -> Number | None:
    shape = _SHAPE.fullmatch(text)
    if not shape:
        return None
    digits = _SEPARATORS.sub("", shape[1])
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if digits.startswith("+"):
        return _parse(digits, None, must_be_valid=False)
    countries = [None, default_country] if _is_own_code(digits, default_country) else [default_country, None]
    readings = (
        _parse(digits if country else f"+{digits}", country, must_be_valid=True) for country in countries
    )
    return next((number for number in readings if number is not None), None)


def _is_own_code(digits: str, country: str | None) -> bool:
    """Whether digits without a plus begin with the country's own code.

    That is nowhere the national prefix but within +1, where both readings are one.
    """
    if country is None or (code := _plans().country_code_for_region(country)) == 0:
        return False
    return digits.startswith(str(code))


def _parse(digits: str, country: str | None, *, must_be_valid: bool) -> Number | None:
    plans = _plans()
    try:
        number = plans.parse(digits, country)
    except plans.NumberParseException:
        return None
    # A few valid numbers, such as 310-1234 in Canada, have a length that is impossible with an area code.
    is_possible = not must_be_valid and (
        plans.is_possible_number_with_reason(number) == plans.ValidationResult.IS_POSSIBLE
    )
    if not is_possible and not plans.is_valid_number(number):
        return None
    region = plans.region_code_for_number(number)
    return Number(
        e164=plans.format_number(number, plans.PhoneNumberFormat.E164),
        # 001 stands for numbers without a country, such as +800.
        region=region if region != "001" else None,
    )


def _plans() -> ModuleType:
    import phonenumbers  # noqa: PLC0415 - slow to import, and most commands meet no number

    return phonenumbers
