"""Arguments of a model, which may be anything: what fits passes, what does not is told to be mended."""

import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.tools.arguments import check_arguments
from runner.model.tool import HangupBinding, Tool
from runner.model.values import Json, JsonObject

BOOKING = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "format": "date"},
        "slots": {"type": "integer", "minimum": 1, "maximum": 9},
        "kind": {"enum": ["lunch", "dinner"]},
        "guest": {
            "type": "object",
            "properties": {"vip": {"type": "boolean"}},
            "required": ["vip"],
            "additionalProperties": False,
        },
        "times": {"type": "array", "items": {"type": "string", "format": "time"}, "minItems": 1},
        "note": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
        "code": {"type": "string", "pattern": "^[A-Z]+$"},
    },
    "required": ["day"],
}
NONE = {"type": "object", "properties": {}, "additionalProperties": False}


def tool(parameters: JsonObject) -> Tool:
    return Tool(name="book", description="", parameters=parameters, binding=HangupBinding())


@pytest.mark.parametrize(
    ("parameters", "text", "arguments"),
    [
        (BOOKING, '{"day": "2026-11-27"}', {"day": "2026-11-27"}),
        (
            BOOKING,
            '{"day": "2026-11-27", "slots": 2, "times": ["09:30", "10:00:00Z"]}',
            {"day": "2026-11-27", "slots": 2, "times": ["09:30", "10:00:00Z"]},
        ),
        (BOOKING, '{"day": "2026-11-27", "note": null}', {"day": "2026-11-27", "note": None}),
        # Unknown ones are refused only where the schema says so.
        (BOOKING, '{"day": "2026-11-27", "made": "up"}', {"day": "2026-11-27", "made": "up"}),
        (NONE, "", {}),
        (NONE, "  ", {}),
        (NONE, "{}", {}),
        (NONE, "null", {}),
        (NONE, " null\n", {}),
        # A null is the same as leaving out what may be left out, at any depth.
        (BOOKING, '{"day": "2026-11-27", "kind": null, "slots": null}', {"day": "2026-11-27"}),
        (
            {"type": "object", "properties": {"guests": {"type": "array", "items": BOOKING}}},
            '{"guests": [{"day": "2026-11-27", "slots": null, "guest": null, "note": null}]}',
            {"guests": [{"day": "2026-11-27", "note": None}]},
        ),
        # Half a surrogate pair is legal JSON and cannot be sent on.
        ({"type": "object"}, '{"a": "\\ud83d!"}', {"a": "?!"}),
        ({"type": "object"}, '{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        # Patterns of the schema apply to text only, formats that are not checked to nothing.
        ({"type": "object", "properties": {"a": {"format": "date"}}}, '{"a": 1}', {"a": 1}),
        ({"type": "object", "properties": {"a": {"format": "ipv4"}}}, '{"a": "x"}', {"a": "x"}),
    ],
)
def test_arguments_that_fit_are_given_as_the_model_gave_them(
    parameters: JsonObject, text: str, arguments: Json
) -> None:
    assert check_arguments(tool(parameters), text) == arguments


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", '"day" is missing, it must be text, a date such as 2026-11-27'),
        ('{"day": "tomorrow"}', '"day" is "tomorrow", it must be text, a date such as 2026-11-27'),
        ('{"day": "2026-02-30"}', '"day" is "2026-02-30", it must be text, a date such as 2026-11-27'),
        (
            '{"day": "2026-11-27", "slots": 12}',
            '"slots" is 12, it must be a whole number, at least 1, at most 9',
        ),
        (
            '{"day": "2026-11-27", "slots": "2"}',
            '"slots" is "2", it must be a whole number, at least 1, at most 9',
        ),
        ('{"day": "2026-11-27", "kind": "tea"}', '"kind" is "tea", it must be one of "lunch", "dinner"'),
        ('{"day": "2026-11-27", "guest": {}}', '"guest.vip" is missing, it must be true or false'),
        (
            '{"day": "2026-11-27", "guest": {"vip": true, "age": 3}}',
            'there is no argument "guest.age"; there is "guest.vip"',
        ),
        (
            '{"day": "2026-11-27", "times": ["09:30", "25:00"]}',
            '"times[1]" is "25:00", it must be text, a time such as 09:30',
        ),
        ('{"day": "2026-11-27", "times": []}', '"times" is [], it must be a list, with at least 1 entries'),
        (
            '{"day": "2026-11-27", "note": "too long"}',
            '"note" is "too long", it must be text, at most 5 characters long or null',
        ),
        ('{"day": "2026-11-27", "code": "a"}', '"code" is "a", it must be text, matching ^[A-Z]+$'),
        (
            '{"slots": 0, "kind": "tea"}',
            '"slots" is 0, it must be a whole number, at least 1, at most 9; '
            '"kind" is "tea", it must be one of "lunch", "dinner"; '
            '"day" is missing, it must be text, a date such as 2026-11-27',
        ),
        ('{"day": null}', '"day" is null, it must be text, a date such as 2026-11-27'),
        (
            '{"day": "2026-11-27", "guest": {"vip": null}}',
            '"guest.vip" is null, it must be true or false',
        ),
        (
            '{"day": ' + json.dumps("x" * 100) + "}",
            '"day" is "' + "x" * 58 + "…, it must be text, a date such as 2026-11-27",
        ),
        (
            "[1]",
            "the arguments are [1], which is not a JSON object; send one JSON object with "
            '"day", "slots", "kind", "guest", "times", "note", "code"',
        ),
    ],
)
def test_the_error_names_the_argument_what_was_given_and_what_would_fit(text: str, error: str) -> None:
    assert check_arguments(tool(BOOKING), text) == error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "hello",
            "the arguments are not JSON (Expecting value: line 1 column 1 (char 0)); "
            "send {}, this tool takes no arguments",
        ),
        ("7", "the arguments are 7, which is not a JSON object; send {}, this tool takes no arguments"),
        (
            '{"a": ' + "[" * 65 + "]" * 65 + "}",
            "the arguments are not JSON (nested deeper than 64 levels); "
            "send {}, this tool takes no arguments",
        ),
        (
            '"' + "x" * 100_000 + '"',
            "the arguments are 100002 characters long, at most 100000 are accepted",
        ),
        (
            '{"a": NaN}',
            "the arguments are not JSON (NaN is not a number that JSON can hold); "
            "send {}, this tool takes no arguments",
        ),
        (
            '{"a": 1e999}',
            "the arguments are not JSON (1e999 is not a number that JSON can hold); "
            "send {}, this tool takes no arguments",
        ),
        ('{"a": 1}', 'there is no argument "a"; send none'),
    ],
)
def test_a_tool_without_parameters_takes_no_arguments(text: str, error: str) -> None:
    assert check_arguments(tool(NONE), text) == error


@pytest.mark.parametrize(
    ("name", "fitting", "wrong"),
    [
        ("date", ["2026-11-27"], ["2026-1-7", "20261127", "2026-11-27T00:00:00"]),
        ("time", ["09:30", "09:30:05", "09:30:05.5Z", "09:30:00+02:00"], ["9:30", "0930", "24:01", "noon"]),
        (
            "date-time",
            ["2026-11-27T09:30:00Z", "2026-11-27 09:30", "2026-11-27t09:30:00.5+01:00"],
            ["2026-11-27", "09:30", "2026-13-01T00:00:00Z"],
        ),
        ("email", ["ada@example.com"], ["ada", "ada@", "a b@c"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567", "123e4567e89b12d3a456426614174000"]),
    ],
)
def test_formats_are_checked(name: str, fitting: list[str], wrong: list[str]) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "format": name}}}
    for text in fitting:
        assert check_arguments(tool(schema), json.dumps({"x": text})) == {"x": text}
    for text in wrong:
        assert isinstance(check_arguments(tool(schema), json.dumps({"x": text})), str)


def test_a_reference_to_elsewhere_is_not_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        reference = f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json"
        schema = {"type": "object", "properties": {"x": {"$ref": reference}}}
        socket.setdefaulttimeout(1)
        try:
            error = check_arguments(tool(schema), '{"x": 1}')
        finally:
            socket.setdefaulttimeout(None)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert error == (
        f'the arguments cannot be checked: the reference "{reference}" leads to nothing; '
        'send one JSON object with "x"'
    )


def test_a_pattern_that_backtracks_keeps_nobody_waiting() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": r"^(\w+\s?)*$"}}}
    text = "a" * 40 + "!"
    assert check_arguments(tool(schema), json.dumps({"x": text})) == (
        rf'"x" is "{text}", it must be text, matching ^(\w+\s?)*$'
    )


def test_arguments_that_take_too_long_to_check_are_refused() -> None:
    choice = {
        "anyOf": [{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "required": ["b"]}] * 4
    }
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": choice}}
    assert check_arguments(tool(schema), '{"a":' * 60 + "1" + "}" * 60) == (
        'the arguments cannot be checked: it takes too long; send one JSON object with "a"'
    )


@given(st.text() | st.sampled_from(["[" * 100_000, "{" * 100_000, '{"day":' * 50_000, "1" * 5_000, "\x00"]))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(check_arguments(tool(BOOKING), text), str | dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*BOOKING["properties"], "vip", "x"]), inner, max_size=4)
    ),
)


@given(st.dictionaries(st.sampled_from([*BOOKING["properties"], "x"]), JSON))
def test_any_object_is_answered_with_itself_or_a_sentence(given: JsonObject) -> None:
    text = json.dumps(given)
    answer = check_arguments(tool(BOOKING), text)
    assert isinstance(answer, str) or json.dumps(answer, ensure_ascii=False).encode()
