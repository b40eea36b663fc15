"""What an entry says of an operation holds over the document; what is refused is in golden/openapi-entry."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from runner.call.templates.template import compile_template
from runner.call.tools.arguments import check_arguments
from runner.call.tools.tool_request import build_request
from runner.config.load import load
from runner.model.http import HttpRequest
from runner.model.tool import HttpBinding, Retries, Tool
from runner.model.values import Json

DOCUMENT = """\
openapi: 3.1.0
servers: [{url: "https://documented.maple.example"}]
paths:
  /accounts/{AccountSid}/messages:
    post:
      operationId: sendMessage
      summary: Send it.
      parameters:
        - {name: AccountSid, in: path, schema: {type: string}}
        - {name: Version, in: header, required: true, schema: {const: "2026-01-01"}}
        - {name: dry, in: query, required: true, schema: {type: boolean, enum: [false]}}
        - {name: trace, in: query, schema: {type: string, enum: [full]}}
        - {name: tags, in: query, schema: {type: array, items: {type: string}}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [kind, To, From]
              properties:
                kind: {const: sms}
                To: {type: string}
                From: {type: string}
                Body: {type: string}
                Media: {type: array, items: {type: string}}
      responses:
        "200": {description: x, content: {application/json: {example: {sid: SM1}}}}
  /notes:
    post:
      operationId: addNote
      requestBody:
        content:
          application/json:
            schema: {type: object, required: [kind], properties: {kind: {const: note}, text: {type: string}}}
  /text:
    post:
      operationId: say
      requestBody: {required: true, content: {text/plain: {schema: {type: string}}}}
"""

ENTRY = """\
agent: desk
routes: [{to: "+18005550142"}]
model: gpt-realtime-2.1
instructions: You answer the telephone.
vars: {clinic: Maple & Co, tags: [x, y]}
tools:
  - openapi: {document: _specs/api.yaml, operations: [OPERATION]}
"""
SID = "AC/1"


def tool(folder: Path, operation: str, *, server: str = "") -> Tool:
    (folder / "_specs").mkdir()
    (folder / "_specs" / "api.yaml").write_text(DOCUMENT)
    (folder / "runner.yaml").write_text("secrets: {SID: {env: SET}}\n")
    entry = ENTRY.replace("operations:", f"{server} operations:").replace("OPERATION", operation)
    (folder / "desk.yaml").write_text(entry)
    loaded = load(folder)
    assert loaded.configuration is not None, [str(problem) for problem in loaded.problems]
    (built,) = loaded.configuration.agents["desk"].tools
    return built


def sent(built: Tool, **arguments: Json) -> HttpRequest:
    """The request of a call whose arguments fit."""
    assert check_arguments(built, json.dumps(arguments)) == arguments
    assert isinstance(built.binding, HttpBinding)
    names = {"args": arguments, "secrets": {"SID": SID}, "vars": {"clinic": "Maple & Co", "tags": ["x", "y"]}}
    return build_request(built.binding, names, call_id="c", tool_call_id="t", agent_id="a", now=0.0)


def test_what_is_fixed_or_has_one_value_is_sent_and_never_asked_for(tmp_path: Path) -> None:
    built = tool(
        tmp_path,
        '{id: sendMessage, fixed: {AccountSid: "{{ secrets.SID }}", From: "{{ vars.clinic }} desk"}}',
    )
    assert list(built.parameters["properties"]) == ["trace", "tags", "To", "Body", "Media"]
    assert built.parameters["required"] == ["To"]
    request = sent(built, To="+14155550123")
    assert request.url == "https://documented.maple.example/accounts/AC%2F1/messages?dry=false"
    assert ("Version", "2026-01-01") in request.headers
    assert json.loads(request.body or b"") == {"To": "+14155550123", "kind": "sms", "From": "Maple & Co desk"}


@pytest.mark.parametrize(
    ("fixed", "url", "body"),
    [
        ("{AccountSid: a/b}", "/accounts/a%2Fb/messages?dry=false", {}),
        ('{AccountSid: "x-{{ vars.clinic }}"}', "/accounts/x-Maple%20%26%20Co/messages?dry=false", {}),
        ('{AccountSid: a, tags: [b, "c,d"]}', "/accounts/a/messages?dry=false&tags=b&tags=c%2Cd", {}),
        (
            '{AccountSid: a, tags: ["{{ vars.clinic }}"]}',
            "/accounts/a/messages?dry=false&tags=Maple%20%26%20Co",
            {},
        ),
        ('{AccountSid: a, tags: "{{ vars.tags }}"}', "/accounts/a/messages?dry=false&tags=x&tags=y", {}),
        (
            '{AccountSid: a, Media: ["{{ vars.clinic }}", "b"]}',
            "/accounts/a/messages?dry=false",
            {"Media": ["Maple & Co", "b"]},
        ),
        (
            '{AccountSid: a, Body: "\\"quoted\\" {% raw %}{{{% endraw %}"}',
            "/accounts/a/messages?dry=false",
            {"Body": '"quoted" {{'},
        ),
        (
            "{AccountSid: a, Body: 'it is 100% \"so\" \\ é'}",
            "/accounts/a/messages?dry=false",
            {"Body": 'it is 100% "so" \\ é'},
        ),
    ],
)
def test_fixed_values_are_sent_as_they_are_wherever_they_travel(
    tmp_path: Path, fixed: str, url: str, body: dict[str, Json]
) -> None:
    request = sent(tool(tmp_path, f"{{id: sendMessage, fixed: {fixed}}}"), To="1", From="2")
    assert request.url == f"https://documented.maple.example{url}"
    assert json.loads(request.body or b"") == {"To": "1", "From": "2", "kind": "sms", **body}


def test_of_a_body_that_is_optional_the_model_decides(tmp_path: Path) -> None:
    built = tool(tmp_path, "addNote")
    assert built.parameters["required"] == ["kind"]


def test_a_body_that_is_one_argument_can_be_fixed(tmp_path: Path) -> None:
    built = tool(tmp_path, '{id: say, fixed: {body: "Hello {{ vars.clinic }}"}}')
    assert built.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert sent(built).body == b"Hello Maple & Co"


def test_an_entry_says_where_the_requests_go(tmp_path: Path) -> None:
    built = tool(tmp_path, "say", server="server: https://staging.maple.example/v2/,")
    assert sent(built, body="x").url == "https://staging.maple.example/v2/text"


def test_what_an_operation_says_holds_over_the_document(tmp_path: Path) -> None:
    built = tool(
        tmp_path,
        dedent(
            """\
            {id: sendMessage, name: text_the_caller, description: Send a text message., timeout: 3s,
               retries: {attempts: 2}, idempotent: true, background: true, when: vars.clinic,
               otherwise: Not now., while_waiting: [{after: 1s, say: One moment.}],
               result: {select: sid, set: {last: sid}, on_error: "Tell {{ args.To }}.", max_chars: 50}}"""
        ).replace("\n", " "),
    )
    assert (built.name, built.description) == ("text_the_caller", "Send a text message.")
    assert isinstance(built.binding, HttpBinding)
    assert built.binding.timeout_s == 3.0
    assert built.binding.retries == Retries(
        attempts=2, on=frozenset({"timeout", "connection", 502, 503, 504})
    )
    assert (built.idempotent, built.background) == (True, True)
    assert built.otherwise == compile_template("Not now.")
    assert [step.after_s for step in built.while_waiting] == [1.0]
    result = built.result
    assert (result.select, result.sets, result.max_chars) == ("sid", {"last": "sid"}, 50)
    assert result.on_error == compile_template("Tell {{ args.To }}.")
    assert (result.example, result.has_example) == ({"sid": "SM1"}, True)


def test_an_example_of_the_entry_answers_instead_of_the_document_s(tmp_path: Path) -> None:
    built = tool(tmp_path, "{id: sendMessage, result: {example: {sid: SM2}}}")
    assert built.result.example == {"sid": "SM2"}


def test_variables_that_an_operation_sets_exist(tmp_path: Path) -> None:
    built = tool(tmp_path, "{id: sendMessage, result: {set: {last: sid}}, when: not vars.last}")
    assert built.when is not None
