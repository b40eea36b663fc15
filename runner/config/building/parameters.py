"""Checks a tool's `parameters` as a JSON Schema (2020-12), with the place of each mistake.

It walks nodes, as the check of the language itself does: a general validator knows no places, and answers one
mistake in a schema with a page about the schema of schemas.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import partial

from runner.call.schemas.schema import compile_pattern
from runner.config.building.schema_walk import circular_references, resolved
from runner.config.checking.schema_shapes import flow_data
from runner.config.checking.schema_types import has_type
from runner.config.checking.schema_words import demanded, shown_value
from runner.config.checking.suggest import did_you_mean, nearest, one_of
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.values import JsonObject, Place

NO_ARGUMENTS: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
"""The parameters of a tool without arguments."""

_TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")


class _Kind(Enum):
    """The kind of a keyword's value. The text is its name in messages."""

    SCHEMA = "write a schema, such as {type: string}"
    SCHEMAS = "write a list of schemas, such as [{type: string}]"
    SCHEMA_MAP = "write names with schemas, such as {day: {type: string}}"
    COUNT = "write a whole number from 0"
    NUMBER = "write a number"
    POSITIVE = "write a number above 0"
    TEXT = "write text"
    PATTERN = "write a regular expression"
    FLAG = "write true or false"
    LIST = "write a list"
    NAMES = "write a list of names, each once, such as [day]"
    NAMES_MAP = "write names with lists of names, such as {day: [time]}"
    TYPE = "write " + one_of(_TYPES)
    REF = 'write a reference inside of this schema, such as "#/$defs/day"'
    ANY = ""


_KEYWORDS: Mapping[str, _Kind] = {
    keyword: kind
    for kind, keywords in {
        _Kind.SCHEMA: "additionalProperties items contains not if then else propertyNames unevaluatedItems "
        "unevaluatedProperties contentSchema",
        _Kind.SCHEMAS: "allOf anyOf oneOf prefixItems",
        _Kind.SCHEMA_MAP: "properties patternProperties $defs definitions dependentSchemas",
        _Kind.COUNT: "minLength maxLength minItems maxItems minProperties maxProperties minContains "
        "maxContains",
        _Kind.NUMBER: "minimum maximum exclusiveMinimum exclusiveMaximum",
        _Kind.POSITIVE: "multipleOf",
        _Kind.TEXT: "title description format $comment $id $schema $anchor $dynamicAnchor contentEncoding "
        "contentMediaType",
        _Kind.PATTERN: "pattern",
        _Kind.FLAG: "uniqueItems deprecated readOnly writeOnly",
        _Kind.LIST: "enum examples",
        _Kind.NAMES: "required",
        _Kind.NAMES_MAP: "dependentRequired",
        _Kind.TYPE: "type",
        _Kind.REF: "$ref $dynamicRef",
        _Kind.ANY: "const default $vocabulary",
    }.items()
    for keyword in keywords.split()
}


def check_parameters(node: Node, problems: Problems, *, named: str = "parameters") -> None:
    """Note every mistake in a tool's `parameters`, or in another key (`named`) that holds a schema."""
    kind = node.get("type")
    if kind is None and node.get("properties") is None and node.value:
        message = (
            f'"{named}" has no "properties"; write {{type: object, properties: {{NAME: {{type: string}}}}}}'
        )
        problems.error(node.place, named, message)
        return
    if kind is None or (kind.value != "object" and (kind.value in _TYPES or kind.entries())):
        place = kind.place if kind is not None else node.place
        problems.error(place, named, f'"{named}" describes one object; write "type: object" at its top')
    check = _Check(node, problems, named)
    check.schema(node)
    check.circles(node)


class _Check:
    """One walk over one schema."""

    def __init__(self, root: Node, problems: Problems, rule: str) -> None:
        self._root = root
        self._problems = problems
        self._rule = rule

    def _error(self, node: Node, message: str) -> None:
        self._problems.error(node.place, self._rule, message)

    def schema(self, node: Node) -> None:
        if isinstance(node.value, bool):
            return
        if not isinstance(node.value, Mapping):
            self._error(node, f"a schema is a mapping, not {shown_value(node, {})}; {_Kind.SCHEMA.value}")
            return
        for keyword, value in node.items():
            self._keyword(node, keyword, value)
        self._choices_fit(node)
        if (patterns := node.get("patternProperties")) is not None:
            for source in patterns.key_places:
                self._pattern(patterns.key_place(source), '"patternProperties" has', source)
        self._required_exists(node)

    def _keyword(self, schema: Node, keyword: str, value: Node) -> None:
        kind = _KEYWORDS.get(keyword)
        if kind is None:
            if nearest(keyword, _KEYWORDS):
                message = f'"{keyword}" is not a keyword of JSON Schema{did_you_mean(keyword, _KEYWORDS)}'
                self._problems.warning(schema.key_place(keyword), self._rule, message)
        elif keyword == "required" and isinstance(value.value, bool):
            self._error(
                value, '"required" is a list of names, beside "properties"; write "required: [day]" there'
            )
        elif keyword == "type" and value.entries():
            for name in value.entries():
                self._keyword(schema, keyword, name)
        elif keyword == "format" and isinstance(value.value, str):
            self._format(value)
        elif kind is _Kind.PATTERN and isinstance(value.value, str):
            self._pattern(value.place, f'"{keyword}" is', value.value)
        elif not self._fits(kind, value):
            self._error(value, f'"{keyword}" is {shown_value(value, {})}; {self._right(kind, value)}')

    def _right(self, kind: _Kind, value: Node) -> str:
        near = nearest(value.text, _TYPES) if kind is _Kind.TYPE and value.text else None
        return f'did you mean "{near}"?' if near else kind.value

    def _fits(self, kind: _Kind, value: Node) -> bool:
        """Whether the value is of the kind; schemas in it are checked on the way."""
        if kind is _Kind.SCHEMA:
            inner: Iterable[Node] | None = (value,)
        elif kind is _Kind.SCHEMAS:
            inner = value.entries() or None
        elif kind is _Kind.SCHEMA_MAP:
            inner = value.value.values() if isinstance(value.value, Mapping) else None
        elif kind is _Kind.REF:
            return isinstance(value.value, str) and resolved(self._root, value.value) is not None
        else:
            return _is_list(kind, value) if kind in _LISTS else _is_scalar(kind, value.value)
        for schema in inner or ():
            self.schema(schema)
        return inner is not None

    def _format(self, value: Node) -> None:
        """Any word is legal, and an unknown one means nothing; so only a mistyped one is reported."""
        near = nearest(value.text, _FORMATS)
        if value.text not in _FORMATS and near is not None:
            message = f'"format" is "{value.text}"; did you mean "{near}"?'
            self._problems.warning(value.place, self._rule, message)
        elif not _FORMAT_NAME.fullmatch(value.text):
            message = (
                f'"format" is "{value.text}", which checks nothing; write a kind of text such as "date" or '
                '"date-time", and say in "description" what is meant'
            )
            self._problems.warning(value.place, self._rule, message)

    def _pattern(self, place: Place, subject: str, source: str) -> None:
        """A pattern searches text of a model or a caller, so its time must be bounded."""
        try:
            compile_pattern(source)
        except ValueError as error:
            self._problems.error(place, self._rule, f'{subject} "{source}", which RE2 cannot read: {error}')

    def circles(self, node: Node) -> None:
        """Note each reference that leads back to its own schema before it reaches a part of the value."""
        for reference in circular_references(node):
            message = f'"{reference.text}" leads back to itself, so that no value can be checked'
            self._error(reference, message)

    def _choices_fit(self, node: Node) -> None:
        """An argument is checked against both: a choice of another type could never be made."""
        kind, choices = node.get("type"), node.get("enum")
        if (
            kind is None
            or choices is None
            or not all(map(partial(_is_list, _Kind.TYPE), kind.entries() or (kind,)))
        ):
            return
        for choice in choices.entries():
            if not has_type(choice, {"type": kind.data()}, exactly=True):
                types = " or ".join(entry.text for entry in kind.entries() or (kind,))
                right = demanded({"type": kind.data()})
                message = f'"enum" has {flow_data(choice.data())}, but "type" is {types}; write {right}'
                self._problems.warning(choice.place, self._rule, message)

    def _required_exists(self, node: Node) -> None:
        """A required argument without a description is legal, but probably a mistake."""
        properties, required = node.get("properties"), node.get("required")
        if required is None or properties is None or not isinstance(properties.value, Mapping):
            return
        for name in required.entries():
            if isinstance(name.value, str) and name.value not in properties.value:
                hint = (
                    did_you_mean(name.value, properties.value)
                    or '; describe it there, or leave it out of "required"'
                )
                message = f'"properties" describes no "{name.value}"{hint}'
                self._problems.warning(name.place, self._rule, message)


_FORMATS = frozenset(
    {
        *("date", "time", "date-time", "duration", "email", "idn-email", "hostname", "idn-hostname"),
        *("ipv4", "ipv6", "uri", "uri-reference", "uri-template", "iri", "iri-reference", "uuid"),
        *("json-pointer", "relative-json-pointer", "regex"),
        # Those of OpenAPI.
        *("int32", "int64", "float", "double", "byte", "binary", "password", "phone"),
    }
)
"""Of JSON Schema 2020-12 (Validation, 7.3), and what others add."""
_FORMAT_NAME = re.compile(r"[a-z][a-z0-9]*([-_.:][a-z0-9]+)*")
"""People who know date patterns write one here."""
_LISTS = (_Kind.LIST, _Kind.NAMES, _Kind.NAMES_MAP, _Kind.TYPE)


def _is_list(kind: _Kind, node: Node) -> bool:
    if kind is _Kind.TYPE:
        return isinstance(node.value, str) and node.value in _TYPES
    if kind is _Kind.NAMES_MAP:
        return isinstance(node.value, Mapping) and all(
            _is_list(_Kind.NAMES, entry) for _, entry in node.items()
        )
    if not isinstance(node.value, tuple):
        return False
    values = [entry.value for entry in node.entries()]
    return kind is _Kind.LIST or (
        all(isinstance(name, str) for name in values) and len({*values}) == len(values)
    )


def _is_scalar(kind: _Kind, value: object) -> bool:
    match kind:
        case _Kind.FLAG:
            return isinstance(value, bool)
        case _Kind.TEXT | _Kind.PATTERN:
            return isinstance(value, str)
        case _Kind.ANY:
            return True
        case _ if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        case _Kind.COUNT:
            return value >= 0 and float(value).is_integer()
        case _:
            return kind is _Kind.NUMBER or value > 0
