"""Bodies as bytes: JSON, forms, form data in parts, and text."""

import email
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.call.templates.template import compile_template
from runner.call.tools.request_body import encoded_body
from runner.model.tool import Body, BodyKind, ParameterStyle
from runner.model.values import Json, JsonObject


def parts(media_type: str, body: bytes) -> list[tuple[str | None, bytes]]:
    """The parts as a mail program, which speaks the same MIME, reads them."""
    message = email.message_from_bytes(f"Content-Type: {media_type}\r\n\r\n".encode() + body, policy=HTTP)
    return [
        (part.get_param("name", header="content-disposition"), part.get_payload(decode=True))  # type: ignore[misc] # decoded, it is bytes
        for part in message.iter_parts()
    ]


def arguments(kind: BodyKind, **fields: object) -> Body:
    return Body(kind=kind, is_arguments=True, **fields)  # type: ignore[arg-type] # of several types


def test_form_data_is_written_in_parts() -> None:
    body = arguments(
        BodyKind.MULTIPART,
        apart=frozenset({"id"}),
        styles={"tags": ParameterStyle.NAMES, "to": ParameterStyle.JSON},
    )
    args = {"id": 7, "name": "Räy\r\n", 'we"ird': "1", "none": None, "tags": ["a", "b"], "to": {"x": 1}}
    encoded = encoded_body(body, {"args": args}, "call_1")
    assert encoded is not None
    media_type, data = encoded
    assert media_type.startswith("multipart/form-data; boundary=")
    assert parts(media_type, data) == [
        ("name", "Räy\r\n".encode()),
        ("we%22ird", b"1"),
        ("tags", b"a"),
        ("tags", b"b"),
        ("to", b'{"x":1}'),
    ]
    assert encoded_body(body, {"args": args}, "call_1") == encoded


@given(st.dictionaries(st.sampled_from(["a", "b\r\n", 'c"']), st.text(), min_size=1), st.text())
def test_no_value_ends_its_part(args: JsonObject, message_id: str) -> None:
    encoded = encoded_body(arguments(BodyKind.MULTIPART), {"args": args}, message_id)
    assert encoded is not None
    media_type, data = encoded
    boundary = media_type.partition("boundary=")[2].encode()
    assert data.count(boundary) == len(args) + 1


def test_a_boundary_that_a_value_holds_is_not_used() -> None:
    body = arguments(BodyKind.MULTIPART)
    first, _ = encoded_body(body, {"args": {"a": "x"}}, "call_1") or ("", b"")
    second, data = encoded_body(body, {"args": {"a": first}}, "call_1") or ("", b"")
    assert first != second
    assert parts(second, data) == [("a", first.encode())]


@pytest.mark.parametrize(
    ("body", "encoded"),
    [
        (arguments(BodyKind.JSON), ("application/json", b'{"a":1,"b":[true]}')),
        (
            arguments(BodyKind.JSON, fixed={"b": None, "c": compile_template("{{ args.a }}")}),
            ("application/json", b'{"a":1,"b":null,"c":1}'),
        ),
        (arguments(BodyKind.FORM), ("application/x-www-form-urlencoded", b"a=1&b=true")),
        (
            Body(kind=BodyKind.TEXT, content=compile_template("é{{ args.a }}")),
            ("text/plain; charset=utf-8", "é1".encode()),
        ),
        (Body(kind=BodyKind.JSON, content={}, is_optional=True), None),
        (Body(kind=BodyKind.JSON, content=compile_template("{{ args.none }}"), is_optional=True), None),
    ],
)
def test_a_body_is_written_as_its_kind_says(body: Body, encoded: Json) -> None:
    assert encoded_body(body, {"args": {"a": 1, "b": [True]}}, "call_1") == encoded
