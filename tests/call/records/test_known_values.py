"""Values that are known: found as whole words, or in the same digits."""

import re

from hypothesis import given
from hypothesis import strategies as st

from runner.call.records.digit_runs import digit_runs
from runner.call.records.known_values import KnownValues

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "ba", "aab"]), min_size=1, max_size=4).map(" ".join)


def found(values: list[str], text: str) -> set[int]:
    """The places of all characters that belong to a value."""
    spans = KnownValues(values).spans(text, digit_runs(text))
    return {place for start, end in spans for place in range(start, end)}


@given(st.lists(WORDS, max_size=5), st.lists(WORDS, max_size=6).map(" ".join))
def test_it_finds_what_a_search_for_each_would_find(values: list[str], text: str) -> None:
    expected = {
        place
        for value in values
        for match in re.finditer(rf"(?=((?<!\w){re.escape(value)}(?!\w)))", text)
        for place in range(match.start(), match.start() + len(value))
    }
    assert found(values, text) == expected


def test_a_value_within_another_and_one_that_begins_in_another() -> None:
    assert found(["a b c", "b", "c d e"], "a b c d e, b") == {*range(9), 11}
    assert found(["a b d", "b c"], "a b c") == {2, 3, 4}


def test_digits_are_found_with_other_separators() -> None:
    assert found(["078-05-1120"], "it is 0 7 8 05 1120") == {*range(6, 19)}
    assert found(["12"], "1-2 3") == {0, 1, 2}
    assert found(["0" * 41], " ".join("0" * 41)) == set()


def test_nothing_is_found_of_nothing() -> None:
    assert found([], "a 1") == set()
    assert found(["", " "], "a 1  ") == set()
