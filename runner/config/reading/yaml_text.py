"""Turns YAML bytes into a Node tree: one document, core schema, every value with its place. Reads no
files."""

import re
from collections.abc import Callable
from operator import attrgetter
from pathlib import PurePath
from typing import Any, NamedTuple

import yaml

from runner.config.node import Comment, Node
from runner.config.problem import Problems
from runner.config.reading.characters import decode, split_lines
from runner.config.reading.yaml_runs import beginning, text_runs
from runner.config.reading.yaml_scalar import plain_scalar
from runner.config.reading.yaml_slips import comment_column, control_escape, open_quote
from runner.config.reading.yaml_syntax import SyntaxMistake, explain, template_needs_quotes
from runner.model.values import Place

MAX_DEPTH = 64
"""How deep values may be nested; no file of the language comes near."""
MAX_ALIASED = 100_000
"""How many values the aliases of one file may stand for: ten lines of them can stand for billions."""

_BASE = ("_", ".", "x-", "base", "common", "shared", "anchors", "template")
"""Usual beginnings of keys that are in a file only to be merged into others."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SURROGATE = re.compile("[\ud800-\udfff]")


def read(file: str, content: bytes, problems: Problems) -> Node | None:
    """The document of one file, or None after noting a problem."""
    try:
        text = decode(content)
        return _Composer(file, text, problems).document()
    except SyntaxMistake as mistake:
        problems.error(Place(file, mistake.line, mistake.column), "yaml-syntax", mistake.message)
        return None


def _beginning(file: str) -> str:
    """How a file of this name begins."""
    if file.endswith((".test.yaml", ".test.yml")):
        return 'a scenario begins with "- name: …"'
    if PurePath(file).name == "runner.yaml":
        return 'settings begin with a key such as "routing:"'
    return 'an agent begins with "agent: ID"'


class _Part(NamedTuple):
    """A value, with the number of its values once aliases are followed, and their depth."""

    node: Node
    size: int = 1
    height: int = 1


_SIZE, _HEIGHT = attrgetter("size"), attrgetter("height")


class _Composer:
    """Builds the tree from the parser's events, which keep the places of keys and the exact text."""

    def __init__(self, file: str, text: str, problems: Problems) -> None:
        self._file = file
        self._text = text
        self._lines = split_lines(text)
        self._problems = problems
        self._next: Callable[[], Any] = _PARSER(text).get_event
        self._anchors: dict[str, _Part | None] = {}
        self._aliased = 0
        self._merged: set[int] = set()
        """The mappings that merge keys name, by identity."""

    def document(self) -> Node:
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            raise explain(error, self._lines) from None
        except yaml.YAMLError as error:
            raise SyntaxMistake(f"this is not YAML: {error}", 1, 1) from None

    def _document(self) -> Node:
        self._next()  # the start of the stream
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            right = _beginning(self._file)
            raise SyntaxMistake(
                f"this file is empty; {right}, and a file that is not needed is removed", 1, 1
            )
        root = self._part(self._next(), 1).node
        self._next()  # the end of the document
        further = self._next()
        if isinstance(further, yaml.DocumentStartEvent):
            raise self._mistake(further, "a second document begins here; a file holds one")
        return self._without_bases(root)

    def _place(self, event: Any) -> Place:
        start = event.start_mark
        return Place(self._file, start.line + 1, start.column + 1)

    def _mistake(self, event: Any, message: str) -> SyntaxMistake:
        return SyntaxMistake(message, event.start_mark.line + 1, event.start_mark.column + 1)

    def _part(self, event: Any, depth: int) -> _Part:
        if depth > MAX_DEPTH:
            raise self._mistake(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._refuse_tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.MappingStartEvent):
            part = self._mapping(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            part = self._sequence(event, depth)
        else:
            part = _Part(node=self._scalar(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = part
        return part

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is None:
            return
        words = self._lines[event.start_mark.line][event.start_mark.column :].split()
        written = next((word for word in words if word.startswith("!")), event.tag)
        self._problems.error(
            self._place(event),
            "yaml-syntax",
            f'the tag "{written}" means nothing here; put text in quotes instead',
        )

    def _alias(self, event: Any, depth: int) -> _Part:
        name = event.anchor
        if name not in self._anchors:
            raise self._mistake(event, f'"*{name}" is an alias of nothing; no "&{name}" comes before it')
        part = self._anchors[name]
        if part is None:
            raise self._mistake(event, f'"*{name}" stands inside what it is an alias of')
        self._aliased += part.size
        if self._aliased > MAX_ALIASED:
            raise self._mistake(event, f"the aliases of this file stand for more than {MAX_ALIASED} values")
        if depth + part.height > MAX_DEPTH + 1:
            raise self._mistake(event, f"nested deeper than {MAX_DEPTH} levels")
        return part

    def _scalar(self, event: Any) -> Node:
        text: str = event.value
        if _SURROGATE.search(text):
            raise self._mistake(
                event, "an escape in this text is not a valid character; write the character itself"
            )
        is_plain = event.implicit[0]
        if event.style:
            self._check_quotes(event)
        begins = beginning(event)
        return Node(
            value=plain_scalar(text) if is_plain else text,
            place=self._place(event),
            text=text,
            runs=text_runs(self._file, self._lines, event) if begins is None else (),
            begins=begins,
            comment=self._comment(event) if is_plain else None,
        )

    def _check_quotes(self, event: Any) -> None:
        mistake = open_quote(event, self._lines)
        if mistake is not None:
            raise mistake
        mistake = control_escape(event, self._lines)
        if mistake is not None:
            place = Place(self._file, mistake.line, mistake.column)
            self._problems.error(place, "yaml-syntax", mistake.message)

    def _comment(self, event: Any) -> Comment | None:
        column = comment_column(event, self._lines)
        if column is None:
            return None
        line = event.end_mark.line
        return Comment(place=Place(self._file, line + 1, column), line=self._lines[line])

    def _sequence(self, event: Any, depth: int) -> _Part:
        parts = []
        while not isinstance(entry := self._next(), yaml.SequenceEndEvent):
            parts.append(self._part(entry, depth + 1))
        return _joined(Node(value=tuple(part.node for part in parts), place=self._place(event)), parts)

    def _mapping(self, event: Any, depth: int) -> _Part:
        parts: dict[str, _Part] = {}
        merged: dict[str, Node] = {}
        key_places: dict[str, Place] = {}
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, key_event)
            value_event = self._next()
            part = self._part(value_event, depth + 1)
            place = self._place(key_event)
            if key == "<<" and not key_event.style:
                merged |= self._merge(place, part.node)
            elif event.flow_style and self._has_no_colon(key_event, value_event):
                self._orphan(key, key_event, parts)
            elif key in parts:
                lines = f"on line {key_places[key].line}"
                if key_places[key].line != place.line:
                    lines += f" and on line {place.line}"
                message = f'the key "{key}" is in this mapping twice, {lines}; keep one of them'
                self._problems.error(place, "duplicate-key", message)
            else:
                parts[key] = part
                key_places[key] = place
        values = {**merged, **{key: part.node for key, part in parts.items()}}
        return _joined(
            Node(value=values, place=self._place(event), key_places=key_places), list(parts.values())
        )

    def _merge(self, place: Place, node: Node) -> dict[str, Node]:
        """Note a merge key. Its content is merged, so that nothing is reported as missing."""
        message = (
            'merge keys ("<<") are not read; write the keys out here, '
            'or put what all agents share under "defaults" in runner.yaml'
        )
        self._problems.error(place, "yaml-syntax", message)
        sources = node.entries() or (node,)
        self._merged |= {id(source) for source in sources}
        return {key: value for source in reversed(sources) for key, value in source.items()}

    def _without_bases(self, root: Node) -> Node:
        """The document without the keys that are in it only to be merged into others."""
        if not self._merged:
            return root
        return root.holding(
            {
                key: value
                for key, value in root.items()
                if not (key.startswith(_BASE) and id(value) in self._merged)
            }
        )

    def _has_no_colon(self, key: Any, value: Any) -> bool:
        """Whether inside braces only a key stands between two commas."""
        start, end = key.end_mark, value.end_mark
        if not isinstance(value, yaml.ScalarEvent) or value.value or value.style or value.anchor:
            return False
        between = self._lines[start.line : end.line + 1]
        if len(between) > end.line - start.line:
            between[-1] = between[-1][: end.column]
        between[0] = between[0][start.column :]
        return not any(":" in line for line in between)

    def _orphan(self, key: str, event: Any, parts: dict[str, _Part]) -> None:
        """Note a key without a value: usually the rest of a text with a comma in it."""
        before = next(reversed(parts), "")
        text = parts[before].node if parts else None
        if text is None or not isinstance(text.value, str) or text.begins != 0:
            raise self._mistake(event, f'"{key}" has no value; write "{key}: …"')
        message = f'inside of braces a comma ends a text; put the whole text of "{before}" in quotes'
        self._problems.error(text.place, "yaml-syntax", message)

    def _key(self, mapping: Any, event: Any) -> str:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event)
            key: str = event.value
            if not event.style and key.startswith("\xa0"):
                message = "a no-break space (U+00A0) in the indentation; YAML indents with plain spaces"
                raise self._mistake(event, message)
            if not event.style and not key:
                raise self._mistake(event, 'a key is missing before ":"')
            if event.anchor is not None:
                self._anchors[event.anchor] = _Part(node=self._scalar(event))
            return key
        start = mapping.start_mark
        if mapping.flow_style and self._text.startswith("{{", start.index):
            raise template_needs_quotes(start.line + 1, start.column + 1)
        if isinstance(event, yaml.AliasEvent):
            raise self._mistake(event, f'"*{event.anchor}" cannot be a key; write the key out')
        raise self._mistake(event, "a key is text; a list or a mapping cannot be one")


def _joined(node: Node, parts: list[_Part]) -> _Part:
    return _Part(
        node=node,
        size=1 + sum(map(_SIZE, parts)),
        height=1 + max(map(_HEIGHT, parts), default=0),
    )
