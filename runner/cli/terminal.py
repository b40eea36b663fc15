"""Colour and emphasis on a terminal, and plain text everywhere else."""

import os
import sys
from collections.abc import Mapping
from enum import Enum
from typing import TextIO


class Style(Enum):
    """What a piece of text is. The numbers are ECMA-48 SGR parameters."""

    BOLD = "1"
    DIM = "2"
    ERROR = "1;31"
    WARNING = "1;33"
    REMOVED = "31"
    GOOD = "32"
    NAME = "36"


class Terminal:
    """Writes to one stream, in style when a person is looking."""

    def __init__(self, stream: TextIO, *, has_colour: bool) -> None:
        self._stream = stream
        self._has_colour = has_colour

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str] | None = None) -> "Terminal":
        """Colour on a terminal that can show it, unless NO_COLOR (no-color.org) is set."""
        environment = os.environ if environ is None else environ
        may_colour = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        return cls(stream, has_colour=may_colour and stream.isatty())

    def styled(self, text: str, style: Style) -> str:
        """The text in a style, or unchanged where there is no colour."""
        return f"\x1b[{style.value}m{text}\x1b[0m" if self._has_colour and text else text

    def line(self, text: str = "") -> None:
        """Write one line. What the stream's encoding cannot show is escaped."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, errors="backslashreplace").decode(encoding) + "\n")


def printable(text: str) -> str:
    """A text from a user's file or a caller with its control characters escaped.

    A terminal obeys them: it could be made to hide or forge other lines.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def stdout() -> Terminal:
    """Where results go."""
    return Terminal.of(sys.stdout)


def stderr() -> Terminal:
    """Where everything else goes."""
    return Terminal.of(sys.stderr)
