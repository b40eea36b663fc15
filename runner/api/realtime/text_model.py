"""The text model: questions are sent to the Responses API, `POST /responses`.

The declared schema is the form of the answer: Structured Outputs,
https://developers.openai.com/api/docs/guides/structured-outputs.
"""

import json
from collections.abc import Iterator, Mapping

from runner.api.realtime.account import error_of
from runner.api.realtime.strict_schema import strict_form, without_nulls
from runner.model.http import HttpReply, HttpRequest
from runner.model.question import Answer, Answered, NoAnswer, Question, UselessAnswer
from runner.model.values import Json, JsonObject

FORMAT_NAME = "outcome"
REPLY_S = 60.0
"""For the model to think and write."""
LONGEST_MESSAGE = 200
"""Characters of the API's message in an error text."""
HOPELESS = frozenset({400, 404, 413, 422})
"""Statuses by which the API says that this question will never get an answer."""


def request(question: Question) -> HttpRequest:
    """The request with the question."""
    strict = strict_form(question.schema)
    body = {
        "model": question.model,
        "instructions": question.instructions,
        "input": question.text,
        "text": {
            "format": {
                "type": "json_schema",
                "name": FORMAT_NAME,
                "schema": dict(question.schema) if strict is None else dict(strict),
                "strict": strict is not None,
            }
        },
        # The API keeps responses for a month unless told otherwise; this one holds a conversation.
        "store": False,
    }
    return HttpRequest.post_json("/responses", body, REPLY_S)


def answer(question: Question, reply: HttpReply) -> Answer:
    """The answer in a reply. Error texts quote nothing of the conversation. Never raises."""
    if reply.failure is not None or reply.status is None:
        return NoAnswer(error=reply.detail or "the API could not be reached")
    if not 200 <= reply.status <= 299:
        return NoAnswer(error=_refusal(reply), hopeless=reply.status in HOPELESS)
    try:
        response = json.loads(reply.body)
    except (ValueError, RecursionError):
        response = None
    if not isinstance(response, Mapping):
        return NoAnswer(error="the API's reply is not JSON")
    status = response.get("status")
    if status != "completed":
        return UselessAnswer(error=f'the response is "{status}"')
    return _read_parts([*_parts(response.get("output"))], question.schema)


def _refusal(reply: HttpReply) -> str:
    code, message = error_of(reply)
    # A message about our key quotes the end of it.
    said = [code, "" if reply.status in (401, 403) else message[:LONGEST_MESSAGE]]
    words = ": ".join(filter(None, said))
    return f"the API answered {reply.status}" + (f" ({words})" if words else "")


def _parts(output: Json) -> Iterator[JsonObject]:
    """The parts of the model's messages. Reasoning comes as items of its own, and is ignored."""
    for item in output if isinstance(output, list) else ():
        if isinstance(item, Mapping) and item.get("type") == "message":
            content = item.get("content")
            yield from (part for part in content or () if isinstance(part, Mapping))


def _read_parts(parts: list[JsonObject], schema: JsonObject) -> Answer:
    if any(part.get("type") == "refusal" for part in parts):
        return UselessAnswer(error="the model refused to answer")
    text = "".join(str(part.get("text", "")) for part in parts if part.get("type") == "output_text")
    try:
        value = without_nulls(json.loads(text, parse_constant=_reject_constant), schema)
    except (ValueError, RecursionError):
        return UselessAnswer(error="the answer is not JSON")
    return Answered(value=value)


def _reject_constant(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")
