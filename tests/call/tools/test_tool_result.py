"""What the model is told of replies: selected, cut, or an error that says what happened."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.templates.template import compile_template
from runner.call.tools.endpoint_reply import EndpointReply, read_reply
from runner.call.tools.tool_result import ToolOutput, cut_marked, error_output, model_output, reply_variables
from runner.model.http import Failure, HttpReply
from runner.model.tool import ResultSpec
from runner.model.values import Json

NAMES = {"args": {"day": "Friday"}}
SLOTS = b'{"slots": [{"start": "09:00", "by": {"name": "Dr. R\xc3\xa4y"}}, {"start": "10:00"}]}'


def reply(body: bytes = b"", content_type: str = "application/json", status: int = 200) -> EndpointReply:
    return read_reply(HttpReply(status=status, body=body, content_type=content_type))


@pytest.mark.parametrize(
    ("result", "given", "text"),
    [
        (
            ResultSpec(select="slots[].{start: start, doctor: by.name}"),
            reply(SLOTS),
            '[{"start":"09:00","doctor":"Dr. Räy"},{"start":"10:00","doctor":null}]',
        ),
        (ResultSpec(select="slots[0].start"), reply(SLOTS), "09:00"),
        (ResultSpec(select="length(slots)"), reply(SLOTS), "2"),
        (ResultSpec(select="nothing.here"), reply(SLOTS), "null"),
        (ResultSpec(select="slots[0].start"), reply(SLOTS, "text/plain"), "09:00"),
        (ResultSpec(select="slots[0].start"), reply(SLOTS, ""), "09:00"),
        (ResultSpec(), reply(b'{ "a" : "\xc3\xa9" }'), '{"a":"é"}'),
        (ResultSpec(), reply(b'{ "a" : "\xe9" }', "application/json; charset=ISO-8859-1"), '{"a":"é"}'),
        (ResultSpec(), reply(b'{ "a" : 1 }', 'application/json; charset="no-such"'), '{"a":1}'),
        (ResultSpec(), reply(b"\xef\xbb\xbf[1]"), "[1]"),
        (ResultSpec(), reply(b"[1]", "application/problem+json"), "[1]"),
        (ResultSpec(), reply(b"We are\n open.", "text/plain"), "We are\n open."),
        (ResultSpec(), reply(b"1.50", "text/plain"), "1.50"),
        (ResultSpec(), reply(b"not {json", "application/json"), "not {json"),
        (ResultSpec(), reply(b'{"a": NaN}'), '{"a": NaN}'),
        (ResultSpec(), reply(b"", "", 204), '{"status":204}'),
        (ResultSpec(select="a"), reply(b" \n", "text/html", 201), '{"status":201}'),
        (ResultSpec(), reply(b"\xef\xbb\xbf\n", "text/plain"), '{"status":200}'),
        (ResultSpec(), reply(b'{"a": "\\ud83d"}'), '{"a":"?"}'),
    ],
)
def test_a_reply_is_told_as_selected_json_or_text(
    result: ResultSpec, given: EndpointReply, text: str
) -> None:
    assert model_output(result, given, NAMES) == ToolOutput(text=text, ok=True, http_status=given.status)


@pytest.mark.parametrize(
    ("result", "given", "error"),
    [
        (ResultSpec(), reply(status=503), "the endpoint answered 503 Service Unavailable"),
        (
            ResultSpec(),
            reply(status=302),
            "the endpoint answered 302 Found, a redirect, which is not followed",
        ),
        (ResultSpec(), reply(status=599), "the endpoint answered 599"),
        (
            ResultSpec(select="a"),
            reply(b"<html>", "text/html"),
            "the endpoint answered 200, but its reply is not JSON",
        ),
        (
            ResultSpec(select="a"),
            reply(b"[" * 50_000),
            "the endpoint answered 200, but its reply is nested deeper than 64 levels",
        ),
        (
            ResultSpec(select="a"),
            reply(b"[" + b"1," * 60_000 + b"1]"),
            "the endpoint answered 200, but its reply is larger than 60,000 values",
        ),
        (
            ResultSpec(),
            reply(b"\x89PNG", "image/png"),
            "the endpoint answered 200, but its reply is not text (image/png)",
        ),
        (
            ResultSpec(),
            reply(b"a\x00b", "text/plain"),
            "the endpoint answered 200, but its reply is not text (text/plain)",
        ),
        (ResultSpec(), reply(b"\xff\xfe\xfd", ""), "the endpoint answered 200, but its reply is not text"),
        (
            ResultSpec(select="length(a)"),
            reply(b'{"a": 1}'),
            "the endpoint answered 200, but its reply is not of the expected form "
            "(in function length(), invalid type for value: 1, "
            'expected one of: ["string", "array", "object"], received: "number")',
        ),
    ],
)
def test_a_reply_that_is_no_answer_is_an_error_with_its_status(
    result: ResultSpec, given: EndpointReply, error: str
) -> None:
    output = model_output(result, given, NAMES)
    assert json.loads(output.text) == {"error": error, "status": given.status}
    assert (output.ok, output.error, output.http_status) == (False, error, given.status)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/octet-stream",
        "application/x-amz-json-1.1",
        "application/x-json",
        "application/x-www-form-urlencoded",
        "image/png",
        "text/html; charset=no-such",
        "application/json; charset=punycode",
        "application/json; charset=unicode_escape",
        "nonsense",
        "",
    ],
)
def test_a_reply_whose_bytes_are_json_is_json_whatever_its_media_type(content_type: str) -> None:
    given = reply(b'{"id": 7, "name": "R\xc3\xa4y"}', content_type)
    assert model_output(ResultSpec(), given, NAMES).text == '{"id":7,"name":"Räy"}'
    assert model_output(ResultSpec(select="name"), given, NAMES).text == "Räy"
    assert reply_variables(ResultSpec(sets={"last": "id"}), given) == {"last": 7}


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16le", "utf-16-le"),
        ("iso-8859-1", "latin-1"),
        ("latin1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("cp1250", "cp1250"),
    ],
)
def test_text_is_read_in_the_charsets_of_the_web(charset: str, codec: str) -> None:
    given = reply("Räy".encode(codec), f"text/plain; charset={charset}")
    assert model_output(ResultSpec(), given, NAMES).text == "Räy"


def test_a_charset_that_decodes_slowly_is_not_used() -> None:
    given = reply(b"a" * 1_000_000 + b"-" + b"b" * 50_000, "text/plain; charset=punycode")
    assert model_output(ResultSpec(), given, NAMES).text.startswith("aaa")


@pytest.mark.parametrize(
    ("body", "content_type", "told"),
    [
        (
            b'{"message": "Returns were possible until November 3, 2026."}',
            "application/json",
            {"message": "Returns were possible until November 3, 2026."},
        ),
        (b'{"a": 1}', "application/octet-stream", {"a": 1}),
        (b"Slot taken.\n", "text/plain", "Slot taken."),
        (b"<error>taken</error>", "application/xml", "<error>taken</error>"),
        (b"x" * 2000, "text/plain", "x" * 975 + " … [cut: 2000 characters]"),
        (b"[" + b"1," * 2000 + b"1]", "application/json", "[" + "1," * 487 + " … [cut: 4003 characters]"),
    ],
)
def test_what_a_4xx_says_is_told(body: bytes, content_type: str, told: Json) -> None:
    output = model_output(ResultSpec(select="slots"), reply(body, content_type, 409), NAMES)
    assert json.loads(output.text) == {
        "error": "the endpoint answered 409 Conflict",
        "status": 409,
        "reply": told,
    }
    assert (output.ok, output.error) == (False, "the endpoint answered 409 Conflict")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 404),
        (b" \n", "text/plain", 404),
        (b"null", "application/json", 404),
        (b"<p>Not found", "text/html; charset=utf-8", 404),
        (b"\n<!DOCTYPE html><p>Not found", "", 404),
        (b"\x89PNG", "image/png", 404),
        (b'{"trace": "Traceback"}', "application/json", 500),
        (b'{"moved": true}', "application/json", 301),
    ],
)
def test_what_says_nothing_to_a_model_is_left_out(body: bytes, content_type: str, status: int) -> None:
    output = model_output(ResultSpec(), reply(body, content_type, status), NAMES)
    assert "reply" not in json.loads(output.text)


def test_a_short_max_chars_bounds_what_a_4xx_says() -> None:
    output = model_output(ResultSpec(max_chars=100), reply(b"x" * 500, "text/plain", 400), NAMES)
    assert len(json.loads(output.text)["reply"]) == 100


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure.TIMEOUT, "the endpoint did not answer in time"),
        (Failure.CONNECTION, "the endpoint could not be reached"),
        (Failure.BROKEN, "the endpoint was reached, but no reply came back that can be read"),
        (Failure.FORBIDDEN, "the endpoint's address is one that tools may not reach"),
        (Failure.TOO_LARGE, "the endpoint's reply is too large"),
    ],
)
def test_no_reply_is_an_error_without_a_status(failure: Failure, error: str) -> None:
    output = model_output(ResultSpec(), read_reply(HttpReply(failure=failure, detail="private")), NAMES)
    assert output == ToolOutput(
        text=json.dumps({"error": error}, separators=(",", ":")), ok=False, error=error
    )


def test_on_error_is_told_beside_the_error() -> None:
    result = ResultSpec(
        on_error=compile_template("The calendar is down. Offer another day than {{ args.day }}.")
    )
    output = model_output(result, reply(status=503), NAMES)
    assert json.loads(output.text) == {
        "error": "the endpoint answered 503 Service Unavailable",
        "status": 503,
        "on_error": "The calendar is down. Offer another day than Friday.",
    }


def test_an_on_error_that_quotes_a_long_argument_is_cut_as_results_are() -> None:
    result = ResultSpec(on_error=compile_template("No slot on {{ args.day }}."), max_chars=100)
    output = error_output("down", result, {"args": {"day": "x" * 100_000}})
    assert len(json.loads(output.text)["on_error"]) == 100


def test_a_refusal_is_cut_whatever_the_model_made_up() -> None:
    output = ToolOutput.refused(f'there is no tool "{"x" * 100_000}"')
    assert output.error is not None
    assert len(output.error) == 2000
    assert json.loads(output.text) == {"error": output.error}


def test_an_on_error_that_fails_is_left_out() -> None:
    result = ResultSpec(on_error=compile_template("{{ 1 / 0 }}"))
    assert error_output("it broke", result, NAMES).text == '{"error":"it broke"}'


def test_a_refused_call_says_why_and_nothing_else() -> None:
    assert ToolOutput.refused('"day" is missing') == ToolOutput(
        text='{"error":"\\"day\\" is missing"}', ok=False, error='"day" is missing'
    )


@pytest.mark.parametrize(
    ("answer", "text"),
    [("Näh", "Näh"), ({"a": ["ä", None, True]}, '{"a":["ä",null,true]}'), (None, "null"), (3, "3"), ("", "")],
)
def test_an_answer_is_text_as_it_is_or_compact_json(answer: Json, text: str) -> None:
    assert ToolOutput.of(answer, ResultSpec()) == ToolOutput(text=text, ok=True)


def test_a_long_answer_is_cut_with_a_mark_that_counts() -> None:
    output = ToolOutput.of("a" * 9_000, ResultSpec())
    assert output.text == "a" * 7_975 + " … [cut: 9000 characters]"
    assert len(output.text) == 8_000


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_no_answer_is_longer_than_its_limit(text: str, limit: int) -> None:
    short = cut_marked(text, limit)
    assert len(short) <= limit
    assert short == text or len(text) > limit


@given(
    st.binary(),
    st.sampled_from(
        ["", "application/json", "text/plain; charset=utf-16", "image/png", "charset=rot13", ";;"]
    ),
)
def test_any_reply_is_answered(body: bytes, content_type: str) -> None:
    for select in (None, "a.b[0]", "length(@)", "sort_by(@, &a)"):
        output = model_output(ResultSpec(select=select), reply(body, content_type), NAMES)
        assert output.text.encode()
        assert output.ok is (output.error is None)
