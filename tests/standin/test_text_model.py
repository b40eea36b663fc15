"""The stand-in's text model answers as the API does, and refuses what the API would refuse."""

import json
from datetime import date
from typing import Any

import pytest

from runner.api.realtime import text_model
from runner.call.afterwards.outcome import outcome_question
from runner.model.values import Json
from runner.standin.placed_call import RestReply
from runner.standin.text_model import TextModel, TextReply
from tests.standin.openai_types import RESPONSE, client_complaint, complaint

SCHEMA = {"type": "object", "properties": {"booked": {"type": "boolean"}, "why": {"type": "string"}}}
RECORD = {"ended": "hangup", "turns": [{"role": "caller", "text": "Hello.", "at": 1.0}], "tools": []}
BODY: dict[str, Json] = json.loads(
    text_model.request(outcome_question("gpt-5-mini", SCHEMA, RECORD)).body or b""
)
TODAY = date(2026, 11, 27)


def content(reply: RestReply) -> Json:
    """What the reply's message holds."""
    assert reply.body is not None
    return reply.body["output"][-1]["content"][0]


def said(reply: RestReply) -> Json:
    return json.loads(content(reply)["text"])


def test_a_question_is_one_of_the_api_s_and_so_is_the_answer() -> None:
    assert client_complaint("responses", BODY) is None
    reply = TextModel().answer(BODY, 1.0, TODAY)
    assert complaint(RESPONSE, reply.body) is None


def test_it_answers_with_an_instance_of_the_schema() -> None:
    reply = TextModel().answer(BODY, 1.0, TODAY)
    assert (reply.status, said(reply)) == (200, {"booked": True, "why": "an example why"})


def test_its_replies_come_first() -> None:
    model = TextModel(replies=[TextReply(json={"booked": False}), TextReply(refuses=True)])
    first, second, third = (model.answer(BODY, 1.0, TODAY) for _ in range(3))
    assert said(first) == {"booked": False}
    assert content(second) == {
        "type": "refusal",
        "refusal": "I can't help with that.",
    }
    assert said(third)["booked"] is True
    assert [question["model"] for question in model.questions] == ["gpt-5-mini"] * 3


LOOSE = {"type": "json_schema", "name": "outcome", "schema": SCHEMA, "strict": True}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (None, "The body is not a JSON object."),
        ({**BODY, "model": ""}, "Missing required parameter: 'model'."),
        ({**BODY, "input": ""}, "Missing required parameter: 'input'."),
        ({**BODY, "text": {}}, "Missing required parameter: 'text.format.schema'."),
        (
            {**BODY, "text": {"format": {**LOOSE, "schema": {"type": "array"}}}},
            "Invalid schema for response_format: schema must be of type 'object'.",
        ),
        (
            {**BODY, "text": {"format": LOOSE}},
            "Invalid schema for response_format: in strict mode every object is closed and needs all keys.",
        ),
    ],
)
def test_what_the_api_would_refuse_is_refused_and_noted(body: dict[str, Any] | None, fault: str) -> None:
    model = TextModel()
    reply = model.answer(body, 1.0, TODAY)
    assert reply.body is not None
    assert (reply.status, reply.body["error"]["message"]) == (400, fault)
    assert model.violations == [f"responses: {fault}"]
    assert model.questions == []
