"""Writes a request's body: JSON, a form, form data in parts, or plain text."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import assert_never
from urllib.parse import quote_plus

from runner.call.templates.template import as_text, render
from runner.call.tools.style import pairs
from runner.model.json_text import compact_json
from runner.model.tool import Body, BodyKind, ParameterStyle
from runner.model.values import Json, JsonObject


def encoded_body(body: Body, names: JsonObject, message_id: str) -> tuple[str, bytes] | None:
    """The body's media type and its bytes; None for one that is optional and empty.

    The same `message_id` gives the same bytes. Raises TemplateFailure as templates do.
    """
    content = _content(body, names)
    if body.is_optional and content in (None, {}):
        return None
    match body.kind:
        case BodyKind.JSON:
            text = compact_json(content)
            return "application/json", text.encode("utf-8", "replace")
        case BodyKind.FORM:
            form = "&".join(f"{_plus(name)}={_plus(value)}" for name, value in _fields(content, body))
            return "application/x-www-form-urlencoded", form.encode()
        case BodyKind.MULTIPART:
            return _multipart([*_fields(content, body)], message_id)
        case BodyKind.TEXT:
            return "text/plain; charset=utf-8", as_text(content).encode("utf-8", "replace")
        case _:
            assert_never(body.kind)


def field_pairs(fields: JsonObject, styles: Mapping[str, ParameterStyle]) -> Iterator[tuple[str, str]]:
    """Names with texts, not encoded yet."""
    for name, value in fields.items():
        yield from pairs(name, value, styles.get(name))


def _content(body: Body, names: JsonObject) -> Json:
    if not body.is_arguments:
        return render(body.content, names)
    arguments = names.get("args", {})
    kept = {name: value for name, value in arguments.items() if name not in body.apart}
    return {**kept, **render(body.fixed, names)}


def _fields(content: Json, body: Body) -> Iterator[tuple[str, str]]:
    return field_pairs(content if isinstance(content, Mapping) else {}, body.styles)


def _plus(text: str) -> str:
    return quote_plus(text, errors="replace")


def _multipart(fields: Iterable[tuple[str, str]], message_id: str) -> tuple[str, bytes]:
    """Form data (RFC 7578), with the names escaped as browsers do."""
    parts = [
        f'Content-Disposition: form-data; name="{_escaped(name)}"\r\n\r\n{value}'.encode("utf-8", "replace")
        for name, value in fields
    ]
    boundary = sha256(message_id.encode("utf-8", "replace")).hexdigest()[:32]
    while any(boundary.encode() in part for part in parts):
        boundary = sha256(boundary.encode()).hexdigest()[:32]
    line = f"--{boundary}".encode()
    body = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
    return f"multipart/form-data; boundary={boundary}", body


def _escaped(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
