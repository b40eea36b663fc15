"""OpenAPI documents as data: read fast, followed through every `$ref`, with the place of any part on demand.

Large ones have a hundred thousand lines, of which a tool wants fifty. So places are looked for only where
something is wrong. Never asks the network.
"""

import gc
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any
from urllib.parse import unquote

import yaml

from runner.config.files import Directory
from runner.config.node import Node
from runner.config.problem import Problems
from runner.config.suggest import did_you_mean
from runner.config.yaml_scalar import plain_scalar
from runner.config.yaml_syntax import SyntaxMistake, explain
from runner.config.yaml_text import MAX_ALIASED, check_characters, split_lines
from runner.model.values import Json, Place

MAX_DEPTH = 200
MOST_STEPS = 20
"""References that lead to references: more are a circle."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?[0-9]+")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_SPACE = r"\\u0020"


class UnfitError(Exception):
    """What stands in a document at this place cannot become a tool, and why. It never leaves this package."""

    def __init__(self, part: "Part", message: str) -> None:
        super().__init__(message)
        self.part = part


class ToldError(Exception):
    """A part cannot become a tool for a reason that is noted already."""


class ApiDocument:
    """One file: its data, and where each part of it stands."""

    def __init__(self, name: str, text: str) -> None:
        """Raises SyntaxMistake when the text is neither JSON nor YAML."""
        self.name = name
        self._text = text
        self._nodes: yaml.Node | None = None
        with _no_collection():
            self.root = Part(document=self, path=(), value=_read(text))

    def place(self, path: "tuple[str | int, ...]") -> Place:
        """Where the part stands, or the nearest around it that is written out in this file."""
        if self._nodes is None:
            self._nodes = _composed(self._text)
        found = self._nodes
        for step in path:
            below = _below(found, step)
            if below is None:
                break
            found = below
        mark = found.start_mark
        return Place(self.name, mark.line + 1, mark.column + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A value in a document that knows its way from the root."""

    document: ApiDocument
    path: tuple[str | int, ...]
    value: Json

    @property
    def place(self) -> Place:
        """Where it stands. Costs a second reading of the document, once."""
        return self.document.place(self.path)

    @property
    def key(self) -> tuple[str, tuple[str | int, ...]]:
        """What tells it from every other part of every other file."""
        return self.document.name, self.path

    def get(self, key: str) -> "Part | None":
        """The value of a mapping's key, or None where there is none or null."""
        value = self.value.get(key) if isinstance(self.value, Mapping) else None
        return None if value is None else self._below(key, value)

    def items(self) -> "Iterator[tuple[str, Part]]":
        """The entries of a mapping; none for anything else."""
        if isinstance(self.value, Mapping):
            for key, value in self.value.items():
                yield key, self._below(key, value)

    def entries(self) -> "Iterator[Part]":
        """The entries of a list; none for anything else."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield self._below(index, value)

    def text(self, key: str) -> str:
        """The text at a key, or none."""
        value = self.value.get(key) if isinstance(self.value, Mapping) else None
        return value if isinstance(value, str) else ""

    def _below(self, step: str | int, value: Json) -> "Part":
        return Part(document=self.document, path=(*self.path, step), value=value)


class Library:
    """The documents of a configuration directory, each read once. `read` may be shared with other loads."""

    def __init__(
        self, directory: Directory, read: "dict[str, ApiDocument | None]", problems: Problems
    ) -> None:
        self._directory = directory
        self._read = read
        self._problems = problems

    def open(self, node: Node) -> ApiDocument | None:
        """The document that a text names, relative to the file that it stands in; None after noting why."""
        name = self._directory.referenced_name(node)
        if name is None or name not in self._read:
            found = self._directory.referenced_text(node)
            if found is None:
                return None
            name, text = found
            self._read[name] = self._parsed(name, text)
        return self._read[name]

    def _parsed(self, name: str, text: str) -> ApiDocument | None:
        try:
            return ApiDocument(name, text)
        except SyntaxMistake as mistake:
            self._problems.error(Place(name, mistake.line, mistake.column), "yaml-syntax", mistake.message)
            return None

    def followed(self, part: Part) -> Part:
        """The part itself, or what its `$ref` leads to in the end. Raises UnfitError."""
        found = part
        for _ in range(MOST_STEPS):
            reference = found.get("$ref")
            if reference is None:
                return found
            found = self.target(reference)
        raise UnfitError(part, "this $ref leads back to itself")

    def target(self, reference: Part) -> Part:
        """What the text of one `$ref` leads to. Raises UnfitError."""
        if not isinstance(reference.value, str):
            raise UnfitError(reference, 'a $ref is a text such as "#/components/schemas/Order"')
        file, _, pointer = reference.value.partition("#")
        found = (self._other(reference, file) if file else reference.document).root
        for step in unquote(pointer).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            below = _step(found, name)
            if below is None:
                near = did_you_mean(name, [key for key, _ in found.items()])
                raise UnfitError(reference, f'"{reference.value}" leads to nothing{near}')
            found = below
        return found

    def _other(self, reference: Part, file: str) -> ApiDocument:
        if re.match(r"[a-z][a-z0-9+.-]*:", file, re.IGNORECASE):
            raise UnfitError(
                reference, f'"{file}" is on the network, which is never asked; put a copy beside this file'
            )
        path = unquote(file)
        here = Node(value=path, text=path, place=Place(reference.document.name, 1, 1))
        name = self._directory.referenced_name(here)
        known = self._read.get(name) if name is not None else None
        if known is not None:
            return known
        # Where the reference stands is asked only now: it costs a second reading of the document.
        document = self.open(replace(here, place=reference.place))
        if document is None:
            raise ToldError
        return document


def _step(part: Part, name: str) -> Part | None:
    if isinstance(part.value, list):
        return next((entry for entry in part.entries() if str(entry.path[-1]) == name), None)
    return part.get(name)


# Reading


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the collector, which would go through all that is being read again and again (3x the time)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(text: str) -> Json:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, parse_constant=str)
        except (ValueError, RecursionError):
            pass  # YAML says better what is wrong, if it is not YAML in braces
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


# Places


def _composed(text: str) -> yaml.Node:
    """The document's nodes with their marks. YAML knows no halves of surrogate pairs, which JSON writes."""
    with _no_collection():
        try:
            found: yaml.Node | None = yaml.compose(_SURROGATE.sub(_SPACE, text), Loader=_PARSER)
        except yaml.YAMLError:
            found = None
    start = yaml.Mark("", 0, 0, 0, None, 0)
    return found or yaml.ScalarNode("", "", start, start)


def _below(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if getattr(key, "value", None) == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    return None
