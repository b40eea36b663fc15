"""OpenAPI documents as data: read fast, followed through every `$ref`, with the place of any part on demand.

Large ones have a hundred thousand lines, of which a tool needs fifty. So places are computed only for
mistakes. Never asks the network.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import yaml

from runner.config.checking.suggest import did_you_mean
from runner.config.node import Node
from runner.config.openapi.text import below, composed, read_data
from runner.config.problem import Problems
from runner.config.reading.files import Directory
from runner.config.reading.yaml_syntax import SyntaxMistake
from runner.model.values import Json, Place

MOST_STEPS = 20
"""References to references: more are a circle."""


class UnfitError(Exception):
    """This part of a document cannot become a tool, and why. Never leaves this package."""

    def __init__(self, part: "DocumentPart", message: str) -> None:
        super().__init__(message)
        self.part = part


class AlreadyNotedError(Exception):
    """A part cannot become a tool for a reason that is noted already."""


class ApiDocument:
    """One file: its data, and the place of each part."""

    def __init__(self, name: str, text: str) -> None:
        """Raises SyntaxMistake when the text is neither JSON nor YAML."""
        self.name = name
        self._text = text
        self._nodes: yaml.Node | None = None
        self.root = DocumentPart(document=self, path=(), value=read_data(text))

    def place(self, path: "tuple[str | int, ...]") -> Place:
        """The place of the part, or of the nearest one around it that is literally in this file."""
        if self._nodes is None:
            self._nodes = composed(self._text)
        node = self._nodes
        for step in path:
            inner = below(node, step)
            if inner is None:
                break
            node = inner
        mark = node.start_mark
        return Place(self.name, mark.line + 1, mark.column + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPart:
    """A value in a document that knows its way from the root."""

    document: ApiDocument
    path: tuple[str | int, ...]
    value: Json

    @property
    def place(self) -> Place:
        """Its place. Costs a second reading of the document, once."""
        return self.document.place(self.path)

    @property
    def key(self) -> tuple[str, tuple[str | int, ...]]:
        """Distinguishes it from every other part of every other file."""
        return self.document.name, self.path

    def get(self, key: str) -> "DocumentPart | None":
        """The value of a mapping's key, or None where there is none or null."""
        value = self.value.get(key) if isinstance(self.value, Mapping) else None
        return None if value is None else self._below(key, value)

    def items(self) -> "Iterator[tuple[str, DocumentPart]]":
        """The entries of a mapping; none for anything else."""
        if isinstance(self.value, Mapping):
            for key, value in self.value.items():
                yield key, self._below(key, value)

    def entries(self) -> "Iterator[DocumentPart]":
        """The entries of a list; none for anything else."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield self._below(index, value)

    def text(self, key: str) -> str:
        """The text at a key, or none."""
        value = self.value.get(key) if isinstance(self.value, Mapping) else None
        return value if isinstance(value, str) else ""

    def _below(self, step: str | int, value: Json) -> "DocumentPart":
        return DocumentPart(document=self.document, path=(*self.path, step), value=value)


class Library:
    """The documents of a configuration directory, each read once. Other loads may share `read`."""

    def __init__(
        self, directory: Directory, read: "dict[str, ApiDocument | None]", problems: Problems
    ) -> None:
        self._directory = directory
        self._read = read
        self._problems = problems

    def open(self, node: Node) -> ApiDocument | None:
        """The document that a text names, relative to the text's file; None after noting a problem."""
        name = self._directory.referenced_name(node)
        if name is None or name not in self._read:
            source = self._directory.referenced_text(node)
            if source is None:
                return None
            name, text = source
            self._read[name] = self._parsed(name, text)
        return self._read[name]

    def _parsed(self, name: str, text: str) -> ApiDocument | None:
        try:
            return ApiDocument(name, text)
        except SyntaxMistake as mistake:
            self._problems.error(Place(name, mistake.line, mistake.column), "yaml-syntax", mistake.message)
            return None

    def followed(self, part: DocumentPart) -> DocumentPart:
        """The part itself, or the final target of its `$ref`. Raises UnfitError."""
        current = part
        for _ in range(MOST_STEPS):
            reference = current.get("$ref")
            if reference is None:
                return current
            current = self.target(reference)
        raise UnfitError(part, "this $ref leads back to itself")

    def target(self, reference: DocumentPart) -> DocumentPart:
        """The target of one `$ref`. Raises UnfitError."""
        if not isinstance(reference.value, str):
            raise UnfitError(reference, 'a $ref is a text such as "#/components/schemas/Order"')
        file, _, pointer = reference.value.partition("#")
        target = (self._other(reference, file) if file else reference.document).root
        for step in unquote(pointer).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            below = _step(target, name)
            if below is None:
                near = did_you_mean(name, [key for key, _ in target.items()])
                raise UnfitError(reference, f'"{reference.value}" leads to nothing{near}')
            target = below
        return target

    def _other(self, reference: DocumentPart, file: str) -> ApiDocument:
        if re.match(r"[a-z][a-z0-9+.-]*:", file, re.IGNORECASE):
            raise UnfitError(
                reference, f'"{file}" is on the network, which is never read; put a copy beside this file'
            )
        path = unquote(file)
        here = Node(value=path, text=path, place=Place(reference.document.name, 1, 1))
        name = self._directory.referenced_name(here)
        known = self._read.get(name) if name is not None else None
        if known is not None:
            return known
        # The reference's place is computed only now: it costs a second reading of the document.
        document = self.open(here._replace(place=reference.place))
        if document is None:
            raise AlreadyNotedError
        return document


def _step(part: DocumentPart, name: str) -> DocumentPart | None:
    if isinstance(part.value, list):
        return next((entry for entry in part.entries() if str(entry.path[-1]) == name), None)
    return part.get(name)
