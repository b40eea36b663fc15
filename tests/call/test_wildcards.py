"""Patterns with `*`: what they match, in time that is linear in the text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.wildcards import glob_matches


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=12))
def test_a_star_is_any_run_of_characters(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert glob_matches(pattern, text) is expected


@pytest.mark.parametrize("end", ["a", "b"])
def test_many_stars_take_no_longer(end: str) -> None:
    assert glob_matches("*a" * 15 + end, "a" * 100_000 + end) is True
    assert glob_matches("*a" * 15 + "c", "a" * 100_000) is False
