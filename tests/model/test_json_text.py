"""JSON of others: what passes the door can be walked, stored and sent on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.json_text import MAX_DEPTH, MAX_DIGITS, read_json
from runner.model.values import Json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "ü"]}', {"a": [1, 2.5, True, None, "ü"]}),
        ("\ufeff[1]", [1]),
        (b"\xef\xbb\xbf[1]", [1]),
        ('["ü"]'.encode("utf-16"), ["ü"]),
        ('["ü"]'.encode("utf-16-be"), ["ü"]),
        ('"\\ud83d!"', "?!"),
        ('"\ud83d!"', "?!"),
        ('"\\ud83d\\ude00"', "😀"),
        ('{"a\\u0000b": ["\\u0000"]}', {"ab": [""]}),
        (r'"C:\\u0000"', r"C:\u0000"),
        ("1" * MAX_DIGITS, int("1" * MAX_DIGITS)),
        ("1e308", 1e308),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
        ('["' + "[" * 1000 + '"]', ["[" * 1000]),
        ('["' + "word, " * 50_000 + '"]', ["word, " * 50_000]),
    ],
)
def test_json_is_read(text: str | bytes, value: Json) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[1", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
        ("NaN", "NaN is not a number that JSON can hold"),
        ("[-Infinity]", "-Infinity is not a number that JSON can hold"),
        ("1e999", "1e999 is not a number that JSON can hold"),
        ("1" * 400, "11111111111111111111… has more than 308 digits"),
        ("[" * 65 + "]" * 65, "nested deeper than 64 levels"),
        ('{"a":' * 65 + "1" + "}" * 65, "nested deeper than 64 levels"),
        ("[" * 50_000, "nested deeper than 64 levels"),
        ('[{"a": [' * 500 + "]}]" * 500, "nested deeper than 64 levels"),
        ("[" + "[]," * 100_000 + "1]", "larger than 60,000 values"),
        ("[" + "0," * 100_000 + "1]", "larger than 60,000 values"),
        (("{" + '"a":{},' * 50_000 + '"b":1}').encode("utf-16"), "larger than 60,000 values"),
    ],
)
def test_what_nobody_could_use_is_refused(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        read_json(text)
    assert str(raised.value) == error


@given(st.binary() | st.text())
def test_whatever_is_read_can_be_written(text: str | bytes) -> None:
    try:
        value = read_json(text)
    except ValueError:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
