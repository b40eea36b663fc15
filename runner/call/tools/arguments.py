"""Checks the arguments of a tool call against the tool's `parameters`. What does not fit is never sent.

Arguments come from a model: the text may be empty, no JSON, no object, or made up. The answer to that is a
sentence that the model can mend its call by: which argument, what was given, what would fit.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from runner.model.tool import Tool
from runner.model.values import Json, JsonObject

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

_MOST_ERRORS = 5
_LONGEST_QUOTE = 60


Arguments: TypeAlias = dict[str, Json]
"""Arguments that fit, as the model gave them. One that it left out is null in templates."""


def check_arguments(tool: Tool, text: str) -> Arguments | str:
    """The arguments, or for the model: what is wrong with them and what would be right. Never raises."""
    properties = tool.parameters.get("properties")
    declared = properties if isinstance(properties, Mapping) else {}
    try:
        given = _parsed(text)
    except (ValueError, RecursionError) as error:
        return f"the arguments are not JSON ({error}); {_wanted(declared)}"
    if not isinstance(given, dict):
        return f"the arguments are {_quoted(given)}, which is no JSON object; {_wanted(declared)}"
    try:
        errors = list(islice(_validator(_Same(tool.parameters)).iter_errors(given), _MOST_ERRORS))
    except Exception as error:
        # A keyword of the schema may choke on any value: a pattern on a long text, `multipleOf` on 1e308.
        return f"the arguments cannot be checked ({type(error).__name__}); {_wanted(declared)}"
    if errors:
        return "; ".join(dict.fromkeys(_sentence(error) for error in errors))
    return given


def fits(schema: JsonObject, value: Json) -> bool:
    """Whether any JSON value fits a schema. What cannot be checked does not. Never raises."""
    try:
        return _validator(_Same(schema)).is_valid(value)
    except Exception:
        # As above: a keyword of the schema may choke on any value.
        return False


def _wanted(declared: Mapping[str, Json]) -> str:
    if not declared:
        return "send {}, this tool takes no arguments"
    return "send one JSON object with " + ", ".join(f'"{name}"' for name in declared)


def _parsed(text: str) -> Json:
    """JSON that can be sent on: finite numbers, no half characters. No text at all is no arguments."""
    if not text.strip():
        return {}
    value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    if "\\u" in text or not text.isascii():
        # Half of a surrogate pair is legal in JSON's escapes and in no encoding.
        whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        value = json.loads(whole)
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is no number that JSON can hold")
    return number


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A schema as a key: the very same object, since mappings have no hash. Held, so its id stays its own."""

    schema: JsonObject

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.schema is self.schema


@lru_cache(maxsize=4096)
def _validator(same: _Same) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator, FormatChecker  # noqa: PLC0415 - costs 0.1 s, needed in calls only
    from referencing import Registry  # noqa: PLC0415 - as above

    checker = FormatChecker(formats=())
    for name, (_, fits) in FORMATS.items():
        checker.checks(name, raises=ValueError)(fits)
    # An empty registry: by default an unknown `$ref` would be fetched from the network.
    return Draft202012Validator(same.schema, format_checker=checker, registry=Registry())


# Formats


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\d", value) and date.fromisoformat(value)
    )


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    time.fromisoformat(value.upper())
    return re.match(r"\d\d:\d\d", value) is not None


def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    datetime.fromisoformat(value.upper())
    return re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", value) is not None


def _is_email(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None


def _is_uuid(value: object) -> bool:
    return (
        not isinstance(value, str)
        or re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value) is not None
    )


FORMATS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "date": ("a date such as 2026-11-27", _is_date),
    "time": ("a time such as 09:30", _is_time),
    "date-time": ("a date and time such as 2026-11-27T09:30:00Z", _is_date_time),
    "email": ("an e-mail address", _is_email),
    "uuid": ("a UUID", _is_uuid),
}
"""The formats that are checked. Unlike RFC 3339, a time may do without seconds and offset: callers do too."""


# Sentences


def _sentence(error: "ValidationError") -> str:
    name = _path(error)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator == "required":
        # One error for each missing name; the message begins with it.
        required = cast(list[str], error.validator_value)
        missing = next(key for key in required if error.message.startswith(repr(key)))
        inner = schema.get("properties", {}).get(missing, {})
        return f'"{_below(name, missing)}" is missing{_must_be(inner)}'
    if error.validator in ("additionalProperties", "unevaluatedProperties") and isinstance(
        error.instance, dict
    ):
        return _unknown(name, error.instance, schema)
    subject = f'"{name}" is' if name else "the arguments are"
    return f"{subject} {_quoted(error.instance)}{_must_be(schema) or ', which does not fit'}"


def _unknown(name: str, instance: JsonObject, schema: JsonObject) -> str:
    known = schema.get("properties", {})
    unknown = ", ".join(f'"{_below(name, key)}"' for key in instance if key not in known)
    there_is = ", ".join(f'"{_below(name, key)}"' for key in known)
    return f"there is no argument {unknown}; " + (f"there is {there_is}" if there_is else "send none")


def _path(error: "ValidationError") -> str:
    path = ""
    for step in error.absolute_path:
        path = f"{path}[{step}]" if isinstance(step, int) else _below(path, step)
    return path


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _must_be(schema: Any) -> str:
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
    "pattern": "matching {}",
}


def _expected(schema: Mapping[str, Any]) -> Iterator[str]:
    """What the schema wants, in words."""
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        yield ("one of " if len(values) > 1 else "") + ", ".join(map(_quoted, values))
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
    for keyword in ("anyOf", "oneOf"):
        inner = [
            ", ".join(_expected(branch)) for branch in schema.get(keyword, ()) if isinstance(branch, Mapping)
        ]
        if any(inner):
            yield " or ".join(filter(None, inner))


def _quoted(value: Json) -> str:
    """A value as JSON, cut to a length that the model needs to recognise it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
