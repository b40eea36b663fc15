"""The table of a record's fields, made from the model's dataclasses and what stands beneath their fields."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise

from runner.model import record
from runner.model.record import Attempt, CallRecord, Deed, Handoff, Span, ToolUse, Turn

_NONE = re.compile(r"(^|\. )?None\b")
_WITHIN = {
    "turns": Turn,
    "tools": ToolUse,
    "tries": Attempt,
    "handoffs": Handoff,
    "deeds": Deed,
    "spans": Span,
}
_IN_JSON: dict[tuple[type, str], str] = {(Span, "since"): "from", (Span, "until"): "to"}
_TYPES = {
    "str": "text",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "Instant": "Unix time",
    "Json": "any value",
    "JsonObject": "mapping",
    "tuple[str, ...]": "list of: text",
    "Usage": "mapping",
    "TranscriptionUsage": "mapping",
}


def record_table() -> str:
    """The fields by their paths, each with its type and what the model says of it."""
    rows = ["| field | type | meaning |", "| --- | --- | --- |"]
    return "\n".join([*rows, *_rows(CallRecord, "")])


def _rows(kind: type, prefix: str) -> Iterator[str]:
    meanings = _meanings(kind)
    for field in fields(kind):
        name = _IN_JSON.get((kind, field.name), field.name)
        within = _WITHIN.get(field.name)
        annotation = str(field.type if isinstance(field.type, str) else _written(kind, field.name))
        type_name, _, null = annotation.partition(" | ")
        words = "list of: mapping" if within else _TYPES[type_name]
        yield f"| `{prefix}{name}` | {words}{' or null' if null else ''} | {meanings.get(field.name, '')} |"
        if within is not None:
            yield from _rows(within, f"{prefix}{name}[].")


def _class(kind: type) -> ast.ClassDef:
    tree = ast.parse(inspect.getsource(record))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)


def _written(kind: type, name: str) -> str:
    return next(
        ast.unparse(node.annotation)
        for node in _class(kind).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name
    )


def _null(found: re.Match[str]) -> str:
    return "null" if found[1] is None else f"{found[1]}Null"


def _meanings(kind: type) -> dict[str, str]:
    """What stands beneath each field, in one line. What Python calls None is null in JSON."""
    found: dict[str, str] = {}
    body = _class(kind).body
    for node, below in pairwise(body):
        match node, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = _NONE.sub(_null, " ".join(text.split()))
            case _:
                pass
    return found
