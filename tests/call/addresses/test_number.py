"""Telephone numbers as E.164."""

import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.addresses.number import (
    MAX_LENGTH,
    begins_a_number,
    country_code,
    example_number,
    is_region,
    read_number,
    regions,
)


@pytest.mark.parametrize(
    ("text", "country", "e164", "region"),
    [
        ("+18005551212", None, "+18005551212", "US"),
        ("+1 (415) 555-0123", "DE", "+14155550123", "US"),
        ("+1 604 555 0123", "US", "+16045550123", "CA"),
        ("+44 (0)20 7946 0958", None, "+442079460958", "GB"),
        ("00442079460958", "US", "+442079460958", "GB"),
        ("(415) 555-2671", "US", "+14155552671", "US"),
        ("14155552671", "US", "+14155552671", "US"),
        ("14155552671", None, "+14155552671", "US"),
        ("421948155064", "US", "+421948155064", "SK"),
        ("011442079460958", "US", "+442079460958", "GB"),
        # Numbers of varying length: these would be valid national numbers as well.
        ("492214710123", "DE", "+492214710123", "DE"),
        ("491713920012", "DE", "+491713920012", "DE"),
        ("49 (228) 123456", "DE", "+49228123456", "DE"),
        ("628123456789", "ID", "+628123456789", "ID"),
        ("46701234567", "SE", "+46701234567", "SE"),
        ("390612345678", "IT", "+390612345678", "IT"),
        ("38344123456", "XK", "+38344123456", "XK"),
        # The national prefix says that a number is national; so does a length that is not international.
        ("04921 123456", "DE", "+494921123456", "DE"),
        ("0221 4710123", "DE", "+492214710123", "DE"),
        ("2214710123", "DE", "+492214710123", "DE"),
        ("06 1234 5678", "IT", "+390612345678", "IT"),
        ("3912345678", "IT", "+393912345678", "IT"),
        ("55 99123-4567", "BR", "+5555991234567", "BR"),
        ("8 912 345-67-89", "RU", "+79123456789", "RU"),
        ("79123456789", "RU", "+79123456789", "RU"),
        ("81312345678", "RU", "+81312345678", "JP"),
        ("+14155550123;ext=5", None, "+14155550123", "US"),
        ("+14155550123 ext. 5", None, "+14155550123", "US"),
        ("020 7946 0958 x12", "GB", "+442079460958", "GB"),
        ("+80012345678", None, "+80012345678", None),
        # No numbering plan has the area code 555, but the plus says what it is.
        ("+15555550100", None, "+15555550100", None),
    ],
)
def test_is_written_as_e164_with_its_region(
    text: str, country: str | None, e164: str, region: str | None
) -> None:
    number = read_number(text, country)
    assert number is not None
    assert (number.e164, number.region) == (e164, region)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("", "US"),
        ("+", "US"),
        ("1001", "US"),
        ("4155552671", None),
        ("5555550100", "US"),
        ("+1800555", "US"),
        ("+999123456", None),
        ("proj_4155552671", "US"),
        ("1-800-FLOWERS", "US"),
        ("+٤٤٢٠٧٩٤٦٠٩٥٨", None),
        ("4155552671", "ZZ"),
        ("+" + "1" * MAX_LENGTH, None),
        ("anonymous", "US"),
    ],
)
def test_anything_else_is_not_a_number(text: str, country: str | None) -> None:
    assert read_number(text, country) is None


@pytest.mark.parametrize("region", sorted(regions()))
def test_a_number_without_its_plus_is_the_same_number_at_home(region: str) -> None:
    for kind in range(11):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        national = phonenumbers.national_significant_number(number)
        e164 = country_code(region) + national
        assert read_number(e164.removeprefix("+"), region) == read_number(e164)
        assert read_number(national, region) == read_number(e164)


@given(
    st.text(alphabet="+0123456789 ()-./;extX\u0661", max_size=MAX_LENGTH + 2),
    st.sampled_from([None, "US", "IT"]),
)
def test_what_is_read_is_e164_and_reads_as_itself(text: str, country: str | None) -> None:
    number = read_number(text, country)
    if number is not None:
        assert number.e164.removeprefix("+").isdecimal()
        assert len(number.e164) <= 16
        assert read_number(number.e164, country) == number


def test_regions_are_two_letters_in_capitals() -> None:
    assert [is_region(code) for code in ("US", "CA", "us", "001", "ZZ")] == [True, True, False, False, False]


@pytest.mark.parametrize("region", sorted(regions()))
def test_no_number_begins_with_its_country_code_and_its_national_prefix(region: str) -> None:
    prefix = phonenumbers.ndd_prefix_for_region(region, True)
    assert not prefix or not country_code(region).startswith(f"+{prefix}") or country_code(region) == "+1"


@pytest.mark.parametrize(
    ("prefix", "begins"),
    [
        ("+", True),
        ("+4", True),
        ("+49", True),
        ("+1415", True),
        ("+0", False),
        ("+999", False),
        ("+1" + 14 * "4", True),
        ("+1" + 15 * "4", False),
    ],
)
def test_a_prefix_of_international_numbers_is_one_of_a_country_code_and_short_enough(
    prefix: str, begins: bool
) -> None:
    assert begins_a_number(prefix) is begins


def test_an_example_is_a_number_of_its_region() -> None:
    number = read_number(example_number("CA") or "")
    assert number is not None
    assert number.region == "CA"
    assert example_number("ZZ") is None


def test_the_numbering_plans_are_not_imported_before_a_number_is_read() -> None:
    code = "import sys, runner.call.addresses.incoming; print('phonenumbers' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
