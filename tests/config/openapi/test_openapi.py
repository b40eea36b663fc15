"""Operations as tools, from documents of our own. What is refused is in golden/openapi-*."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from runner.call.tools.arguments import check_arguments
from runner.call.tools.tool_request import build_request
from runner.config.load import load, load_everywhere
from runner.config.openapi import document as document_module
from runner.config.openapi.text import read_data
from runner.model.http import HttpRequest
from runner.model.tool import ApiKey, Bearer, HttpBinding, KeyIn, ResultSpec, Tool
from runner.model.values import Json

AGENT = """\
agent: desk
routes: [{{to: "+18005550142"}}]
model: gpt-realtime-2.1
instructions: You answer the telephone.
tools:
  - openapi: {{document: _specs/{file}, operations: [{names}]{auth}}}
"""


def tools(folder: Path, document: str, *names: str, file: str = "api.yaml", auth: str = "") -> list[Tool]:
    (folder / "_specs").mkdir(exist_ok=True)
    (folder / "_specs" / file).write_text(dedent(document))
    (folder / "desk.yaml").write_text(AGENT.format(file=file, names=", ".join(names), auth=auth))
    loaded = load(folder)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.configuration is not None
    return list(loaded.configuration.agents["desk"].tools)


def operation(
    folder: Path, text: str, *, version: str = "3.1.0", path: str = "/x", method: str = "get"
) -> Tool:
    """The tool of the one operation `x`, which is written as YAML in braces."""
    document = f"""\
    openapi: {version}
    servers: [{{url: https://api.maple.example/v1/}}]
    paths:
      {path}:
        {method}: {{operationId: x, {text}}}
    """
    (tool,) = tools(folder, document, "x")
    return tool


def sent(tool: Tool, **arguments: Json) -> HttpRequest:
    """The request of a call whose arguments fit."""
    assert check_arguments(tool, json.dumps(arguments)) == arguments
    assert isinstance(tool.binding, HttpBinding)
    return build_request(
        tool.binding,
        {"args": arguments, "secrets": {"KEY": "k"}},
        call_id="c",
        tool_call_id="t",
        agent_id="a",
        now=0.0,
    )


ORDERS = """\
openapi: 3.0.3
servers:
  - {url: "https://{region}.maple.example/v1", variables: {region: {default: us, enum: [us, eu]}}}
  - {url: https://test.maple.example}
paths:
  /orders/{order_id}:
    parameters:
      - {$ref: "#/components/parameters/order_id"}
      - {name: fields, in: query, schema: {type: string}}
    get:
      operationId: getOrder
      summary: Look up an order
      description: |
        Finds <b>one</b> order by its
        [number](https://docs.maple.example/orders).
      parameters:
        - {name: fields, in: query, schema: {type: array, items: {type: string}}, explode: false}
        - {name: X-Clinic, in: header, required: true, schema: {type: string}, example: maple}
        - {name: Authorization, in: header, schema: {type: string}}
        - {name: Idempotency-Key, in: header, required: true, schema: {type: string}}
      responses:
        "404": {description: No such order.}
        "200":
          description: The order.
          content:
            application/json:
              examples:
                shipped: {$ref: "#/components/examples/shipped"}
components:
  parameters:
    order_id:
      name: order_id
      in: path
      required: true
      description: Six digits.
      schema: {type: string, pattern: "^[0-9]{6}$"}
  examples:
    shipped: {value: {status: shipped}}
"""


def test_an_operation_becomes_an_http_tool(tmp_path: Path) -> None:
    (tool,) = tools(tmp_path, ORDERS, "getOrder")
    assert (tool.name, tool.description) == (
        "getOrder",
        "Look up an order. Finds one order by its number.",
    )
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "pattern": "^[0-9]{6}$", "description": "Six digits."},
            "fields": {"type": "array", "items": {"type": "string"}},
            "X-Clinic": {"type": "string", "examples": ["maple"]},
        },
        "required": ["order_id", "X-Clinic"],
        "additionalProperties": False,
    }
    assert tool.result == ResultSpec(example={"status": "shipped"}, has_example=True)
    request = sent(tool, order_id="204518", fields=["status", "items"], **{"X-Clinic": "maple"})
    assert (request.method, request.url, request.body) == (
        "GET",
        "https://us.maple.example/v1/orders/204518?fields=status%2Citems",
        None,
    )
    headers = dict(request.headers)
    assert (headers["X-Clinic"], headers["Idempotency-Key"]) == ("maple", "t")
    assert "Authorization" not in headers


def test_the_same_document_as_json_gives_the_same_tool(tmp_path: Path) -> None:
    import yaml

    as_json = json.dumps(yaml.safe_load(ORDERS))
    assert tools(tmp_path, as_json, "getOrder", file="api.json") == tools(tmp_path, ORDERS, "getOrder")


def test_an_operation_without_an_id_is_named_by_method_and_path(tmp_path: Path) -> None:
    document = """\
    openapi: 3.1.0
    servers: [{url: https://api.maple.example}]
    paths:
      /orders/{id}/items.json:
        parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
        get: {}
    """
    (tool,) = tools(tmp_path, document, '"GET /orders/{id}/items.json"')
    assert (tool.name, tool.description) == ("get_orders_id_items_json", "GET /orders/{id}/items.json")
    assert sent(tool, id=7).url == "https://api.maple.example/orders/7/items.json"


def test_what_follows_a_hash_in_a_path_only_tells_operations_apart(tmp_path: Path) -> None:
    tool = operation(tmp_path, "summary: s", path='"/orders#add"')
    assert sent(tool).url == "https://api.maple.example/v1/orders"


def test_the_name_of_a_tool_is_one_that_the_api_takes(tmp_path: Path) -> None:
    document = """\
    openapi: 3.1.0
    servers: [{url: https://api.maple.example}]
    paths:
      /a: {get: {operationId: "orders/get by.id"}}
      /b: {get: {operationId: LONG}}
      /c: {get: {operationId: "?"}}
    """
    found = tools(tmp_path, document.replace("LONG", "x" * 70), "orders/get by.id", "x" * 70, '"?"')
    assert [tool.name for tool in found] == ["orders_get_by_id", "x" * 64, "get"]


def test_aliases_and_merge_keys_of_yaml_are_followed(tmp_path: Path) -> None:
    document = """\
    openapi: 3.1.0
    servers: [{url: https://api.maple.example}]
    paths:
      /a:
        get: &get {operationId: a, summary: A., parameters: [&id {name: id, in: query}]}
        put: {<<: *get, operationId: b}
        post: {<<: [{summary: C.}, *get], operationId: c, parameters: [*id]}
    """
    found = tools(tmp_path, document, "a", "b", "c")
    assert [(tool.name, tool.description) for tool in found] == [("a", "A."), ("b", "A."), ("c", "C.")]
    assert [list(tool.parameters["properties"]) for tool in found] == [["id"], ["id"], ["id"]]


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


def body(folder: Path, content: str, *, required: bool = True, more: str = "") -> Tool:
    return operation(
        folder, f"{more} requestBody: {{required: {json.dumps(required)}, content: {content}}}", method="post"
    )


def test_the_properties_of_a_body_are_arguments_beside_the_others(tmp_path: Path) -> None:
    tool = body(
        tmp_path,
        "{application/json: {schema: {type: object, required: [slots], dependentRequired: {a: [b]}, "
        "properties: {slots: {type: integer}, note: {type: string}}}}}",
        more="parameters: [{name: dry, in: query, schema: {type: boolean}}],",
    )
    assert tool.parameters == {
        "type": "object",
        "properties": {"dry": {"type": "boolean"}, "slots": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["slots"],
        "dependentRequired": {"a": ["b"]},
        "additionalProperties": False,
    }
    request = sent(tool, dry=True, slots=2)
    assert (request.url, request.body) == ("https://api.maple.example/v1/x?dry=true", b'{"slots":2}')
    assert dict(request.headers)["Content-Type"] == "application/json"


def test_an_open_body_takes_arguments_that_it_does_not_name(tmp_path: Path) -> None:
    schema = "{properties: {a: {type: string}}, additionalProperties: {type: integer}}"
    tool = body(tmp_path, f"{{application/json: {{schema: {schema}}}}}")
    assert tool.parameters["additionalProperties"] == {"type": "integer"}
    assert sent(tool, a="x", b=3).body == b'{"a":"x","b":3}'


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("{type: array, items: {type: integer}}", [1, 2]),
        ("{type: string}", "text"),
        ("{type: object}", {"any": 1}),
        ("{type: object, additionalProperties: {type: integer}}", {"any": 1}),
        ("{oneOf: [{properties: {a: {}}, required: [a]}, {properties: {b: {}}, required: [b]}]}", {"b": 1}),
        ("{properties: {a: {}}, not: {required: [b]}}", {"a": 1}),
        ("{properties: {a: {}}, patternProperties: {x: {}}}", {"a": 1}),
        ("true", 1),
    ],
)
def test_a_body_that_is_more_than_named_fields_is_one_argument(
    tmp_path: Path, schema: str, value: Json
) -> None:
    tool = body(tmp_path, f"{{application/json: {{schema: {schema}}}}}")
    assert list(tool.parameters["properties"]) == ["body"]
    assert tool.parameters["required"] == ["body"]
    assert sent(tool, body=value).body == json.dumps(value, separators=(",", ":")).encode()


def test_names_of_which_one_is_required_are_left_to_the_endpoint(tmp_path: Path) -> None:
    schema = "{properties: {a: {type: string}, b: {type: string}}, anyOf: [{required: [a]}, {required: [b]}]}"
    tool = body(tmp_path, f"{{application/json: {{schema: {schema}}}}}")
    assert list(tool.parameters["properties"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "arguments", "sent_body"),
    [
        ("{application/json: {schema: {properties: {a: {type: string}}}}}", {}, None),
        ("{application/json: {schema: {properties: {a: {type: string}}}}}", {"a": "x"}, b'{"a":"x"}'),
        ("{application/json: {schema: {type: array}}}", {}, None),
        ("{application/json: {schema: {type: array}}}", {"body": []}, b"[]"),
        ("{application/json: {schema: {type: object, properties: {}}}}", {}, None),
        ("{text/plain: {}}", {}, None),
    ],
)
def test_a_body_that_is_optional_and_left_out_is_not_sent(
    tmp_path: Path, content: str, arguments: dict[str, Json], sent_body: bytes | None
) -> None:
    request = sent(body(tmp_path, content, required=False), **arguments)
    assert request.body == sent_body
    assert ("Content-Type" in dict(request.headers)) == (sent_body is not None)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("{multipart/form-data: {}, application/json: {}}", "application/json"),
        ("{application/json; charset=utf-8: {}}", "application/json"),
        ("{application/x-www-form-urlencoded: {}, text/json: {}}", "application/json"),
        ("{'*/*': {}}", "application/json"),
        ("{application/merge-patch+json: {}}", "application/merge-patch+json"),
        ("{application/vnd.maple.v2+json: {}, application/json: {}}", "application/json"),
        ("{text/plain: {}, application/x-www-form-urlencoded: {}}", "application/x-www-form-urlencoded"),
        ("{text/plain: {}}", "text/plain; charset=utf-8"),
    ],
)
def test_of_several_kinds_of_body_the_best_is_sent(tmp_path: Path, content: str, content_type: str) -> None:
    request = sent(body(tmp_path, content), body="x")
    assert dict(request.headers)["Content-Type"] == content_type


def test_form_data_has_fields_and_no_files(tmp_path: Path) -> None:
    tool = body(
        tmp_path,
        """{multipart/form-data: {schema: {required: [note, kind], properties: {
          note: {type: string}, kind: {type: string, enum: [scan]},
          tags: {type: array, items: {type: string}},
          scan: {type: string, format: binary}, pages: {type: array, items: {type: string, format: binary}},
          photo: {contentMediaType: image/png}}}}}""",
    )
    assert list(tool.parameters["properties"]) == ["note", "tags"]
    request = sent(tool, note="é", tags=["a", "b"])
    media_type = dict(request.headers)["Content-Type"]
    assert media_type.startswith("multipart/form-data; boundary=")
    assert (request.body or b"").count(b"Content-Disposition: form-data; name=") == 4
    assert b'name="kind"\r\n\r\nscan\r\n' in (request.body or b"")


def test_a_form_is_written_as_its_encoding_says(tmp_path: Path) -> None:
    tool = body(
        tmp_path,
        """{application/x-www-form-urlencoded: {
          schema: {properties: {plain: {type: string}, list: {type: array}, commas: {type: array},
            pipes: {type: array}, deep: {type: object}, object: {type: object}, json: {type: array}}},
          encoding: {commas: {explode: false}, pipes: {style: pipeDelimited, explode: false},
            deep: {style: deepObject, explode: true}, json: {contentType: application/json}}}}""",
    )
    request = sent(
        tool,
        plain="a b",
        list=[1, 2],
        commas=[1, 2],
        pipes=[1, 2],
        deep={"a": {"b": 1}},
        object={"a": 1},
        json=[1],
    )
    assert request.body == (
        b"plain=a+b&list=1&list=2&commas=1%2C2&pipes=1%7C2&deep%5Ba%5D%5Bb%5D=1"
        b"&object=%7B%22a%22%3A1%7D&json=%5B1%5D"
    )


def test_a_get_request_leaves_an_optional_body_out(tmp_path: Path) -> None:
    tool = operation(tmp_path, "requestBody: {content: {application/json: {schema: {properties: {a: {}}}}}}")
    assert tool.parameters == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("words", "description"),
    [
        ("summary: Find.", "Find."),
        ("summary: Find", "Find."),
        ("description: ' Finds  it. '", "Finds it."),
        ("summary: Find it, description: 'Find it. Always.'", "Find it. Always."),
        ("summary: Find it!, description: Always.", "Find it! Always."),
        (f"description: '{'word ' * 300}'", "word " * 203 + "word…"),
        ("tags: [a]", "GET /x"),
    ],
)
def test_the_description_is_summary_and_description_within_bounds(
    tmp_path: Path, words: str, description: str
) -> None:
    assert operation(tmp_path, words).description == description
    assert len(description) <= 1024


@pytest.mark.parametrize(
    ("responses", "example"),
    [
        ("{'200': {content: {application/json: {example: {a: 1}}}}}", {"a": 1}),
        ("{'201': {content: {application/hal+json: {example: [1]}}}}", [1]),
        ("{2XX: {content: {application/json: {example: x}}}}", "x"),
        ("{'200': {content: {application/json: {examples: {a: {summary: s}, b: {value: 2}}}}}}", 2),
        ("{'200': {content: {application/json: {schema: {example: 3}}}}}", 3),
        ("{'204': {}, '200': {content: {text/html: {example: x}, application/json: {example: 4}}}}", 4),
    ],
)
def test_a_reply_s_example_answers_in_simulate(tmp_path: Path, responses: str, example: Json) -> None:
    assert operation(tmp_path, f"responses: {responses}").result == ResultSpec(
        example=example, has_example=True
    )


@pytest.mark.parametrize(
    "responses",
    [
        "{}",
        "{'404': {content: {application/json: {example: 1}}}}",
        "{default: {content: {application/json: {example: 1}}}}",
        "{'200': {content: {application/json: {}}}}",
        "{'200': {content: {application/pdf: {example: x}}}}",
    ],
)
def test_without_an_example_of_a_good_reply_there_is_none(tmp_path: Path, responses: str) -> None:
    assert operation(tmp_path, f"responses: {responses}").result == ResultSpec()


SECURED = """\
openapi: 3.1.0
servers: [{url: https://api.maple.example}]
security: [{key: []}]
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Api-Key}}}
paths:
  /a: {get: {operationId: a}}
  /b: {get: {operationId: b, security: []}}
"""


def test_auth_is_the_entry_s_own(tmp_path: Path) -> None:
    (tmp_path / "runner.yaml").write_text("secrets: {KEY: {env: KEY}}")
    auth = ', auth: {api_key: {name: X-Api-Key, value: "{{ secrets.KEY }}"}}'
    found = tools(tmp_path, SECURED, "a", auth=auth)
    binding = found[0].binding
    assert isinstance(binding, HttpBinding)
    assert isinstance(binding.auth, ApiKey)
    assert binding.auth.location is KeyIn.HEADER
    assert dict(sent(found[0]).headers)["X-Api-Key"] == "k"


def test_auth_is_not_needed_where_the_document_asks_for_none(tmp_path: Path) -> None:
    (tool,) = tools(tmp_path, SECURED, "b")
    assert isinstance(tool.binding, HttpBinding)
    assert tool.binding.auth is None


def test_auth_that_is_written_is_sent_where_the_document_asks_for_none(tmp_path: Path) -> None:
    (tmp_path / "runner.yaml").write_text("secrets: {KEY: {env: KEY}}")
    (tool,) = tools(tmp_path, SECURED, "b", auth=', auth: {bearer: "{{ secrets.KEY }}"}')
    assert isinstance(tool.binding, HttpBinding)
    assert isinstance(tool.binding.auth, Bearer)


def test_references_are_followed_into_other_files(tmp_path: Path) -> None:
    (tmp_path / "_specs" / "parts").mkdir(parents=True)
    (tmp_path / "_specs" / "parts" / "orders.yaml").write_text(
        dedent("""\
        item:
          get: {$ref: "#/operation"}
        operation:
          operationId: getOrder
          parameters: [{name: id, in: query, schema: {$ref: "../shared.json#/I%64"}}]
        """)
    )
    (tmp_path / "_specs" / "shared.json").write_text(
        '{"Id": {"$ref": "#/Old~1Id"}, "Old/Id": {"type": "integer"}}'
    )
    document = """\
    openapi: 3.1.0
    servers: [{url: https://api.maple.example}]
    paths:
      /orders: {$ref: "parts/orders.yaml#/item"}
    """
    (tool,) = tools(tmp_path, document, "getOrder")
    assert tool.parameters["properties"] == {"id": {"type": "integer"}}


def test_a_shared_entry_gives_its_operations_to_each_agent_that_names_it(tmp_path: Path) -> None:
    tools(tmp_path, ORDERS, "getOrder")
    (tmp_path / "desk.yaml").write_text(AGENT.split("  - openapi", maxsplit=1)[0].format() + "  - orders\n")
    (tmp_path / "runner.yaml").write_text(
        "tools: {orders: {openapi: {document: _specs/api.yaml, operations: [getOrder]}}}"
    )
    loaded = load(tmp_path)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.configuration is not None
    assert [tool.name for tool in loaded.configuration.agents["desk"].tools] == ["getOrder"]


def test_a_document_is_read_once_for_all_agents_and_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools(tmp_path, ORDERS, "getOrder")
    other = (tmp_path / "desk.yaml").read_text().replace("desk", "other").replace("0142", "0143")
    (tmp_path / "other.yaml").write_text(other)
    (tmp_path / "runner.yaml").write_text("environments: {staging: {defaults: {vars: {a: b}}}}")
    texts: list[str] = []

    def counted(text: str) -> Json:
        texts.append(text)
        return read_data(text)

    monkeypatch.setattr(document_module, "read_data", counted)
    assert load_everywhere(tmp_path).configuration is not None
    assert texts == [ORDERS]


def test_a_mistake_in_json_has_its_place_though_json_was_not_read_with_places(tmp_path: Path) -> None:
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "A \U0001f4de line"
        },  # json.dumps writes it in two halves, which YAML does not know
        "paths": {"/x": {"get": {"operationId": "x", "parameters": [{"name": "s", "in": "cookie"}]}}},
        "servers": [{"url": "https://a.example"}],
    }
    (tmp_path / "_specs").mkdir()
    (tmp_path / "_specs" / "api.json").write_text(json.dumps(document, indent=1))
    (tmp_path / "desk.yaml").write_text(AGENT.format(file="api.json", names="x", auth=""))
    assert [str(problem) for problem in load(tmp_path).problems] == [
        f'{tmp_path.as_posix()}/_specs/api.json:11:6: "x": the parameter "s" travels in a cookie, '
        "and tools send none [openapi]"
    ]
