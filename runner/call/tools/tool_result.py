"""What the model is told of a tool call: selected JSON or text of bounded length, or an error to speak of."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from runner.call.templates.template import TemplateFailure
from runner.model.http import Failure, HttpReply
from runner.model.template import Template
from runner.model.tool import ResultSpec
from runner.model.values import Json, JsonObject

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

LONGEST_REFUSAL = 2000
"""Characters: what refuses a call lists what is wrong with it, and is told in each later turn."""

_FAILURES: Mapping[Failure, str] = {
    Failure.TIMEOUT: "the endpoint did not answer in time",
    Failure.CONNECTION: "the endpoint could not be reached",
    Failure.FORBIDDEN: "the endpoint's address is one that tools may not reach",
    Failure.TOO_LARGE: "the endpoint's reply is too large",
    Failure.UNAUTHORIZED: "no access token was given for the endpoint",
}
_TEXT_TYPES = re.compile(
    r"text/|application/([a-z0-9.+-]+\+)?(json|xml|yaml)|application/(x-)?(javascript|yaml|ndjson)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutput:
    """The output of a tool call. `error` is what a failure's text says, for the record."""

    text: str
    ok: bool
    error: str | None = None
    http_status: int | None = None

    @classmethod
    def of(cls, answer: Json, result: ResultSpec, *, http_status: int | None = None) -> Self:
        """A success: text as it is, anything else as compact JSON, both cut at `max_chars`."""
        text = answer if isinstance(answer, str) else _json(answer)
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be sent on
        return cls(text=cut(text, result.max_chars), ok=True, http_status=http_status)

    @classmethod
    def refused(cls, error: str) -> Self:
        """A call that was never carried out; the model can mend it. It may quote what the model made up."""
        error = cut(error, LONGEST_REFUSAL)
        return cls(text=_json({"error": error}), ok=False, error=error)


def model_output(result: ResultSpec, reply: HttpReply, names: JsonObject) -> ToolOutput:
    """What the model is told of this reply. `names` holds `args`, for `on_error`. Never raises."""
    if reply.failure is not None or reply.status is None:
        error = _FAILURES[reply.failure or Failure.CONNECTION]
        return error_output(error, result, names, status=reply.status)
    if not 200 <= reply.status <= 299:
        return error_output(_status_error(reply.status), result, names, status=reply.status)
    try:
        answer = _answer(result, reply)
    except UnusableError as unusable:
        return error_output(str(unusable), result, names, status=reply.status)
    return ToolOutput.of(answer, result, http_status=reply.status)


def reply_json(reply: HttpReply) -> Json:
    """The JSON value of a reply that succeeded. Raises UnusableError, which says what else it is."""
    if reply.failure is not None or reply.status is None:
        raise UnusableError(_FAILURES[reply.failure or Failure.CONNECTION])
    if not 200 <= reply.status <= 299:
        raise UnusableError(_status_error(reply.status))
    if not reply.body.strip():
        raise UnusableError("the endpoint's reply is empty")
    try:
        return json.loads(_decoded(reply), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise UnusableError("the endpoint's reply is not JSON") from None


def reply_variables(result: ResultSpec, reply: HttpReply) -> dict[str, Json]:
    """The variables that `set` takes from a reply that succeeded. What cannot be taken stays as it was."""
    if not result.sets or reply.failure is not None or reply.status is None or not 200 <= reply.status <= 299:
        return {}
    try:
        value = json.loads(_decoded(reply), parse_constant=_no_number)
    except (ValueError, RecursionError, UnusableError):
        return {}
    taken: dict[str, Json] = {}
    for name, expression in result.sets.items():
        try:
            taken[name] = _selected(expression, value)
        except UnusableError:
            continue
    return taken


def error_output(
    error: str, result: ResultSpec, names: JsonObject, *, status: int | None = None
) -> ToolOutput:
    """A failure: `{"error": …, "status": …}` with what `on_error` says. Never raises."""
    told: dict[str, Json] = {"error": error}
    if status is not None:
        told["status"] = status
    on_error = _text(result.on_error, names)
    if on_error:
        told["on_error"] = cut(on_error, result.max_chars)
    return ToolOutput(text=_json(told), ok=False, error=error, http_status=status)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with a mark that says how much there was; never longer than `limit`."""
    if len(text) <= limit:
        return text
    mark = f" … [cut: {len(text)} characters]"
    return (text[: limit - len(mark)] + mark) if limit > len(mark) else text[:limit]


@lru_cache(maxsize=4096)
def compiled_select(expression: str) -> "ParsedResult":
    """A JMESPath expression, compiled once. Raises jmespath.exceptions.JMESPathError."""
    import jmespath  # noqa: PLC0415 - only for tools with `select`

    return jmespath.compile(expression)


class UnusableError(Exception):
    """A reply that says it succeeded and yet is no answer."""


def _answer(result: ResultSpec, reply: HttpReply) -> Json:
    if not reply.body.strip():
        # Nothing to select from and nothing to say: 204, or a 200 without a body.
        return {"status": reply.status}
    text = _decoded(reply)
    if not text.strip():
        return {"status": reply.status}
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        if result.select is not None:
            raise UnusableError("the endpoint's reply is not JSON") from None
        return text
    if result.select is None:
        return value if isinstance(value, (dict, list)) else text
    return _selected(result.select, value)


def _no_number(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")


def _selected(expression: str, value: Json) -> Json:
    try:
        return compiled_select(expression).search(value)
    except Exception as error:
        # Functions of JMESPath meet types that they are not made for, and Python's own errors come through.
        detail = str(error).partition("\n")[0][:200]
        raise UnusableError(f"the endpoint's reply is not of the expected form ({detail})") from None


def _decoded(reply: HttpReply) -> str:
    kind = reply.content_type.partition(";")[0].strip().lower()
    if kind and not _TEXT_TYPES.match(kind):
        raise UnusableError(f"the endpoint's reply is {kind}, which is no text")
    charset = re.search(r'(?i)charset="?([\w.:-]+)', reply.content_type)
    try:
        text = reply.body.decode(charset[1] if charset else "utf-8-sig")
    except (LookupError, ValueError):
        try:
            text = reply.body.decode("utf-8-sig")
        except ValueError:
            raise UnusableError("the endpoint's reply is no text in UTF-8") from None
    if "\x00" in text:
        raise UnusableError("the endpoint's reply is no text")
    return text


def _status_error(status: int) -> str:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    redirect = ", a redirect, which is not followed" if 300 <= status <= 399 else ""
    return f"the endpoint answered {status} {phrase}".rstrip() + redirect


def _text(template: Template | None, names: JsonObject) -> str:
    try:
        return template.text(names) if template is not None else ""
    except TemplateFailure:
        return ""


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
