"""Parses a JSON or YAML document fast, and finds places in it on demand."""

import gc
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import yaml

from runner.config.reading.characters import check_characters, split_lines
from runner.config.reading.yaml_scalar import plain_scalar
from runner.config.reading.yaml_syntax import SyntaxMistake, explain
from runner.config.reading.yaml_text import MAX_ALIASED
from runner.model.values import Json

MAX_DEPTH = 200

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?[0-9]+")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_SPACE = r"\\u0020"


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector, which would visit the growing document again and again (3x the time)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_data(text: str) -> Json:
    """The document. Raises SyntaxMistake when the text is neither JSON nor YAML."""
    with _no_collection():
        return _read(text)


def _read(text: str) -> Json:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, parse_constant=str)
        except (ValueError, RecursionError):
            pass  # YAML has better messages, unless the text is JSON
    return _Reader(text).document()


class _Reader:
    """YAML as data: core schema, bounded aliases, and the merge keys of YAML 1.1, which some still use."""

    def __init__(self, text: str) -> None:
        check_characters(text)
        self._lines = split_lines(text)
        self._events: Iterator[Any] = yaml.parse(text, Loader=_PARSER)
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._count = 0
        self._aliased = 0

    def document(self) -> Json:
        try:
            next(self._events)  # the start of the stream
            if isinstance(next(self._events), yaml.StreamEndEvent):
                raise SyntaxMistake("this file is empty", 1, 1)
            return self._value(next(self._events), 1)
        except yaml.MarkedYAMLError as error:
            raise explain(error, self._lines) from None

    def _value(self, event: Any, depth: int) -> Json:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._count
        self._count += 1
        value: Json
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif depth > MAX_DEPTH:
            raise self._mistake(event, f"nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(entry := next(self._events), yaml.SequenceEndEvent):
                value.append(self._value(entry, depth + 1))
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _mapping(self, depth: int) -> Json:
        values: dict[str, Json] = {}
        merged: list[Json] = []
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise self._mistake(key, "a key is text; write it out")
            value = self._value(next(self._events), depth + 1)
            if key.value == "<<" and not key.style:
                merged += value if isinstance(value, list) else [value]
            else:
                values[key.value] = value
        for below in merged:
            values = {**below, **values} if isinstance(below, Mapping) else values
        return values

    def _alias(self, event: Any) -> Json:
        if event.anchor not in self._anchors:
            raise self._mistake(event, f'"*{event.anchor}" is an alias of nothing that has ended before it')
        value, size = self._anchors[event.anchor]
        self._count += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise self._mistake(event, f"the aliases of this file stand for more than {MAX_ALIASED} values")
        return value

    def _mistake(self, event: Any, message: str) -> SyntaxMistake:
        return SyntaxMistake(message, event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(event: Any) -> Json:
    if event.style or not event.implicit[0]:
        return event.value
    value = plain_scalar(event.value)
    if isinstance(value, float) and not isfinite(value):
        return event.value
    # The language takes long numbers for telephone numbers; in a document they are bounds.
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) and len(value) < 40 else value


def composed(text: str) -> yaml.Node:
    """The document's nodes with their marks. YAML has no halves of surrogate pairs, which JSON writes."""
    with _no_collection():
        try:
            root: yaml.Node | None = yaml.compose(_SURROGATE.sub(_SPACE, text), Loader=_PARSER)
        except yaml.YAMLError:
            root = None
    start = yaml.Mark("", 0, 0, 0, None, 0)
    return root or yaml.ScalarNode("", "", start, start)


def below(node: yaml.Node, step: str | int) -> yaml.Node | None:
    """The value at a key or an index, or None where it is not literally there."""
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if getattr(key, "value", None) == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        inner: yaml.Node = node.value[step]
        return inner
    return None
