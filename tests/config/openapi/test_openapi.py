"""Operations as tools, from documents of our own. What is refused is in golden/openapi-*."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from runner.config.load import load, load_everywhere
from runner.config.openapi import document as document_module
from runner.config.openapi.text import read_data
from runner.model.tool import ApiKey, Bearer, HttpBinding, KeyIn, ResultSpec
from runner.model.values import Json
from tests.config.openapi.documents import AGENT, ORDERS, operation, sent, tools


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
        "and tools send no cookies [openapi]"
    ]
