"""Shows the results of scenarios: as text with the differences, as JSON, or as JUnit's XML."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from runner.cli.call_options import time_words
from runner.cli.json_document import VERSION
from runner.cli.problems import print_source
from runner.cli.terminal import Style, Terminal, printable
from runner.config.reading.characters import split_lines
from runner.model.scenario import Scenario
from runner.model.values import Json, Place
from runner.scenario.coverage import Coverage
from runner.scenario.mismatch import Mismatch
from runner.scenario.player import ScenarioResult
from runner.wording import plural

_NOT_WRITTEN = 'nothing is expected yet; "phone-agents test --update" writes what it gets'


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioReport:
    """Everything to report."""

    played: tuple[ScenarioResult, ...]
    coverage: Coverage | None = None
    shows_untouched: bool = False
    min_coverage: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_updated: bool = False
    """Whether results are being written into the files, so that a missing one is not a failure."""

    def failures(self, played: ScenarioResult) -> tuple[Mismatch, ...]:
        """What is wrong with one scenario."""
        if self.is_updated:
            return played.differences
        to_write = (Mismatch(place=one.expectation.place, what=_NOT_WRITTEN) for one in played.to_write)
        return (*played.differences, *to_write)

    @property
    def failed(self) -> int:
        return sum(bool(self.failures(played)) for played in self.played)

    @property
    def is_covered(self) -> bool:
        """Whether the required coverage is reached."""
        return self.coverage is None or self.coverage.percent >= (self.min_coverage or 0.0)

    @property
    def is_passed(self) -> bool:
        return not self.failed and self.is_covered


def summary(report: ScenarioReport, directories: Sequence[Path]) -> str:
    names = ", ".join(f'"{directory}"' for directory in directories)
    scenarios = plural(len(report.played), "scenario")
    result = f"{report.failed} of {scenarios} failed" if report.failed else f"{scenarios} passed"
    summary = f"{result} in {names}"
    if report.coverage is None:
        return summary
    threshold = f", less than {report.min_coverage:g} %" if not report.is_covered else ""
    return f"{summary}; coverage {_percentage(report.coverage)}{threshold}"


def _percentage(coverage: Coverage) -> str:
    """Rounded down, so that 100 % means all."""
    touched = coverage.declared - len(coverage.untouched)
    return f"{int(coverage.percent * 10) / 10:g} % ({touched} of {coverage.declared})"


# Text


def _text(report: ScenarioReport, terminal: Terminal) -> None:
    lines = {name: split_lines(text) for name, text in report.sources.items()}
    for played in report.played:
        failures = report.failures(played)
        for failure in failures:
            _failure(played, failure, lines, terminal)
        if failures:
            terminal.line(f"      played at {_moment(played.scenario)}")
    if report.coverage is not None and report.shows_untouched:
        for one in report.coverage.untouched:
            place = terminal.styled(printable(str(one.place)), Style.BOLD)
            name = f' "{printable(one.name)}"' if one.name else ""
            of = f' of "{one.agent}"' if one.agent else ""
            terminal.line(f"{place}: no scenario covers this {one.kind.value}{name}{of}")


def _moment(scenario: Scenario) -> str:
    return time_words(datetime.fromtimestamp(scenario.at, UTC))


def _failure(
    played: ScenarioResult, failure: Mismatch, lines: Mapping[str, Sequence[str]], terminal: Terminal
) -> None:
    place = terminal.styled(printable(str(failure.place)), Style.BOLD)
    name = printable(played.scenario.name)
    terminal.line(f'{place}: "{name}": {printable(failure.what)}')
    print_source(failure.place, lines.get(failure.place.file, ()), Style.ERROR, terminal)
    for line in failure.lines:
        text = f"      {line.sign} {printable(line.text)}"
        terminal.line(terminal.styled(text, _SIGNS[line.sign]) if line.sign in _SIGNS else text)


_SIGNS = {"-": Style.ERROR, "+": Style.GOOD}


# JSON


def _json(report: ScenarioReport, terminal: Terminal) -> None:
    document = {
        "version": VERSION,
        "scenarios": [
            {
                "name": played.scenario.name,
                **_at(played.scenario.place),
                "at": datetime.fromtimestamp(played.scenario.at, UTC).isoformat(),
                "passed": not report.failures(played),
                "failures": [
                    {
                        "what": failure.what,
                        **_at(failure.place),
                        "diff": [f"{line.sign} {line.text}" for line in failure.lines],
                    }
                    for failure in report.failures(played)
                ],
            }
            for played in report.played
        ],
        "coverage": _coverage_json(report.coverage) if report.coverage is not None else None,
    }
    terminal.line(json.dumps(document, indent=2, ensure_ascii=False))


def _at(place: Place) -> dict[str, Json]:
    return {"file": place.file, "line": place.line, "column": place.column}


def _coverage_json(coverage: Coverage) -> Json:
    return {
        "percent": round(coverage.percent, 2),
        "declared": coverage.declared,
        "untouched": [
            {"kind": one.kind.value, "agent": one.agent or None, "name": one.name or None, **_at(one.place)}
            for one in coverage.untouched
        ],
    }


# JUnit


def _junit(report: ScenarioReport, terminal: Terminal) -> None:
    """One suite a file, one case a scenario: what CI servers read."""
    from xml.etree import ElementTree  # noqa: PLC0415 - only this format needs it

    root = ElementTree.Element("testsuites", name="phone-agents test")
    for file in dict.fromkeys(played.scenario.place.file for played in report.played):
        cases = [played for played in report.played if played.scenario.place.file == file]
        failed = sum(bool(report.failures(played)) for played in cases)
        suite = ElementTree.SubElement(
            root, "testsuite", name=file, tests=str(len(cases)), failures=str(failed), errors="0", skipped="0"
        )
        for played in cases:
            case = ElementTree.SubElement(
                suite, "testcase", name=_xml(played.scenario.name), classname=file, time="0"
            )
            if failures := report.failures(played):
                failure = ElementTree.SubElement(case, "failure", message=_xml(failures[0].what))
                failure.text = _xml("\n".join((*_lines(failures), f"played at {_moment(played.scenario)}")))
    ElementTree.indent(root)
    # In ASCII with character references, which reads the same whatever the encoding of stdout.
    document: bytes = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True)
    terminal.line(document.decode("ascii"))


def _lines(failures: Sequence[Mismatch]) -> Iterator[str]:
    for failure in failures:
        yield f"{failure.place}: {failure.what}"
        yield from (f"  {line.sign} {line.text}" for line in failure.lines)


def _xml(text: str) -> str:
    """XML 1.0 has no place for control characters, escaped or not."""
    return "\n".join(printable(line) for line in text.split("\n"))


FORMATS: Mapping[str, Callable[[ScenarioReport, Terminal], None]] = {
    "text": _text,
    "json": _json,
    "junit": _junit,
}
