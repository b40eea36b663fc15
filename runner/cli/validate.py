"""`phone-agents validate`: shows every problem of configuration directories, without account or network."""

import argparse
import gc
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from runner.cli.environment import add_environment
from runner.cli.json_document import add_format
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import counted, print_problems
from runner.cli.report import ValidationReport
from runner.cli.terminal import stderr, stdout
from runner.cli.unsaved import Unsaved, read_unsaved
from runner.config.building.secrets import NeededSecret
from runner.config.checking.review import review
from runner.config.load import load, load_everywhere
from runner.config.loaded import Loaded
from runner.config.problem import Problem, Severity
from runner.wording import plural

FORMATS = ("text", "json", "github", "sarif", "junit")
"""Each but `text` has a module `runner.cli.problems_…`, whose `rendered` makes the whole document."""

_DEFAULT = Path("agents")
_KEPT = (
    "note: records of calls are kept until somebody deletes them; "
    'write "records: {keep: 90d}" in runner.yaml to delete them after 90 days'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """One directory, and its report."""

    loaded: Loaded
    report: ValidationReport


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directories",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="configuration directories (default: agents)",
    )
    add_environment(parser, otherwise="runner.yaml alone, and each environment")
    parser.add_argument(
        "--no-environment",
        dest="asks_environment",
        action="store_false",
        help="do not check whether the secrets' variables and files exist on this machine",
    )
    parser.add_argument("--deny-warnings", action="store_true", help="exit with 1 for warnings, too")
    add_format(parser, FORMATS)
    parser.add_argument(
        "--stdin-filename",
        type=Path,
        metavar="FILE",
        help="check this file with the content read from stdin, and print only its problems",
    )


def run(options: argparse.Namespace) -> int:
    """Check each directory. Warnings alone are not a failure unless they are denied."""
    directories: list[Path] = options.directories
    unsaved = read_unsaved(options.stdin_filename, directories) if options.stdin_filename else None
    directories = [unsaved.directory] if unsaved is not None else directories or [_DEFAULT]
    # Loading makes very many values and hardly any garbage, which would be searched for all the time.
    gc.disable()
    try:
        checked = [_check(directory, unsaved, options, os.environ) for directory in directories]
    finally:
        gc.freeze()  # or the rest would be searched at the end, for nothing
        gc.enable()
    reports = [one.report for one in checked]
    _print(reports, options.format)
    sys.stdout.flush()  # so that the summary comes last where both go to one place
    if any(_keeps_for_ever(one.loaded) for one in checked):
        stderr().line(_KEPT)
    stderr().line(_summary(checked))
    return PROBLEMS if any(report.has_failed for report in reports) else OK


def _check(
    directory: Path, unsaved: Unsaved | None, options: argparse.Namespace, environ: Mapping[str, str]
) -> _Checked:
    texts = {unsaved.name: unsaved.content} if unsaved is not None else {}
    if unsaved is not None and unsaved.is_alone:
        loaded = load(directory, options.environment, texts, only_unsaved=True)
        problems = loaded.all_problems
    elif options.environment is None:
        loaded = load_everywhere(directory, texts)
        problems = loaded.all_problems
    else:
        loaded = load(directory, options.environment, texts)
        problems = (*loaded.all_problems, *review([loaded]))
    if options.asks_environment:
        problems = (*problems, *_missing(loaded.secrets, environ))
    report = ValidationReport(
        directory=str(directory),
        problems=tuple(sorted(problems, key=lambda problem: problem.place)),
        sources=loaded.sources,
        denies_warnings=options.deny_warnings,
    )
    return _Checked(loaded=loaded, report=report if unsaved is None else report.of_file(unsaved.name))


def _missing(secrets: Iterable[NeededSecret], environ: Mapping[str, str]) -> Iterator[Problem]:
    """A warning for each missing secret: the machine that validates need not be the one that runs."""
    for secret in secrets:
        if secret.ref.env is not None and not environ.get(secret.ref.env):
            message = f'the environment variable "{secret.ref.env}" is not set; "run" needs it'
        elif secret.ref.file is not None and not os.path.isfile(secret.ref.file):  # noqa: PTH113 - never raises
            message = f'there is no file "{secret.ref.file}"; "run" needs it'
        else:
            continue
        yield Problem(place=secret.place, rule="secret-missing", message=message, severity=Severity.WARNING)


def _print(reports: Sequence[ValidationReport], name: str) -> None:
    if name == "text":
        for report in reports:
            print_problems(report.problems, report.sources, stdout())
        return
    document: str = import_module(f"runner.cli.problems_{name}").rendered(reports)
    if document:
        stdout().line(document)


def _summary(checked: Sequence[_Checked]) -> str:
    reports = [one.report for one in checked]
    names = ", ".join(f'"{report.directory}"' for report in reports)
    counts = counted(problem for report in reports for problem in report.problems)
    if counts:
        return f"{counts} in {names}"
    agents = sum(len(one.loaded.configuration.agents) for one in checked if one.loaded.configuration)
    return f"{plural(agents, 'agent')} in {names}, no problems"


def _keeps_for_ever(loaded: Loaded) -> bool:
    """Whether runner.yaml leaves open how long records are kept. That is legal, so it is not a warning."""
    configuration = loaded.configuration
    return (
        configuration is not None
        and loaded.runner is not None
        and configuration.settings.records.keep_s is None
    )
