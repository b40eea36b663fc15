"""A YAML value that remembers its place."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from runner.model.values import Json, Place

Scalar: TypeAlias = bool | int | float | str | None
_NO_PLACES: Mapping[str, Place] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRun:
    """From this character of a text value on, the file holds the same characters at `place`.

    Line and column count from 1 within the value. A run ends at the end of a line of the file.
    """

    line: int
    column: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment behind a value, with the whole line that both stand in."""

    place: Place
    line: str


class Node(NamedTuple):
    """One value of a YAML document: a scalar, a sequence or a mapping, each with its place.

    Checks and builders work on nodes, so that every problem has a line and a column. Nodes are plain values:
    merging `defaults` under an agent makes new nodes whose places still point to the file that each part came
    from. A named tuple, since a directory has them by the hundred thousand: a dataclass takes twice as long.
    """

    value: "Scalar | tuple[Node, ...] | dict[str, Node]"
    place: Place
    key_places: Mapping[str, Place] = _NO_PLACES
    """The place of each key of a mapping."""
    text: str = ""
    """A scalar as written (after unquoting), so that digits are never lost."""
    runs: tuple[TextRun, ...] = ()
    """For text: which part of `value` is where in the file, in the order of the text."""
    begins: int | None = None
    """For text on one line of the file, without escapes: the number of characters from `place` to its
    beginning.
    """
    comment: Comment | None = None
    """For a value without quotes: the comment behind it on its line."""

    def get(self, key: str) -> "Node | None":
        """The value of a mapping's key, or None."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """The entries of a mapping; none for anything else."""
        if isinstance(self.value, dict):
            yield from self.value.items()

    def entries(self) -> "tuple[Node, ...]":
        """The entries of a sequence; none for anything else."""
        return self.value if isinstance(self.value, tuple) else ()

    def values(self) -> Iterator["Node"]:
        """The values of a mapping; none for anything else."""
        return (value for _, value in self.items())

    def entries_at(self, *path: str | int) -> "tuple[Node, ...]":
        """The entries of the sequence below by keys and indexes; none for anything else."""
        node = self.find(*path)
        return node.entries() if node is not None else ()

    def items_at(self, *path: str | int) -> Iterator[tuple[str, "Node"]]:
        """The entries of the mapping below by keys and indexes; none for anything else."""
        node = self.find(*path)
        return node.items() if node is not None else iter(())

    def holding(self, value: "Scalar | tuple[Node, ...] | dict[str, Node]") -> "Node":
        """The same node with another value."""
        return self._replace(value=value)

    def find(self, *path: str | int) -> "Node | None":
        """The node below by keys and indexes, or None where there is none."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            if isinstance(step, int):
                entries = node.entries()
                node = entries[step] if -len(entries) <= step < len(entries) else None
            else:
                node = node.get(step)
        return node

    def key_place(self, key: str) -> Place:
        """The place of the key, or the mapping's own."""
        return self.key_places.get(key, self.place)

    def data(self) -> Json:
        """The plain JSON value, without places."""
        if isinstance(self.value, dict):
            return {key: node.data() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.data() for node in self.value]
        return self.value

    def place_in(self, line: int, column: int) -> Place:
        """The place of a character inside a text value; line and column count from 1 within the value.

        Where it is unknown, the place of the whole value.
        """
        if self.begins is not None:
            column = self.place.column + self.begins + column - 1 if line == 1 else self.place.column
            return Place(self.place.file, self.place.line, column)
        first, behind = (
            side(self.runs, line, key=lambda run: run.line) for side in (bisect_left, bisect_right)
        )
        on_line = self.runs[first:behind]
        if not on_line:
            return self.place
        run = next((run for run in reversed(on_line) if run.column <= column), on_line[0])
        return Place(run.place.file, run.place.line, max(1, run.place.column + column - run.column))
