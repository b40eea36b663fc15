"""Maps parts of a text value to their places in the file, so that mistakes inside it get their true place."""

from collections.abc import Sequence
from typing import Any

from runner.config.node import TextRun
from runner.model.values import Place

_BLANK = " \t"


def beginning(event: Any) -> int | None:
    """How many characters after a scalar event's place its value begins, if it is literally in the file.

    That is so on one line, without an escape or a doubled quote. None: see `text_runs`.
    """
    start, end, quoted = event.start_mark, event.end_mark, 1 if event.style else 0
    is_whole = start.line == end.line and end.column - start.column == len(event.value) + 2 * quoted
    return quoted if is_whole and event.style not in ("|", ">") else None


def text_runs(file: str, lines: Sequence[str], event: Any) -> tuple[TextRun, ...]:
    """The runs of a scalar event's value: each is a piece of one line of the file.

    However YAML joins lines (`|`, `>`, plain or quoted over several lines), it changes white space only. So
    the words of the value are those of the file, in the same order. The runs end where that no longer holds:
    at an escape in quotes.
    """
    value: str = event.value
    is_block = event.style in ("|", ">")
    index = event.start_mark.line + (1 if is_block else 0)
    column = 0 if is_block else event.start_mark.column + (1 if event.style in ('"', "'") else 0)
    runs: list[TextRun] = []
    line, line_start, position = 1, 0, 0
    while index < len(lines):
        column += _blanks(lines[index], column, _BLANK)
        words = lines[index][column:].rstrip(_BLANK)
        if words:
            after = position + _blanks(value, position, _BLANK + "\n")
            line += value.count("\n", position, after)
            line_start = max(line_start, value.rfind("\n", position, after) + 1)
            position = after
            same = _in_common(words, value, position)
            if same:
                place = Place(file, index + 1, column + 1)
                runs.append(TextRun(line=line, column=position - line_start + 1, place=place))
            position += same
            if same < len(words):
                break
        index, column = index + 1, 0
    return tuple(runs)


def _blanks(text: str, start: int, blanks: str) -> int:
    """How many of these characters follow."""
    end = start
    while end < len(text) and text[end] in blanks:
        end += 1
    return end - start


def _in_common(words: str, value: str, position: int) -> int:
    """How many characters of the words match the value at this position."""
    there = value[position : position + len(words)]
    if words.startswith(there):
        return len(there)
    return next(index for index, (left, right) in enumerate(zip(words, there, strict=False)) if left != right)
