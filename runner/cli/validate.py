"""`phone-agents validate`: every problem of configuration directories at once, without account or network."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.cli.environment import add_environment
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.terminal import stderr, stdout
from runner.config.load import Loaded, load, load_everywhere
from runner.config.problem import Problem, Severity
from runner.config.secrets import NeededSecret

JSON_VERSION = 1
"""Of the document that `--format json` prints. Keys may be added; a change of meaning raises it."""


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
    add_environment(parser, otherwise="runner.yaml as it stands, and each environment")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to print (default: text)"
    )


def run(options: argparse.Namespace) -> int:
    """Check each directory. Warnings alone are no failure."""
    checked = [_check(directory, options.environment, os.environ) for directory in options.directories]
    if options.format == "json":
        _print_json(checked)
    else:
        for one in checked:
            print_problems(one.problems, one.loaded.sources, stdout())
    problems = [problem for one in checked for problem in one.problems]
    sys.stdout.flush()  # so that the summary comes last where both go to one place
    stderr().line(_summary(checked, problems))
    return PROBLEMS if any(problem.severity is Severity.ERROR for problem in problems) else OK


def _check(directory: Path, environment: str | None, environ: Mapping[str, str]) -> _Checked:
    loaded = load_everywhere(directory) if environment is None else load(directory, environment)
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
