"""Problems as workflow commands of GitHub Actions, which shows them beside the lines of a pull request."""

from collections.abc import Sequence

from runner.cli.report import ValidationReport
from runner.cli.terminal import printable
from runner.config.problem import Problem

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = {**_DATA, **str.maketrans({":": "%3A", ",": "%2C"})}
"""As the toolkit of GitHub's actions escapes them (packages/core/src/command.ts)."""


def rendered(reports: Sequence[ValidationReport]) -> str:
    """One command for each problem."""
    return "\n".join(_command(problem) for report in reports for problem in report.problems)


def _command(problem: Problem) -> str:
    place = problem.place
    properties = {"file": place.file, "line": place.line, "col": place.column, "title": problem.rule}
    written = ",".join(f"{name}={str(value).translate(_PROPERTY)}" for name, value in properties.items())
    return printable(f"::{problem.severity.value} {written}::{problem.message.translate(_DATA)}")
