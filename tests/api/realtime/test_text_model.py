"""What the text model is sent, and what its replies hold."""

import json
from dataclasses import replace
from typing import Any

import pytest

from runner.api.realtime.text_model import answer, request
from runner.model.http import Failure, HttpReply
from runner.model.question import Answered, NoAnswer, Question, UselessAnswer
from tests.standin.openai_types import client_complaint

SCHEMA = {
    "type": "object",
    "properties": {"booked": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["booked"],
}
QUESTION = Question(
    model="gpt-5-mini", instructions="Fill in the form.", text="caller: Friday, bitte.", schema=SCHEMA
)


def body_of(question: Question) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request(question).body or b"")
    return body


def replied(*content: dict[str, Any], status: int = 200, **fields: object) -> HttpReply:
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": list(content)},
    ]
    body = {"status": "completed", "output": output, **fields}
    return HttpReply(status=status, body=json.dumps(body).encode(), content_type="application/json")


def text(value: str) -> dict[str, Any]:
    return {"type": "output_text", "text": value, "annotations": []}


def test_the_whole_request() -> None:
    sent = request(QUESTION)
    assert (sent.method, sent.url, sent.timeout_s) == ("POST", "/responses", 60.0)
    assert sent.headers == (("Content-Type", "application/json"),)
    assert body_of(QUESTION) == {
        "model": "gpt-5-mini",
        "instructions": "Fill in the form.",
        "input": "caller: Friday, bitte.",
        "text": {
            "format": {
                "type": "json_schema",
                "name": "outcome",
                "schema": {
                    "type": "object",
                    "properties": {
                        "booked": {"type": "boolean"},
                        "why": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    },
                    "required": ["booked", "why"],
                    "additionalProperties": False,
                },
                "strict": True,
            }
        },
        "store": False,
    }
    assert client_complaint("responses", body_of(QUESTION)) is None


def test_a_schema_without_a_strict_form_is_asked_for_loosely() -> None:
    loose = {"type": "object", "properties": {"note": {"type": "string", "minLength": 2}}}
    asked = body_of(replace(QUESTION, schema=loose))["text"]["format"]
    assert (asked["schema"], asked["strict"]) == (loose, False)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (replied(text('{"booked": true}')), {"booked": True}),
        (replied(text('{"booked": false, "why": null}')), {"booked": False}),
        (replied(text('{"booked":'), text(" true}")), {"booked": True}),
        (replied(text('{"booked": true}'), status=201), {"booked": True}),
    ],
)
def test_an_answer_that_fits_is_taken(reply: HttpReply, value: dict[str, bool]) -> None:
    assert answer(QUESTION, reply) == Answered(value=value)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (replied(text("Sorry.")), "the answer is not JSON"),
        (replied(text('{"booked": NaN}')), "the answer is not JSON"),
        (replied(), "the answer is not JSON"),
        (replied({"type": "refusal", "refusal": "hidden"}), "the model refused to answer"),
        (replied(text('{"booked": tr'), status=200), "the answer is not JSON"),
        (replied(status=200, output=None), "the answer is not JSON"),
        (replied(status=200, output=[{"type": "message", "content": None}, 3]), "the answer is not JSON"),
        (HttpReply(status=200, body=b'{"status": "incomplete"}'), 'the response is "incomplete"'),
        (HttpReply(status=200, body=b'{"status": "failed"}'), 'the response is "failed"'),
        (HttpReply(status=200, body=b"{}"), 'the response is "None"'),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_without_its_words(reply: HttpReply, error: str) -> None:
    assert answer(QUESTION, reply) == UselessAnswer(error=error)


def refused(status: int) -> HttpReply:
    return HttpReply(
        status=status, body=b'{"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}'
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            HttpReply(failure=Failure.CONNECTION, detail="no answer (TimeoutError)"),
            NoAnswer(error="no answer (TimeoutError)"),
        ),
        (HttpReply(), NoAnswer(error="the API could not be reached")),
        (HttpReply(status=200, body=b"<html>"), NoAnswer(error="the API's reply is not JSON")),
        (HttpReply(status=200, body=b"[]"), NoAnswer(error="the API's reply is not JSON")),
        *(
            (HttpReply(status=status), NoAnswer(error=f"the API answered {status}"))
            for status in (301, 401, 403, 408, 429, 500, 503)
        ),
        *(
            (HttpReply(status=status), NoAnswer(error=f"the API answered {status}", hopeless=True))
            for status in (400, 404, 413, 422)
        ),
        (refused(429), NoAnswer(error="the API answered 429 (rate_limit_exceeded: Slow down.)")),
        (refused(401), NoAnswer(error="the API answered 401 (rate_limit_exceeded)")),
        (HttpReply(status=500, body=b'{"error": 5}'), NoAnswer(error="the API answered 500")),
    ],
)
def test_no_answer_is_hopeless_only_where_the_question_is_refused_for_what_it_is(
    reply: HttpReply, expected: NoAnswer
) -> None:
    assert answer(QUESTION, reply) == expected
