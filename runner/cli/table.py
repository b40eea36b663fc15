"""A table on a terminal: columns that fit its width, or all of them where nobody looks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.cli.terminal import Style, Terminal, printable

GAP = "  "
SHORTEST = 10
"""Characters of a shortened cell of the last column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. The column with the highest `rank` is left out first; rank 0 stays."""

    title: str
    cells: Sequence[str]
    rank: int = 0
    style: Style | None = None
    styles: Sequence[Style | None] = field(default=())
    """Of each cell, where they differ."""
    is_number: bool = False
    least: int = 0
    """The least width, so that lines printed one by one align."""

    @property
    def width(self) -> int:
        """Characters of the longest cell, or of the title."""
        return max(self.least, *map(len, (self.title, *self.cells)))


def print_table(
    columns: Sequence[Column], terminal: Terminal, width: int | None, *, has_title: bool = True
) -> None:
    """Print the columns that fit into `width` characters; all of them, and whole, where that is None.

    What still does not fit is cut from the beginning of the last column's cells.
    """
    shown = fitting(columns, width)
    *_, last = shown
    room = None if width is None else width - sum(column.width + len(GAP) for column in shown[:-1])
    if has_title:
        head = GAP.join(_aligned(column.title, column) for column in shown).rstrip()
        terminal.line(terminal.styled(head, Style.DIM))
    for row in range(len(last.cells)):
        parts = []
        for column in shown:
            cell = printable(column.cells[row])
            if column is last and room is not None and len(cell) > room:
                cell = f"…{cell[1 - max(room, SHORTEST) :]}"
            text = cell if column is last else _aligned(cell, column)
            style = column.styles[row] if column.styles else column.style
            parts.append(text if style is None else terminal.styled(text, style))
        terminal.line(GAP.join(parts).rstrip())


def fitting(columns: Sequence[Column], width: int | None) -> list[Column]:
    """The columns without those for which there is no room, and those that are empty."""
    shown = [column for column in columns if column.rank == 0 or any(column.cells)]
    while width is not None and sum(column.width + len(GAP) for column in shown[:-1]) + SHORTEST > width:
        least = max(shown, key=lambda column: column.rank)
        if least.rank == 0:
            break
        shown.remove(least)
    return shown


def _aligned(text: str, column: Column) -> str:
    return f"{text:>{column.width}}" if column.is_number else f"{text:<{column.width}}"
