"""`phone-agents validate`: every problem of configuration directories at once, without account or network."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.cli.main import OK, PROBLEMS
from runner.cli.terminal import Style, Terminal, printable, stderr, stdout
from runner.config.load import Loaded, load
from runner.config.problem import Problem, Severity
from runner.config.secrets import NeededSecret
from runner.config.yaml_text import split_lines
from runner.model.values import Place

JSON_VERSION = 1
"""Of the document that `--format json` prints. Keys may be added; a change of meaning raises it."""
_WIDEST = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """One directory with everything that is to be told about it."""

    directory: Path
    loaded: Loaded
    problems: tuple[Problem, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "directories",
        nargs="*",
        type=Path,
        default=[Path("agents")],
        metavar="DIR",
        help="configuration directories (default: agents)",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to print (default: text)"
    )


def run(options: argparse.Namespace) -> int:
    """Check each directory. Warnings alone are no failure."""
    checked = [_check(directory, os.environ) for directory in options.directories]
    if options.format == "json":
        _print_json(checked)
    else:
        _print_text(checked, stdout())
    problems = [problem for one in checked for problem in one.problems]
    sys.stdout.flush()  # so that the summary comes last where both go to one place
    stderr().line(_summary(checked, problems))
    return PROBLEMS if any(problem.severity is Severity.ERROR for problem in problems) else OK


def _check(directory: Path, environ: Mapping[str, str]) -> _Checked:
    loaded = load(directory)
    found = (*loaded.problems, *_missing(loaded.secrets, environ))
    return _Checked(
        directory=directory, loaded=loaded, problems=tuple(sorted(found, key=lambda problem: problem.place))
    )


def _missing(secrets: Iterable[NeededSecret], environ: Mapping[str, str]) -> Iterator[Problem]:
    """A warning for each secret that is not there: whoever validates need not be the one who runs."""
    for secret in secrets:
        if secret.ref.env is not None and not environ.get(secret.ref.env):
            message = f'the environment variable "{secret.ref.env}" is not set; "run" needs it'
        elif secret.ref.file is not None and not Path(secret.ref.file).is_file():
            message = f'there is no file "{secret.ref.file}"; "run" needs it'
        else:
            continue
        yield Problem(place=secret.place, rule="secret-missing", message=message, severity=Severity.WARNING)


def _print_json(checked: Iterable[_Checked]) -> None:
    document = {
        "version": JSON_VERSION,
        "problems": [
            {
                "severity": problem.severity.value,
                "rule": problem.rule,
                "message": problem.message,
                "file": problem.place.file,
                "line": problem.place.line,
                "column": problem.place.column,
            }
            for one in checked
            for problem in one.problems
        ],
    }
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _print_text(checked: Iterable[_Checked], terminal: Terminal) -> None:
    for one in checked:
        print_problems(one.problems, one.loaded.sources, terminal)


def print_problems(problems: Sequence[Problem], sources: Mapping[str, str], terminal: Terminal) -> None:
    """Write each problem with its source line and a caret. `sources` holds the text of each file."""
    lines = {name: split_lines(text) for name, text in sources.items()}
    hidden = {(place.file, place.line) for place in _secret_places(problems)}
    for problem in problems:
        _print_message(problem, terminal)
        place = problem.place
        found = lines.get(place.file, [])
        if place.line <= len(found) and (place.file, place.line) not in hidden:
            _print_source(problem, found[place.line - 1], terminal)


def _secret_places(problems: Iterable[Problem]) -> Iterator[Place]:
    """Where a secret may be written out: such lines are not shown, whatever else is wrong with them."""
    return (problem.place for problem in problems if problem.hide_source)


def _print_message(problem: Problem, terminal: Terminal) -> None:
    is_error = problem.severity is Severity.ERROR
    place = terminal.styled(printable(str(problem.place)), Style.BOLD)
    severity = "" if is_error else terminal.styled("warning: ", Style.WARNING)
    rule = terminal.styled(f"[{problem.rule}]", Style.DIM)
    terminal.line(f"{place}: {severity}{printable(problem.message)} {rule}")


def _print_source(problem: Problem, line: str, terminal: Terminal) -> None:
    """The line that a problem stands in, and a caret under its column."""
    source, caret = _excerpt(line, problem.place.column)
    number, margin = f"{problem.place.line:>5} | ", "      | "
    style = Style.ERROR if problem.severity is Severity.ERROR else Style.WARNING
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


def _summary(checked: Iterable[_Checked], problems: Iterable[Problem]) -> str:
    severities = [problem.severity for problem in problems]
    errors, warnings = severities.count(Severity.ERROR), severities.count(Severity.WARNING)
    names = ", ".join(f'"{one.directory}"' for one in checked)
    if errors or warnings:
        counts = [_count(errors, "error")] * bool(errors) + [_count(warnings, "warning")] * bool(warnings)
        return f"{' and '.join(counts)} in {names}"
    agents = sum(len(one.loaded.configuration.agents) for one in checked if one.loaded.configuration)
    return f"{_count(agents, 'agent')} in {names}, no problems"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
