"""Documents of our own, the tools that they become, and what those send."""

import json
from pathlib import Path
from textwrap import dedent

from runner.call.tools.arguments import check_arguments
from runner.call.tools.tool_request import build_request
from runner.config.load import load
from runner.model.http import HttpRequest
from runner.model.tool import HttpBinding, Tool
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


def body(folder: Path, content: str, *, required: bool = True, more: str = "") -> Tool:
    return operation(
        folder, f"{more} requestBody: {{required: {json.dumps(required)}, content: {content}}}", method="post"
    )
