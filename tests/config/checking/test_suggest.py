"""What a mistyped name was surely meant to be."""

import pytest

from runner.config.checking.suggest import did_you_mean, nearest, one_of

KEYS = ["max_duration", "env", "user", "host", "http", "GET", "x-plan"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("maxDuration", "max_duration"),
        ("max-duration", "max_duration"),
        ("MAX_DURATION", "max_duration"),
        ("evn", "env"),
        ("htpp", "http"),
        ("GTE", "GET"),
        ("X_Plan", "x-plan"),
        ("number", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_found_whatever_case_and_separators(word: str, meant: str | None) -> None:
    assert nearest(word, KEYS) == meant


def test_of_hundreds_of_like_names_the_nearest_is_found() -> None:
    known = [f"tool_{n}" for n in range(500)]
    assert [nearest(f"tool_{n}", known) for n in (1_000, 4_321, 77_777)] == [
        "tool_100",
        "tool_432",
        "tool_77",
    ]


def test_nothing_is_suggested_when_nothing_is_near_or_it_is_the_same() -> None:
    assert did_you_mean("nonsense", KEYS) == ""
    assert did_you_mean("env", KEYS) == ""
    assert did_you_mean("evn", KEYS) == '; did you mean "env"?'


def test_names_are_listed_up_to_a_limit() -> None:
    assert one_of(["a"]) == '"a"'
    assert one_of(["a", "b", "c"]) == '"a", "b" or "c"'
    assert one_of("abc", limit=2) == '"a", "b", …'
