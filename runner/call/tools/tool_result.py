"""Writes a tool call's output for the model: selected JSON or text of bounded length, or an error to speak
of.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from runner.call.templates.template import TemplateFailure
from runner.call.tools.endpoint_reply import EndpointReply, UnusableReplyError, json_of, unusable
from runner.model.json_text import compact_json
from runner.model.template import Template
from runner.model.tool import ResultSpec
from runner.model.values import Json, JsonObject

LONGEST_REFUSAL = 2000
"""Characters: a refusal lists what is wrong, and every later turn repeats it to the model."""

_HTML = re.compile(r"(?i)\s*<(!doctype\s+html|html)\b")
LONGEST_REPLY = 1000
"""Characters quoted from an endpoint that refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutput:
    """The output of a tool call. `error` is a failure's text, for the record."""

    text: str
    ok: bool
    error: str | None = None
    http_status: int | None = None

    @classmethod
    def of(cls, answer: Json, result: ResultSpec, *, http_status: int | None = None) -> Self:
        """A success: text as it is, anything else as compact JSON, both cut at `max_chars`."""
        text = answer if isinstance(answer, str) else compact_json(answer)
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be sent on
        return cls(text=cut_marked(text, result.max_chars), ok=True, http_status=http_status)

    @classmethod
    def refused(cls, error: str) -> Self:
        """A call that was never carried out; the model can correct it. It may quote what the model made
        up."""
        error = cut_marked(error, LONGEST_REFUSAL)
        return cls(text=compact_json({"error": error}), ok=False, error=error)


def model_output(result: ResultSpec, reply: EndpointReply, names: JsonObject) -> ToolOutput:
    """The output for this reply. `names` holds `args`, for `on_error`. Never raises."""
    if reply.error is not None:
        refusal = _refusal(reply, min(LONGEST_REPLY, result.max_chars))
        return error_output(reply.error, result, names, status=reply.status, reply=refusal)
    try:
        answer = _answer(result, reply)
    except UnusableReplyError as unusable:
        return error_output(str(unusable), result, names, status=reply.status)
    return ToolOutput.of(answer, result, http_status=reply.status)


def reply_variables(result: ResultSpec, reply: EndpointReply) -> dict[str, Json]:
    """The variables that `set` takes from a success. A variable whose value cannot be taken stays as it
    was."""
    if reply.error is not None or not reply.is_json:
        return {}
    values: dict[str, Json] = {}
    for name, expression in result.sets.items():
        with suppress(UnusableReplyError):
            values[name] = _selected(expression, reply)
    return values


def error_output(
    error: str, result: ResultSpec, names: JsonObject, *, status: int | None = None, reply: Json = None
) -> ToolOutput:
    """A failure: `{"error": …, "status": …, "reply": …}` with what `on_error` says. Never raises."""
    output: dict[str, Json] = {"error": error}
    if status is not None:
        output["status"] = status
    if reply is not None:
        output["reply"] = reply
    on_error = _text(result.on_error, names)
    if on_error:
        output["on_error"] = cut_marked(on_error, result.max_chars)
    return ToolOutput(text=compact_json(output), ok=False, error=error, http_status=status)


def cut_marked(text: str, limit: int) -> str:
    """The text, or its beginning with a mark that says how much there was; never longer than `limit`."""
    if len(text) <= limit:
        return text
    mark = f" … [cut: {len(text)} characters]"
    return (text[: limit - len(mark)] + mark) if limit > len(mark) else text[:limit]


def _refusal(reply: EndpointReply, limit: int) -> Json:
    """The text with which an endpoint refuses (4xx), or None. A page for browsers says nothing to a model."""
    if reply.status is None or not 400 <= reply.status <= 499 or reply.is_empty:
        return None
    if reply.is_json:
        text = compact_json(reply.value)
        return reply.value if len(text) <= limit else cut_marked(text, limit)
    if reply.text is None or reply.media_type == "text/html" or _HTML.match(reply.text):
        return None
    return cut_marked(reply.text.strip(), limit)


def _answer(result: ResultSpec, reply: EndpointReply) -> Json:
    if reply.is_empty:
        # Nothing to select from and nothing to say: 204, or a 200 without a body.
        return {"status": reply.status}
    if result.select is not None:
        return _selected(result.select, reply)
    if reply.is_json and (reply.text is None or isinstance(reply.value, dict | list)):
        return reply.value
    if reply.text is None:
        raise unusable(reply, f"not text ({reply.media_type})" if reply.media_type else "not text")
    return reply.text


def _selected(expression: str, reply: EndpointReply) -> Json:
    value = json_of(reply)
    from runner.call.tools.query import QueryFailure, compiled_query  # noqa: PLC0415 - only for tools with `select`

    try:
        return compiled_query(expression).find(value)
    except QueryFailure as failure:
        raise unusable(reply, f"not of the expected form ({failure})") from None


def _text(template: Template | None, names: JsonObject) -> str:
    try:
        return template.text(names) if template is not None else ""
    except TemplateFailure:
        return ""
