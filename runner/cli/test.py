"""`phone-agents test`: plays the scenarios of configuration directories offline, and shows differences."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from runner.api.realtime import api as realtime
from runner.cli.json_document import add_format
from runner.cli.main import OK, PROBLEMS
from runner.cli.problems import print_problems
from runner.cli.terminal import stderr, stdout
from runner.cli.test_report import FORMATS, ScenarioReport, summary
from runner.cli.test_update import update
from runner.config.checking.suggest import did_you_mean
from runner.config.load import load
from runner.config.loaded import Loaded
from runner.config.problem import has_errors
from runner.errors import UsageError
from runner.model.scenario import Scenario
from runner.scenario.coverage import Coverage, Use, coverage
from runner.scenario.player import Player, ScenarioResult


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directories",
        nargs="*",
        type=Path,
        default=[Path("agents")],
        metavar="DIR",
        help="configuration directories (default: agents)",
    )
    parser.add_argument(
        "--run",
        dest="pattern",
        metavar="PATTERN",
        help="play only scenarios whose name contains this; * stands for anything",
    )
    parser.add_argument(
        "--coverage", action="store_true", help="show what is declared but not covered by any scenario"
    )
    parser.add_argument(
        "--min-coverage",
        type=_percent,
        metavar="PERCENT",
        help="fail if less than this share of what is declared is covered",
    )
    parser.add_argument(
        "--environment", metavar="NAME", help="play the scenarios in this environment of runner.yaml"
    )
    parser.add_argument(
        "--update", action="store_true", help='fill in the actual result where a scenario has "expect: ..."'
    )
    add_format(parser, tuple(FORMATS))


def run(options: argparse.Namespace) -> int:
    """Play each directory's scenarios. Raises UsageError and CannotRunError."""
    if options.min_coverage is not None and options.pattern is not None:
        raise UsageError("--min-coverage is about all scenarios, and --run plays only some of them")
    loaded = [load(directory, options.environment) for directory in options.directories]
    if _print_errors(loaded):
        return PROBLEMS
    selected = [_selected(one.scenarios, options.pattern) for one in loaded]
    empty = [
        directory for directory, one in zip(options.directories, loaded, strict=True) if not one.scenarios
    ]
    if empty:
        stderr().line(
            f"there is no scenario in {_names(empty)}; scenarios are in files that end in .test.yaml"
        )
        return PROBLEMS
    if not any(selected):
        stderr().line(_nothing(loaded, options))
        return PROBLEMS
    places = [_everywhere(*each) for each in zip(options.directories, loaded, selected, strict=True)]
    if _print_errors([one for everywhere in places for one in everywhere.values()]):
        return PROBLEMS
    played = [list(_play(*each)) for each in zip(places, selected, strict=True)]
    touched = [frozenset[Use]().union(*(one.uses for one in found)) for found in played]
    wants_coverage = options.coverage or options.min_coverage is not None
    report = ScenarioReport(
        played=tuple(one for found in played for one in found),
        coverage=_coverage(loaded, touched) if wants_coverage else None,
        shows_untouched=options.coverage,
        min_coverage=options.min_coverage,
        sources=_sources(loaded),
        is_updated=options.update,
    )
    FORMATS[options.format](report, stdout())
    sys.stdout.flush()  # so that the summary comes last where both go to one place
    if options.update:
        update(report, stdout() if options.format == "text" else stderr())
    stderr().line(summary(report, options.directories))
    return OK if report.is_passed else PROBLEMS


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f'"{text}" is not a percentage; write a number from 0 to 100')
    return value


def _selected(scenarios: Sequence[Scenario], pattern: str | None) -> list[Scenario]:
    """The scenarios whose name contains the pattern, in any case."""
    if pattern is None:
        return list(scenarios)
    glob = "*".join(("", *(part.replace("[", "[[]") for part in pattern.lower().split("*")), ""))
    return [
        scenario for scenario in scenarios if fnmatchcase(scenario.name.lower(), glob.replace("?", "[?]"))
    ]


def _nothing(loaded: Iterable[Loaded], options: argparse.Namespace) -> str:
    known = [scenario.name for one in loaded for scenario in one.scenarios]
    hint = did_you_mean(options.pattern, known)
    return f'no scenario in {_names(options.directories)} has "{options.pattern}" in its name{hint}'


def _names(directories: Iterable[Path]) -> str:
    return ", ".join(f'"{directory}"' for directory in directories)


def _everywhere(directory: Path, loaded: Loaded, scenarios: Iterable[Scenario]) -> dict[str | None, Loaded]:
    """The directory in each environment that a scenario names, and in that of the command line."""
    named = dict.fromkeys(scenario.environment for scenario in scenarios if scenario.environment is not None)
    return {None: loaded, **{name: load(directory, name) for name in named}}


def _play(places: Mapping[str | None, Loaded], scenarios: Iterable[Scenario]) -> Iterator[ScenarioResult]:
    """Each scenario in the environment that it names, or in that of the command line."""
    players = {name: Player(one.configuration, realtime) for name, one in places.items() if one.configuration}
    for scenario in scenarios:
        yield players[scenario.environment].play(scenario)


def _print_errors(loaded: Sequence[Loaded]) -> bool:
    """Print the problems of configurations and scenarios that cannot be used; returns whether there are
    any."""
    wrong = [one for one in loaded if one.configuration is None or has_errors(one.scenario_problems)]
    problems = dict.fromkeys(problem for one in wrong for problem in one.all_problems)
    print_problems(list(problems), _sources(wrong), stderr())
    return bool(wrong)


def _coverage(loaded: Sequence[Loaded], touched: Sequence[frozenset[Use]]) -> Coverage:
    """Over all directories: only its own scenarios cover what a directory declares."""
    coverages = [coverage(one.declared, mine) for one, mine in zip(loaded, touched, strict=True)]
    untouched = tuple(each for one in coverages for each in one.untouched)
    return Coverage(declared=sum(one.declared for one in coverages), untouched=untouched)


def _sources(loaded: Iterable[Loaded]) -> dict[str, str]:
    return {name: text for one in loaded for name, text in one.sources.items()}
