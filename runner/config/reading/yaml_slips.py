"""Finds valid YAML that is probably a mistake: a quote that is closed lines later, an escape in a pattern.

Works on one scalar event of the parser and its lines. Changes no value.
"""

import re
from collections.abc import Sequence
from typing import Any

from runner.config.reading.yaml_syntax import SyntaxMistake

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that nobody says, and that no pattern looks for."""

_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_NAMES = {
    "0": "a null character",
    "a": "a bell",
    "b": "a backspace",
    "e": "an escape character",
    "f": "a form feed",
    "v": "a vertical tab",
    "N": "a next-line character",
    "L": "a line separator",
    "P": "a paragraph separator",
}
_DASHES = re.compile(r" *(?:- +)*")
_COMMENT = re.compile(r"\s+#")


def open_quote(event: Any, lines: Sequence[str]) -> SyntaxMistake | None:
    """Reports a quoted text that includes lines which are not part of it: its quote was left open.

    YAML 1.2.2, 7.3: the further lines of a quoted text are indented deeper than its key. The parsers are more
    lenient, and find the mistake at the next quote of the file, if at all.
    """
    first, last = event.start_mark, event.end_mark
    if event.style not in ("'", '"') or first.line == last.line:
        return None
    column = _parent_column(lines[first.line], first.column)
    for line in lines[first.line + 1 : last.line + 1]:
        if line.strip() and len(line) - len(line.lstrip(" ")) <= column:
            message = f"this quote is closed only on line {last.line + 1}; close it at the end of its text"
            return SyntaxMistake(message, first.line + 1, first.column + 1)
    return None


def control_escape(event: Any, lines: Sequence[str]) -> SyntaxMistake | None:
    """Reports an escape in double quotes that stands for a control character, as `\\b` of a pattern does."""
    if event.style != '"' or not CONTROL.search(event.value):
        return None
    first, last = event.start_mark, event.end_mark
    for index in range(first.line, last.line + 1):
        for match in _ESCAPE.finditer(lines[index], first.column if index == first.line else 0):
            name = _NAMES.get(match.group(1)) or _numbered(match.group(1))
            if name:
                right = "use single quotes, or double the backslash"
                message = f'"{match.group()}" in double quotes is {name}; {right}'
                return SyntaxMistake(message, index + 1, match.start() + 1)
    return None


def _numbered(escape: str) -> str:
    """The control character of a numeric escape, if it is one."""
    is_control = len(escape) > 1 and CONTROL.match(chr(int(escape[1:], 16)))
    return "a control character" if is_control else ""


def comment_column(event: Any, lines: Sequence[str]) -> int | None:
    """The column of the comment behind a plain scalar on its line, counted from 1; None without one."""
    end = event.end_mark
    rest = lines[end.line][end.column :] if end.line < len(lines) else ""
    comment = _COMMENT.match(rest) if rest else None
    return end.column + comment.end() if comment else None


def _parent_column(line: str, column: int) -> int:
    """The column, from 0, of the key or dash to which a scalar at this column belongs."""
    before = _DASHES.match(line)
    key = before.end() if before else 0
    return key if key < column else line.rfind("-", 0, column)
