"""Problems as SARIF 2.1.0 (OASIS), which code scanning of several hosts reads."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from runner import __version__
from runner.cli.report import ValidationReport
from runner.config.checking.rules import RULES
from runner.config.problem import Problem
from runner.model.values import JsonObject

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def rendered(reports: Sequence[ValidationReport]) -> str:
    """The document: one run, with the rules that it mentions."""
    problems = [problem for report in reports for problem in report.problems]
    rules = sorted({problem.rule for problem in problems})
    driver = {"name": "phone-agents", "version": __version__, "rules": [_rule(name) for name in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, rules) for problem in problems],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(name: str) -> JsonObject:
    rule = RULES[name]
    return {
        "id": name,
        "shortDescription": {"text": rule.help},
        "help": {"text": f"{rule.help} Found in the pass that checks {rule.step.value}."},
        "properties": {"tags": [rule.step.value]},
    }


def _result(problem: Problem, rules: Sequence[str]) -> JsonObject:
    region = {"startLine": problem.place.line, "startColumn": problem.place.column}
    location = {"artifactLocation": {"uri": _uri(problem.place.file)}, "region": region}
    return {
        "ruleId": problem.rule,
        "ruleIndex": rules.index(problem.rule),
        "level": problem.severity.value,
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    """Relative to the working directory, which in a pipeline is the repository's root."""
    return Path(file).as_uri() if PurePosixPath(file).is_absolute() else quote(file)
