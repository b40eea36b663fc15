"""Where each line of a text value stands in its file, so that what is wrong inside gets its true place."""

from collections.abc import Sequence
from typing import Any

from runner.model.values import Place


def line_places(file: str, lines: Sequence[str], event: Any) -> tuple[Place, ...]:
    """The start of each line of a scalar event's value.

    Block texts (`|`, `>`) get one place per line of the value. Other texts get the place of their first
    character only: how their further lines came about is no longer known.
    """
    start = event.start_mark
    if event.style not in ("|", ">"):
        quote = 1 if event.style in ('"', "'") else 0
        return (Place(file, start.line + 1, start.column + 1 + quote),)
    value_lines = event.value.split("\n")
    body = lines[start.line + 1 :]
    indent = _indentation(body) - _indentation(value_lines)
    starts = range(len(value_lines)) if event.style == "|" else _folded_starts(value_lines, body, indent)
    return tuple(Place(file, start.line + 2 + index, indent + 1) for index in starts)


def _indentation(lines: Sequence[str]) -> int:
    """The spaces before the first line that has more than spaces."""
    first = next((line for line in lines if line.strip(" ")), "")
    return len(first) - len(first.lstrip(" "))


def _folded_starts(value_lines: Sequence[str], body: Sequence[str], indent: int) -> list[int]:
    """For a `>` block: the index in `body` where each line of the value begins."""
    starts = []
    index = 0
    for line in value_lines:
        while line and index < len(body) - 1 and not body[index].strip(" "):
            index += 1
        starts.append(index)
        rest = line
        while rest and index < len(body):
            rest = rest[len(body[index][indent:]) :].removeprefix(" ")
            index += 1
    return starts
