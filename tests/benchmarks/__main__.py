"""All benchmarks in one table: `python -m tests.benchmarks [NAME…]`. Exit code 1 when one is over its limit.

A benchmark is a file of this folder with a function `rows() -> Iterable[Row]`; NAME is the file's name.
"""

import sys
from importlib import import_module
from pathlib import Path

from tests.benchmarks.row import Row

WIDTHS = (44, 12, 12, 8, 8)


def main(wanted: list[str]) -> int:
    """Run the benchmarks of these names, or all; the process's exit code."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    names = [file.stem for file in files if "def rows()" in file.read_text(encoding="utf-8")]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        print(f'there is no benchmark "{unknown[0]}"; there are {", ".join(names)}', file=sys.stderr)
        return 2
    show(("", "floor", "ours", "ratio", "limit"))
    kept = True
    for name in wanted or names:
        for row in import_module(f"tests.benchmarks.{name}").rows():
            show_row(row)
            kept = kept and row.holds
    return 0 if kept else 1


def show_row(row: Row) -> None:
    """One measurement as a line of the table."""
    floor = "" if row.floor is None else f"{row.floor:.4g} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    limit = "" if row.limit is None else f"{row.limit:g}"
    cells = (row.name, floor, f"{row.ours:.4g} {row.unit}", ratio, limit)
    show(cells, "" if row.holds else "  over its limit")


def show(cells: tuple[str, ...], verdict: str = "") -> None:
    """One line of the table: a name, then figures."""
    name, *figures = (cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    print(name.strip().ljust(WIDTHS[0]) + "".join(figures) + verdict, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
