"""How lists and objects are written into queries and forms."""

import pytest

from runner.call.templates.template import compile_template
from runner.call.tools.style import pairs
from runner.call.tools.tool_request import build_request
from runner.model.http import HttpRequest
from runner.model.tool import Body, BodyKind, HttpBinding, ParameterStyle
from runner.model.values import Json, JsonObject

OBJECT = {"from": "2026-11-27", "open": True, "none": None}
NESTED = {"price": {"gt": 5}, "tags": ["a", "b"], "items": [{"id": 1}, {"id": 2, "no": None}], "none": None}


@pytest.mark.parametrize(
    ("value", "style", "written"),
    [
        (None, None, []),
        (None, ParameterStyle.JSON, []),
        (None, ParameterStyle.BRACKETS, []),
        (1.5, None, ["x=1.5"]),
        (True, ParameterStyle.NAMES, ["x=true"]),
        ("a,b", ParameterStyle.COMMAS, ["x=a,b"]),
        ("a", ParameterStyle.BRACKETS, ["x=a"]),
        ([1, None, "b"], None, ["x=1", "x=b"]),
        ([1, None, "b"], ParameterStyle.NAMES, ["x=1", "x=b"]),
        ([1, None, "b"], ParameterStyle.COMMAS, ["x=1,b"]),
        ([1, None, "b"], ParameterStyle.SPACES, ["x=1 b"]),
        ([1, None, "b"], ParameterStyle.PIPES, ["x=1|b"]),
        ([1, None, "b"], ParameterStyle.BRACKETS, ["x[]=1", "x[]=b"]),
        ([1, None], ParameterStyle.JSON, ["x=[1,null]"]),
        ([], ParameterStyle.COMMAS, []),
        ([], ParameterStyle.BRACKETS, []),
        ([None], ParameterStyle.COMMAS, []),
        (OBJECT, None, ['x={"from":"2026-11-27","open":true,"none":null}']),
        (OBJECT, ParameterStyle.NAMES, ["from=2026-11-27", "open=true"]),
        (OBJECT, ParameterStyle.COMMAS, ["x=from,2026-11-27,open,true"]),
        (OBJECT, ParameterStyle.PIPES, ["x=from|2026-11-27|open|true"]),
        (OBJECT, ParameterStyle.BRACKETS, ["x[from]=2026-11-27", "x[open]=true"]),
        ({"ä": "ö"}, ParameterStyle.JSON, ['x={"ä":"ö"}']),
        (
            NESTED,
            ParameterStyle.BRACKETS,
            ["x[price][gt]=5", "x[tags][]=a", "x[tags][]=b", "x[items][0][id]=1", "x[items][1][id]=2"],
        ),
    ],
)
def test_a_value_becomes_names_with_texts(
    value: Json, style: ParameterStyle | None, written: list[str]
) -> None:
    assert [f"{name}={text}" for name, text in pairs("x", value, style)] == written


def request(args: JsonObject, **binding: Json) -> HttpRequest:
    made = HttpBinding(**{"method": "POST", "url": compile_template("https://a.example"), **binding})
    return build_request(made, {"args": args}, call_id="c", tool_call_id="t", agent_id="a", now=0.0)


def test_what_is_written_into_a_query_is_encoded() -> None:
    sent = request(
        {"when": {"gt": "a&b"}, "ids": [1, 2]},
        query={"when": compile_template("{{ args.when }}"), "ids": compile_template("{{ args.ids }}")},
        styles={"when": ParameterStyle.BRACKETS, "ids": ParameterStyle.COMMAS},
    )
    assert sent.url == "https://a.example?when%5Bgt%5D=a%26b&ids=1%2C2"


def test_arguments_that_travel_elsewhere_are_not_in_the_body() -> None:
    body = Body(kind=BodyKind.JSON, is_arguments=True, apart=frozenset({"id"}))
    assert request({"id": 1, "slots": 2, "note": None}, body=body).body == b'{"slots":2,"note":null}'


def test_the_arguments_of_a_form_are_written_in_their_styles() -> None:
    body = Body(
        kind=BodyKind.FORM,
        is_arguments=True,
        apart=frozenset({"id"}),
        styles={"meta": ParameterStyle.BRACKETS, "data": ParameterStyle.JSON},
    )
    args = {"id": 1, "meta": {"a": "b c"}, "data": {"d": 1}, "tags": ["x", "y"], "left_out": None}
    assert request(args, body=body).body == b"meta%5Ba%5D=b+c&data=%7B%22d%22%3A1%7D&tags=x&tags=y"


@pytest.mark.parametrize(
    ("body", "args", "sent"),
    [
        (Body(kind=BodyKind.JSON, is_arguments=True, apart=frozenset({"id"})), {"id": 1}, b"{}"),
        (
            Body(kind=BodyKind.JSON, is_arguments=True, apart=frozenset({"id"}), is_optional=True),
            {"id": 1},
            None,
        ),
        (
            Body(kind=BodyKind.JSON, is_arguments=True, apart=frozenset({"id"}), is_optional=True),
            {"a": None},
            b'{"a":null}',
        ),
        (Body(kind=BodyKind.JSON, content=compile_template("{{ args.body }}")), {}, b"null"),
        (Body(kind=BodyKind.JSON, content=compile_template("{{ args.body }}"), is_optional=True), {}, None),
        (Body(kind=BodyKind.TEXT, content=compile_template("{{ args.body }}"), is_optional=True), {}, None),
        (
            Body(kind=BodyKind.JSON, content=compile_template("{{ args.body }}"), is_optional=True),
            {"body": [0]},
            b"[0]",
        ),
        (
            Body(kind=BodyKind.JSON, content=compile_template("{{ args.body }}"), is_optional=True),
            {"body": 0},
            b"0",
        ),
        (Body(kind=BodyKind.FORM, content=compile_template("{{ args.body }}")), {"body": {"a": 1}}, b"a=1"),
    ],
)
def test_an_optional_body_with_nothing_in_it_is_not_sent(
    body: Body, args: JsonObject, sent: bytes | None
) -> None:
    made = request(args, body=body)
    assert made.body == sent
    assert ("Content-Type" in dict(made.headers)) == (sent is not None)
