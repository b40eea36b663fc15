"""Where an operation sends each argument, and in which style."""

from pathlib import Path

import pytest

from runner.model.values import Json
from tests.config.openapi.documents import operation, sent, tools


def test_the_nearest_servers_count(tmp_path: Path) -> None:
    document = """\
    openapi: 3.1.0
    servers: [{url: https://root.example}]
    paths:
      /a: {get: {operationId: a}}
      /b: {servers: [{url: https://item.example}], get: {operationId: b}}
      /c: {servers: [{url: https://item.example}], get: {operationId: c, servers: [{url: https://own.example}]}}
      /d: {get: {operationId: d, servers: []}}
    """
    found = tools(tmp_path, document, "a", "b", "c", "d")
    assert [sent(tool).url for tool in found] == [
        "https://root.example/a",
        "https://item.example/b",
        "https://own.example/c",
        "https://root.example/d",
    ]


@pytest.mark.parametrize(
    ("parameter", "value", "query"),
    [
        ("schema: {type: boolean}", True, "q=true"),
        ("schema: {type: array}", ["a", "b"], "q=a&q=b"),
        ("schema: {type: array}, style: form, explode: false", ["a", "b"], "q=a%2Cb"),
        ("schema: {type: array}, style: spaceDelimited", ["a", "b"], "q=a%20b"),
        ("schema: {type: array}, style: pipeDelimited", ["a", "b"], "q=a%7Cb"),
        ("schema: {type: array}, style: pipeDelimited, explode: true", ["a", "b"], "q=a&q=b"),
        ("schema: {type: object}", {"a": 1, "b": 2}, "a=1&b=2"),
        ("schema: {type: object}, explode: false", {"a": 1, "b": 2}, "q=a%2C1%2Cb%2C2"),
        ("schema: {type: object}, style: deepObject, explode: true", {"gt": 1}, "q%5Bgt%5D=1"),
        ("schema: {anyOf: [{type: object}, {type: integer}]}, style: deepObject", 3, "q=3"),
        ("schema: {anyOf: [{type: integer}, {type: object}]}, style: deepObject", {"gt": 3}, "q%5Bgt%5D=3"),
        ("schema: {type: [array, string]}, explode: false", "a", "q=a"),
        ("schema: {type: [array, string]}, explode: false", ["a", "b"], "q=a%2Cb"),
        ("content: {application/json: {schema: {type: object}}}", {"a": 1}, "q=%7B%22a%22%3A1%7D"),
        ("content: {application/json: {schema: {type: array}}}", [1], "q=%5B1%5D"),
        ("schema: {}", "a", "q=a"),
    ],
)
def test_a_query_is_written_in_the_style_of_the_parameter(
    tmp_path: Path, parameter: str, value: Json, query: str
) -> None:
    tool = operation(tmp_path, f"parameters: [{{name: q, in: query, {parameter}}}]")
    assert sent(tool, q=value).url == f"https://api.maple.example/v1/x?{query}"
    assert sent(tool).url == "https://api.maple.example/v1/x"


@pytest.mark.parametrize(
    ("parameter", "value", "path"),
    [
        ("schema: {type: integer}", 7, "/x/7"),
        ("schema: {type: string}", "a/b", "/x/a%2Fb"),
        ("schema: {type: array}", ["a", "b"], "/x/a%2Cb"),
        ("schema: {type: [array, string]}", "ab", "/x/ab"),
        ("schema: {type: string}, style: label", "a", "/x/.a"),
        ("schema: {type: string}, style: matrix", "a", "/x/;id=a"),
        ("content: {application/json: {schema: {type: object}}}", {"a": 1}, "/x/%7B%22a%22%3A1%7D"),
    ],
)
def test_a_path_is_written_in_the_style_of_the_parameter(
    tmp_path: Path, parameter: str, value: Json, path: str
) -> None:
    tool = operation(tmp_path, f"parameters: [{{name: id, in: path, {parameter}}}]", path='"/x/{id}"')
    assert tool.parameters["required"] == ["id"]
    assert sent(tool, id=value).url == f"https://api.maple.example/v1{path}"


@pytest.mark.parametrize(
    ("schema", "value", "header"),
    [
        ("{type: string}", "a", "a"),
        ("{type: array}", ["a", 1], "a,1"),
        ("{type: array}", [], "[]"),
        ("{type: [array, string]}", "ab", "ab"),
        ("{type: string}", None, None),
        ("{type: array}", None, None),
    ],
)
def test_a_header_is_written_as_text_and_left_out_when_it_is_null(
    tmp_path: Path, schema: str, value: Json, header: str | None
) -> None:
    tool = operation(tmp_path, f"parameters: [{{name: X-A, in: header, schema: {schema}}}]")
    request = sent(tool, **({} if value is None else {"X-A": value}))
    assert dict(request.headers).get("X-A") == header


def test_arguments_of_one_name_are_told_apart_in_a_way_that_can_be_foreseen(tmp_path: Path) -> None:
    parameters = """\
    parameters: [
      {name: id, in: query, schema: {type: integer}},
      {name: "date<", in: query, description: Before., schema: {type: string}},
      {name: "date>", in: query, schema: {type: string}},
      {name: id, in: path, schema: {type: integer}},
      {name: "[]", in: query, schema: {type: string}},
      {name: body, in: header, schema: {type: string}}],
    requestBody: {required: true, content: {application/json: {schema: {properties: {id: {type: integer}}}}}}
    """
    tool = operation(tmp_path, parameters, path='"/x/{id}"', method="post")
    assert list(tool.parameters["properties"]) == [
        "id",
        "query_id",
        "date",
        "date_2",
        "query",
        "body",
        "request_body",
    ]
    assert tool.parameters["properties"]["date"]["description"] == "`date<`: Before."
    assert tool.parameters["properties"]["date_2"]["description"] == "`date>`"
    assert tool.parameters["required"] == ["id", "request_body"]
    arguments = {"id": 1, "query_id": 2, "date": "a", "date_2": "b", "query": "c", "request_body": {"id": 3}}
    request = sent(tool, **arguments)
    assert request.url == "https://api.maple.example/v1/x/1?id=2&date%3C=a&date%3E=b&%5B%5D=c"
    assert request.body == b'{"id":3}'
