"""Reads the JSON Schemas that are shipped with the package. Never reads a user's file."""

import json
from functools import cache
from pathlib import Path

from runner.model.values import JsonObject

KINDS = ("agent", "runner", "test")
"""Kinds of files that users write."""
OUTPUTS = ("problems",)
"""Documents that commands print."""

_SHARED = "agent.schema.json"


@cache
def schema(kind: str) -> JsonObject:
    """The JSON Schema of one kind of file or output, complete in itself.

    In the repository the schemas of runner.yaml and of scenarios refer to definitions of the agent's schema
    by its file name, so that each thing is said once. A person who saves one schema for an editor, and the
    validator, need a single file: here those definitions are included.
    """
    text = (folder() / f"{kind}.schema.json").read_text(encoding="utf-8")
    document: JsonObject = json.loads(text.replace(f'"{_SHARED}#/', '"#/'))
    if f'"{_SHARED}#/' not in text:
        return document
    return {**document, "$defs": {**schema("agent")["$defs"], **document["$defs"]}}


def folder() -> Path:
    """The folder of the schemas: in the package, or beside it in the repository."""
    package = Path(__file__).parents[2]
    shipped = package / "schemas"
    return shipped if shipped.is_dir() else package.parent / "schemas"
