"""JMESPath: what is found, and that nothing takes longer than it may."""

import time
from contextlib import suppress

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from runner.call.tools.query import Query, QueryFailure, QuerySyntaxError
from runner.model.values import Json
from tests.cpu import took_at_most

ROWS = [{"a": i, "n": "x" * 30, "b": {"c": [i, i]}} for i in range(4_000)]
DATA = {"rows": ROWS, "text": "x" * 900_000}

EXPRESSIONS = [
    "a",
    "a.b",
    "a[0]",
    "a[-1].b",
    "a[1:3]",
    "a[]",
    "a[*].b",
    "a.*",
    "a[?b > `1`].b",
    "a[?b == 'x' || !c]",
    "[a, b]",
    "{x: a, y: b[*].c}",
    "a | [0]",
    "length(a)",
    "sort_by(a, &b)[0]",
    "map(&b, a)",
    "to_string(a)",
    "join('-', a)",
    "not_null(a, b)",
    "@",
]
KEYS = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(EXPRESSIONS), JSON)
def test_it_finds_what_jmespath_finds(expression: str, data: Json) -> None:
    try:
        expected = jmespath.search(expression, data)
    except JMESPathError:
        with pytest.raises(QueryFailure):
            Query(expression).find(data)
    else:
        assert Query(expression).find(data) == expected


@pytest.mark.parametrize(
    ("expression", "failure"),
    [
        ("rows | " + " | ".join(["[@, @]"] * 40), "it takes too many steps"),
        ("rows | " + " | ".join(["{a: @, b: @}"] * 40), "it takes too many steps"),
        ("rows | " + " | ".join(["[@, @][]"] * 40), "it takes too many steps"),
        ("text | " + " | ".join(["join('', [@, @])"] * 40), "it takes too many steps"),
        ("rows[*].[@]" + "[*].[@]" * 50, "it takes too many steps"),
        (
            "`1` | " + " | ".join(["[@]"] * 60) + " | [[[[[[[@]]]]]]]",
            "what it finds is nested deeper than 64 levels",
        ),
        (
            "length(`1`)",
            "in function length(), invalid type for value: 1, "
            'expected one of: ["string", "array", "object"], received: "number"',
        ),
        ("nope(rows)", "unknown function: nope()"),
        ("to_number('1e999')", "it finds a number that JSON cannot hold"),
        ("{a: to_number('-inf')}", "it finds a number that JSON cannot hold"),
        ("to_number('nan')", "it finds a number that JSON cannot hold"),
        ("avg(`[1e308, 1e308]`)", "it finds a number that JSON cannot hold"),
        (f"sum(`[{'9' * 308}, 1]`)", "it finds a number that JSON cannot hold"),
    ],
)
def test_what_cannot_be_found_is_told(expression: str, failure: str) -> None:
    with pytest.raises(QueryFailure) as failed:
        Query(expression).find(DATA)
    assert str(failed.value) == failure


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("length(rows)", 4_000),
        ("rows[].{a: a, c: b.c[0]} | [-1]", {"a": 3_999, "c": 3_999}),
        ("rows[?a > `3998`].a", [3_999]),
        ("sort_by(rows, &a)[0].a", 0),
        ("length(join(',', rows[].n))", 123_999),
        (".".join(["a"] * 1_500), None),
        (f"to_number('{'9' * 308}')", int("9" * 308)),
        (f"to_number('{'9' * 309}')", None),
    ],
)
def test_a_large_reply_is_gone_through(expression: str, found: Json) -> None:
    assert Query(expression).find(DATA) == found


NUMBERS = list(range(59_000))


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("[?@ > `5`]", NUMBERS),
        ("[?contains(to_string(@), 'x')]", NUMBERS),
        ("[?@ == `1` || @ == `2` || @ == `3`]", NUMBERS),
        ("sort_by(@, &to_string(@))", NUMBERS),
        ("rows[].{a: a, c: b.c[0]} | sort_by(@, &c) | reverse(@)", DATA),
    ],
)
def test_no_expression_holds_other_calls_up(expression: str, data: Json) -> None:
    """It stands where every event of every call is handled, which wait for no longer than 100 ms."""
    took_s = []
    for _ in range(3):
        began = time.thread_time()
        with suppress(QueryFailure):
            Query(expression).find(data)
        took_s.append(time.thread_time() - began)
    assert took_at_most(min(took_s), 0.1)


@pytest.mark.parametrize(
    ("expression", "error", "column"),
    [
        ("slots[.start", '"." cannot stand there', 7),
        ("join(", "it is not complete", 6),
        ("a." * 3_000 + "a", "it is longer than 4000 characters", 1),
        ("(" * 1_500 + "a" + ")" * 1_500, "it is nested too deeply", 1),
        (" | ".join(["a"] * 1_000), "it is nested too deeply", 1),
        ("{a:" * 100 + "a" + "}" * 100, "it is nested too deeply", 1),
        ("!" * 500 + "a", "it is nested too deeply", 1),
    ],
)
def test_a_text_that_is_not_an_expression_is_told(expression: str, error: str, column: int) -> None:
    with pytest.raises(QuerySyntaxError) as failed:
        Query(expression)
    assert (str(failed.value), failed.value.column) == (error, column)
