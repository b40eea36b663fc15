"""Problems as JUnit XML, which pipelines show as tests: one for each problem, and one for each file
without."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from runner.cli.report import ValidationReport
from runner.cli.terminal import printable
from runner.config.problem import Problem


def rendered(reports: Sequence[ValidationReport]) -> str:
    """The document, in ASCII with character references."""
    root = Element("testsuites", name="phone-agents validate")
    for report in reports:
        _suite(root, report)
    indent(root)
    document: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return document.decode("ascii")


def _suite(root: Element, report: ValidationReport) -> None:
    clean = sorted(set(report.sources) - {problem.place.file for problem in report.problems})
    failures = sum(map(report.fails, report.problems))
    tests = len(report.problems) + len(clean)
    counts = {"tests": str(tests), "failures": str(failures), "errors": "0"}
    suite = SubElement(root, "testsuite", {"name": report.directory, **counts})
    for problem in report.problems:
        _case(suite, report, problem)
    for file in clean:
        SubElement(suite, "testcase", classname=printable(file), name="no problems")


def _case(suite: Element, report: ValidationReport, problem: Problem) -> None:
    """XML has no control characters, not even as references."""
    place, message = problem.place, printable(problem.message)
    name = f"{problem.rule} at {place.line}:{place.column}"
    case = SubElement(suite, "testcase", classname=printable(place.file), name=name)
    line = printable(str(problem))
    if report.fails(problem):
        SubElement(case, "failure", type=problem.rule, message=message).text = line
    else:
        SubElement(case, "system-out").text = f"{problem.severity.value}: {line}"
