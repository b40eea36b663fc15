"""Arguments of an operation that the model does not supply: fixed by the entry, or with one possible
value."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.call.schemas.schema import Schema
from runner.call.templates.template import CompiledTemplate, constant, has_expressions
from runner.config.building.templates import templated
from runner.config.checking.scope import Scope
from runner.config.checking.suggest import or_there_is
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.template import Templated
from runner.model.values import Json, JsonObject

_RULE = "openapi"
_WHOLE = re.compile(r"(?s)\s*\{\{[-+]?(.*?)[-+]?\}\}\s*")
_NOT_OF_THE_MODEL = "a fixed value cannot name the model's arguments"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedValue:
    """The value of a fixed argument."""

    tree: Templated
    """The value, for a query or a body."""
    expression: str | None
    """The same as an expression of a template, where it can be written as one."""

    @property
    def text(self) -> str | None:
        """The source of a template that is text of several parts."""
        is_text = self.expression is None and isinstance(self.tree, CompiledTemplate)
        return self.tree.source if is_text and isinstance(self.tree, CompiledTemplate) else None


class FixedArguments:
    """An entry's `fixed` values, and which of them are used."""

    def __init__(self, node: Node | None, scope: Scope, problems: Problems) -> None:
        self._entries: dict[str, Node] = dict(node.items()) if node is not None else {}
        self._key_places = node.key_places if node is not None else {}
        self._scope = replace(scope, args=None, why_no_args=_NOT_OF_THE_MODEL)
        self._problems = problems
        self._values: dict[str, FixedValue] = {}
        self._schemas: dict[str, Json] = {}

    @property
    def unused(self) -> tuple[str, ...]:
        """The names that match no argument."""
        return tuple(name for name in self._entries if name not in self._schemas)

    def value(self, names: Sequence[str], schema: Json) -> FixedValue | None:
        """The fixed value of an argument with these names and this schema."""
        for name in names:
            node = self._entries.get(name)
            if node is not None:
                self._schemas[name] = schema
                if name not in self._values:
                    self._values[name] = _fixed(node, self._scope, self._problems)
                return self._values[name]
        return None

    def refuse(self, names: Sequence[str], message: str) -> None:
        """Note that the fixed value under one of these names cannot be sent."""
        for name in names:
            if name in self._entries:
                self._problems.error(self._entries[name].place, _RULE, f'"{name}" {message}')

    def check(self, operation: str, known: Iterable[str], definitions: JsonObject) -> None:
        """Note fixed values that match no argument, or that the document does not allow."""
        for name, node in self._entries.items():
            schema = self._schemas.get(name, False)
            if name not in self._schemas:
                message = f'"{operation}" has no argument "{name}"{or_there_is(name, known)}'
                self._problems.error(self._key_places.get(name, node.place), "unknown-argument", message)
            elif not (_has_expressions(node) or _fits(schema, definitions, node.data())):
                value = json.dumps(node.data(), ensure_ascii=False)
                message = f'"{name}" is {value}, which the document does not allow'
                self._problems.error(node.place, _RULE, message)


def only_value(schema: Json) -> FixedValue | None:
    """The only value that a schema allows, if there is one."""
    if not isinstance(schema, Mapping):
        return None
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return _literal(values[0]) if len(values) == 1 and values[0] is not None else None


def _fits(schema: Json, definitions: JsonObject, value: Json) -> bool:
    return not isinstance(schema, Mapping) or Schema({**schema, "$defs": definitions}).fits(value)


def _fixed(node: Node, scope: Scope, problems: Problems) -> FixedValue:
    if not _has_expressions(node):
        return _literal(node.data())
    tree = templated(node, scope, problems)
    whole = _WHOLE.fullmatch(tree.source) if isinstance(tree, CompiledTemplate) else None
    if whole is not None and isinstance(tree, CompiledTemplate) and tree.is_whole:
        return FixedValue(tree=tree, expression=f"({whole[1].strip()})")
    return FixedValue(tree=tree, expression=None)


def _literal(value: Json) -> FixedValue:
    # What JSON writes, Jinja reads as the same.
    return FixedValue(tree=_constants(value), expression=json.dumps(value, ensure_ascii=False))


def _constants(value: Json) -> Templated:
    if isinstance(value, str):
        return constant(value)
    if isinstance(value, Mapping):
        return {key: _constants(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_constants(entry) for entry in value]
    scalar: bool | int | float | None = value
    return scalar


def _has_expressions(node: Node) -> bool:
    if isinstance(node.value, str):
        return has_expressions(node.value)
    return any(map(_has_expressions, (*node.entries(), *node.values())))
