"""Problems as a JSON document for programs. schemas/problems.schema.json describes it."""

import json
from collections.abc import Sequence

from runner.cli.report import ValidationReport
from runner.config.checking.rules import pass_of
from runner.config.problem import Problem
from runner.model.values import JsonObject

VERSION = 1
"""Keys may be added; a change of meaning raises it."""


def rendered(reports: Sequence[ValidationReport]) -> str:
    """The document, in ASCII, whatever the encoding of the pipe."""
    problems = [_entry(problem) for report in reports for problem in report.problems]
    return json.dumps({"version": VERSION, "problems": problems}, indent=2)


def _entry(problem: Problem) -> JsonObject:
    return {
        "severity": problem.severity.value,
        "pass": pass_of(problem.rule).value,
        "rule": problem.rule,
        "message": problem.message,
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
    }
