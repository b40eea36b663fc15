"""Files of the configuration that are reloaded while calls last."""

import signal
from typing import Any

from runner.call.templates.program import MAX_EXPRESSIONS
from runner.config.openapi import schema
from runner.config.openapi import text as openapi_text
from runner.config.reading.files import MOST_BYTES
from runner.config.reading.yaml_text import MAX_ALIASED, MAX_DEPTH
from runner.serve.versions import MOST_PROBLEMS_LOGGED
from tests.serve.bounds.service import Service
from tests.serve.bounds.table import beyond

USES_DOCUMENT = """\
agent: reloaded
tools: [{openapi: {document: _reloaded.yaml, operations: [x]}}]
"""
USES_REFERENCES = """\
agent: reloaded
instructions: Be kind.
tools: [{openapi: {document: _reloaded.yaml, operations: [circle, deep, wide]}}]
"""
DOCUMENT = """\
openapi: 3.1.0
servers: [{url: "https://maple.example"}]
paths:
  /circle: {post: {operationId: circle, requestBody: {$ref: "#/components/requestBodies/Circle"}}}
"""
OPERATION = """\
  /NAME:
    post:
      operationId: NAME
      requestBody: {content: {application/json: {schema: {type: object, properties: {x: SCHEMA}}}}}
"""


async def refused(service: Service, text: str, document: str = "") -> str:
    """Why a configuration with this file, and maybe this document, is not reloaded."""

    def lines() -> list[dict[str, Any]]:
        return [line for line in service.log if line["event"] == "configuration was not reloaded"]

    files = {
        service.directory / "agents" / name: text
        for name, text in (("reloaded.yaml", text), ("_reloaded.yaml", document))
    }
    before = len(lines())
    for file, written in files.items():
        file.write_text(written)
    service.process.send_signal(signal.SIGHUP)
    await service.until(lambda: len(lines()) > before)
    for file in files:
        file.unlink()
    return "\n".join(lines()[-1]["reasons"])


def nested(depth: int) -> str:
    """A key with a list in a list in a list."""
    return f"x: {'[' * depth}{']' * depth}\n"


@beyond("config.reading.yaml_text.MAX_DEPTH")
async def a_file_that_is_too_deep(service: Service) -> None:
    reasons = await refused(service, nested(100_000))
    assert f"nested deeper than {MAX_DEPTH} levels" in reasons


@beyond("config.reading.yaml_text.MAX_ALIASED")
async def a_file_whose_aliases_stand_for_billions(service: Service) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    reasons = await refused(service, "\n".join(lines))
    assert f"the aliases of this file stand for more than {MAX_ALIASED} values" in reasons


@beyond("call.templates.program.MAX_EXPRESSIONS")
async def a_template_of_very_many_expressions(service: Service) -> None:
    instructions = "{{ now }} " * (MAX_EXPRESSIONS + 1)
    reasons = await refused(service, f"agent: reloaded\ninstructions: '{instructions}'\n")
    assert "this template has 4,001 expressions, at most 4,000 are allowed" in reasons


@beyond("config.reading.files.MOST_BYTES")
async def a_file_that_is_too_large(service: Service) -> None:
    reasons = await refused(service, "# " + "x" * MOST_BYTES)
    assert f"is larger than {MOST_BYTES >> 20} MiB" in reasons


@beyond("serve.versions.MOST_PROBLEMS_LOGGED")
async def a_file_with_more_mistakes_than_are_logged(service: Service) -> None:
    wrong = "".join(f"key{number}: x\n" for number in range(2 * MOST_PROBLEMS_LOGGED))
    reasons = await refused(service, "agent: reloaded\ninstructions: Be kind.\n" + wrong)
    assert len(reasons.splitlines()) == MOST_PROBLEMS_LOGGED


@beyond("config.openapi.text.MAX_DEPTH")
async def a_document_that_is_too_deep(service: Service) -> None:
    reasons = await refused(service, USES_DOCUMENT, nested(100_000))
    assert f"nested deeper than {openapi_text.MAX_DEPTH} levels" in reasons


@beyond(
    "config.openapi.document.MOST_STEPS",
    "config.openapi.schema.MAX_DEPTH",
    "config.openapi.schema.MOST_INLINE",
)
async def a_document_whose_references_have_no_end(service: Service) -> None:
    """One leads back to itself, some stand for billions, which stay references."""
    deep = "{items: " * 100 + "{}" + "}" * 100
    wide = "{$ref: '#/components/schemas/S0'}"
    document = DOCUMENT + "".join(
        OPERATION.replace("NAME", name).replace("SCHEMA", written)
        for name, written in (("deep", deep), ("wide", wide))
    )
    document += "components:\n  requestBodies: {Circle: {$ref: '#/components/requestBodies/Circle'}}\n"
    document += "  schemas:\n    S9: {type: string}\n"
    for number in range(9):
        inner = ", ".join(f"x{n}: {{$ref: '#/components/schemas/S{number + 1}'}}" for n in range(10))
        document += f"    S{number}: {{type: object, properties: {{{inner}}}}}\n"
    reasons = await refused(service, USES_REFERENCES, document)
    assert [line.partition(": ")[2] for line in reasons.splitlines()] == [
        '"circle": this $ref leads back to itself [openapi]',
        f'"deep": schemas are nested deeper than {schema.MAX_DEPTH} levels [openapi]',
    ]
