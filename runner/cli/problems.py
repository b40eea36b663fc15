"""Shows problems to a person: place, message and rule, and the source line with a caret under its column."""

import re
from collections.abc import Iterable, Mapping, Sequence

from runner.cli.terminal import Style, Terminal, printable
from runner.config.problem import Problem, Severity
from runner.config.reading.characters import split_lines
from runner.model.values import Place
from runner.wording import plural

_WRITTEN_OUT = re.compile(
    r"""(?ix) \b (?: bearer | password | sign | value | api[_-]?key | authorization | client_secret | token
        | webhook_secrets? ) ["']? \s* : \s* ["'\[]* (?! [\s{|>&*"'\[\]] | $)
      | \b (?: sk | whsec | rk | pk ) [-_] [a-z0-9_-]{12}""",
)
"""A key for a credential whose value is neither a template nor a mapping; or a value that looks like one."""
_WIDEST = 160
"""Characters of a line that are shown; of a longer line, those around the column."""


def print_problems(problems: Sequence[Problem], sources: Mapping[str, str], terminal: Terminal) -> None:
    """Write each problem with its source line and a caret. `sources` holds the text of each file."""
    lines = {name: split_lines(text) for name, text in sources.items()}
    # Where a secret may be written out, the line is not shown, whatever else is wrong with it.
    hidden = {(problem.place.file, problem.place.line) for problem in problems if problem.hide_source}
    # A line may be long, and have a problem in each of its words.
    hidden |= {
        (file, line)
        for file, line in {(problem.place.file, problem.place.line) for problem in problems}
        if _may_hold_secret(lines.get(file, []), line)
    }
    for problem in problems:
        _print_message(problem, terminal)
        place = problem.place
        if (place.file, place.line) not in hidden:
            style = Style.ERROR if problem.severity is Severity.ERROR else Style.WARNING
            print_source(place, lines.get(place.file, []), style, terminal)


def counted(problems: Iterable[Problem]) -> str:
    """How many there are, e.g. `1 error and 2 warnings`; nothing where there are none."""
    severities = [problem.severity for problem in problems]
    counts = ((severities.count(severity), severity.value) for severity in Severity)
    return " and ".join(plural(count, noun) for count, noun in counts if count)


def _may_hold_secret(lines: Sequence[str], number: int) -> bool:
    """Whether a secret may be written out in this line, whatever else is wrong with it.

    A file that cannot be read, or a part of it, is not asked what its secrets are; so the line is looked at.
    """
    return number <= len(lines) and _WRITTEN_OUT.search(lines[number - 1]) is not None


def _print_message(problem: Problem, terminal: Terminal) -> None:
    is_error = problem.severity is Severity.ERROR
    place = terminal.styled(printable(str(problem.place)), Style.BOLD)
    severity = "" if is_error else terminal.styled("warning: ", Style.WARNING)
    rule = terminal.styled(f"[{problem.rule}]", Style.DIM)
    terminal.line(f"{place}: {severity}{printable(problem.message)} {rule}")


def print_source(place: Place, lines: Sequence[str], style: Style, terminal: Terminal) -> None:
    """The line of a file that a place is in, and a caret under its column; nothing beyond the file."""
    if place.line > len(lines):
        return
    source, caret = _excerpt(lines[place.line - 1], place.column)
    number, margin = f"{place.line:>5} | ", "      | "
    terminal.line(terminal.styled(number, Style.DIM) + source)
    terminal.line(terminal.styled(margin, Style.DIM) + " " * caret + terminal.styled("^", style))


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """The part of a line around a column, and how far into it that is."""
    start = max(0, column - 1 - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = line[start : start + _WIDEST]
    before = printable(shown[: column - 1 - start])
    left, right = "…" if start else "", "…" if start + _WIDEST < len(line) else ""
    return f"{left}{printable(shown)}{right}", _width(left + before)


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - only a message with a caret needs it

    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text
    )
