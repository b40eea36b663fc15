"""The stand-in's text model: `POST /responses` with a JSON schema is answered with an instance of it. Pure.

As strict as the API about the form of the request: what the API would refuse is refused, and noted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from runner.call.schemas.example_arguments import example_arguments
from runner.model.values import Json, JsonObject
from runner.standin.placed_call import RestReply, error_reply

REFUSED = "I can't help with that."


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReply:
    """One reply, instead of an instance of the requested schema."""

    json: Json = None
    """This value, whatever the schema says. None: an instance of it."""
    text: str | None = None
    """This text, JSON or not."""
    refuses: bool = False
    status: str = "completed"


@dataclass(slots=True)
class TextModel:
    """Answers questions with these replies in turn, and then with instances of their schemas."""

    replies: list[TextReply] = field(default_factory=list)
    questions: list[JsonObject] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def answer(self, body: Json, now: float, today: date) -> RestReply:
        """The API's reply to this body."""
        fault = _fault(body)
        if fault is not None:
            self.violations.append(f"responses: {fault}")
            return error_reply(400, None, fault)
        self.questions.append(body)
        chosen = self.replies.pop(0) if self.replies else TextReply()
        number = len(self.questions)
        return RestReply(200, _response(body, chosen, number=number, now=now, today=today))


def _fault(body: Json) -> str | None:
    if not isinstance(body, Mapping):
        return "The body is not a JSON object."
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "Missing required parameter: 'model'."
    if not isinstance(body.get("input"), str) or not body["input"]:
        return "Missing required parameter: 'input'."
    text_format = body.get("text", {}).get("format", {})
    if text_format.get("type") != "json_schema" or not text_format.get("name") or "schema" not in text_format:
        return "Missing required parameter: 'text.format.schema'."
    if text_format["schema"].get("type") != "object":
        return "Invalid schema for response_format: schema must be of type 'object'."
    if text_format.get("strict") and not _is_strict(text_format["schema"]):
        return "Invalid schema for response_format: in strict mode every object is closed and needs all keys."
    return None


def _is_strict(schema: Json) -> bool:
    """Whether every object in the schema is closed and requires all of its keys."""
    if isinstance(schema, list):
        return all(_is_strict(inner) for inner in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and (
        schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties)
    ):
        return False
    return all(_is_strict(inner) for inner in schema.values())


def _response(
    body: JsonObject, chosen: TextReply, *, number: int, now: float, today: date
) -> dict[str, Json]:
    text = chosen.text
    if text is None:
        example = example_arguments(body["text"]["format"]["schema"], today)
        text = json.dumps(example if chosen.json is None else chosen.json)
    content: dict[str, Json] = (
        {"type": "refusal", "refusal": REFUSED}
        if chosen.refuses
        else {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    )
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "status": chosen.status,
        "content": [content],
    }
    tokens_in, tokens_out = len(body["input"]) // 4, len(text) // 4
    return {
        "id": f"resp_text{number}",
        "object": "response",
        "created_at": int(now),
        "status": chosen.status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if chosen.status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": body["model"],
        "output": [{"id": f"rs_{number}", "type": "reasoning", "summary": []}, message],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "text": {"format": {"description": None, **body["text"]["format"]}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": tokens_in,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": tokens_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens_in + tokens_out,
        },
    }
