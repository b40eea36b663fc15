"""Checks the arguments of a tool call against the tool's `parameters`. What does not fit is never sent.

Arguments come from a model: the text may be empty, not JSON, not an object, or made up. The answer to that is
a sentence that lets the model correct its call: which argument, its value, and what would fit.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from runner.call.schemas.check import Misfit, UncheckableError, ValuePath
from runner.call.schemas.formats import FORMATS
from runner.call.schemas.left_out import without_left_out
from runner.call.schemas.schema import Schema
from runner.model.json_text import read_json
from runner.model.tool import Tool
from runner.model.values import Json, JsonObject
from runner.wording import cut

MAX_CHARS = 100_000
"""Of arguments as text. A model writes a few thousand at most."""

_MOST_ERRORS = 5
_LONGEST_QUOTE = 60


Arguments: TypeAlias = dict[str, Json]
"""Arguments that fit, as the model wrote them, without those that it left out or wrote as null for that."""


def check_arguments(tool: Tool, text: str) -> Arguments | str:
    """The arguments; or, for the model, what is wrong with them and what would be right. Never raises."""
    properties = tool.parameters.get("properties")
    declared = properties if isinstance(properties, Mapping) else {}
    if len(text) > MAX_CHARS:
        return f"the arguments are {len(text)} characters long, at most {MAX_CHARS} are accepted"
    try:
        # No text at all means no arguments.
        value = read_json(text) if text.strip() else None
    except ValueError as error:
        return f"the arguments are not JSON ({error}); {_wanted(declared)}"
    if value is None:
        value = {}
    if not isinstance(value, dict):
        return f"the arguments are {quoted(value)}, which is not a JSON object; {_wanted(declared)}"
    schema = _compiled(_Same(tool.parameters))
    arguments = without_left_out(schema, value) if "null" in text else value
    try:
        misfits = schema.misfits(arguments, _MOST_ERRORS)
    except UncheckableError as error:
        return f"the arguments cannot be checked: {error}; {_wanted(declared)}"
    if misfits:
        return "; ".join(dict.fromkeys(map(_sentence, misfits)))
    return arguments


def fits(schema: JsonObject, value: Json) -> bool:
    """Whether any JSON value fits a schema. One that cannot be checked does not. Never raises."""
    return _compiled(_Same(schema)).fits(value)


def _wanted(declared: Mapping[str, Json]) -> str:
    if not declared:
        return "send {}, this tool takes no arguments"
    return "send one JSON object with " + ", ".join(f'"{name}"' for name in declared)


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A schema as a key, by identity, since mappings have no hash. Held, so that its id stays its own."""

    schema: JsonObject

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.schema is self.schema


@lru_cache(maxsize=4096)
def _compiled(same: _Same) -> Schema:
    return Schema(same.schema)


# Sentences


def _sentence(misfit: Misfit) -> str:
    name, schema = _written(misfit.path), misfit.schema
    if misfit.missing:
        inner = schema.get("properties", {}).get(misfit.missing, {})
        return f'"{_below(name, misfit.missing)}" is missing{must_be(inner)}'
    if misfit.keyword in ("additionalProperties", "unevaluatedProperties") and isinstance(misfit.value, dict):
        return _unknown(name, misfit.value, schema)
    subject = f'"{name}" is' if name else "the arguments are"
    return f"{subject} {quoted(misfit.value)}{must_be(schema) or ', which does not fit'}"


def _unknown(name: str, instance: JsonObject, schema: JsonObject) -> str:
    known = schema.get("properties", {})
    unknown = ", ".join(f'"{_below(name, key)}"' for key in instance if key not in known)
    there_is = ", ".join(f'"{_below(name, key)}"' for key in known)
    return f"there is no argument {unknown}; " + (f"there is {there_is}" if there_is else "send none")


def _written(path: ValuePath) -> str:
    name = ""
    for step in path:
        name = f"{name}[{step}]" if isinstance(step, int) else _below(name, step)
    return name


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def must_be(schema: Any) -> str:
    """The demand of a schema, in words that follow the value; empty where there are none."""
    words = ", ".join(_expected(schema)) if isinstance(schema, Mapping) else ""
    return f", it must be {words}" if words else ""


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters long",
    "maxLength": "at most {} characters long",
    "minItems": "with at least {} entries",
    "maxItems": "with at most {} entries",
    "minProperties": "with at least {} keys",
    "maxProperties": "with at most {} keys",
    "pattern": "matching {}",
}


def _expected(schema: Mapping[str, Any]) -> Iterator[str]:
    """What the schema expects, in words."""
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        yield ("one of " if len(values) > 1 else "") + ", ".join(map(quoted, values))
        return
    kind = schema.get("type", [])
    types = [_TYPES[name] for name in ([kind] if isinstance(kind, str) else kind) if name in _TYPES]
    if types:
        yield " or ".join(types)
    if schema.get("format") in FORMATS:
        yield FORMATS[schema["format"]][0]
    for keyword, words in _BOUNDS.items():
        if keyword in schema:
            yield words.format(schema[keyword])
    if schema.get("uniqueItems") is True:
        yield "with no entry twice"
    for keyword in ("anyOf", "oneOf"):
        inner = [
            ", ".join(_expected(branch)) for branch in schema.get(keyword, ()) if isinstance(branch, Mapping)
        ]
        if any(inner):
            yield " or ".join(filter(None, inner))


def quoted(value: Json) -> str:
    """A value as JSON, cut to a length by which the model recognises it."""
    return cut(json.dumps(value, ensure_ascii=False), _LONGEST_QUOTE)
