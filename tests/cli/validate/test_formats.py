"""The documents of `phone-agents validate --format`, and that what a file says stays data in them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft4Validator, Draft202012Validator

from runner import __version__
from runner.cli.main import main
from runner.cli.report import ValidationReport
from runner.cli.validate import FORMATS
from runner.config.checking.schema_files import schema
from runner.config.problem import Problem
from runner.model.values import Place
from tests.cli.validate.agent import AGENT

SARIF = json.loads((Path(__file__).parents[1] / "fixtures" / "sarif-2.1.0.schema.json").read_text())


def test_json_names_every_problem_in_a_versioned_document(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "desk.yaml").write_text(AGENT + "voise: x\nlimits: {max_duration: 2h}\n")
    assert main(["validate", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "problems": [
            {
                "severity": "error",
                "pass": "schema",
                "rule": "unknown-key",
                "message": 'unknown key "voise"; did you mean "voice"?',
                "file": "agents/desk.yaml",
                "line": 5,
                "column": 1,
            },
            {
                "severity": "warning",
                "pass": "schema",
                "rule": "never-reached",
                "message": '"2h" is never reached: the voice API ends every call after 60 minutes',
                "file": "agents/desk.yaml",
                "line": 6,
                "column": 24,
            },
        ],
    }


def test_json_without_problems_is_an_empty_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    assert main(["validate", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "problems": []}


def wrong(folder: Path) -> None:
    """A directory with an error, a warning and a file without problems."""
    (folder / "a,b 100%.yaml").write_text(AGENT + "voise: x\nlimits: {max_duration: 2h}\n")
    (folder / "runner.yaml").write_text("store: sqlite:calls.db\n")


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code and all of stdout; stderr has the summary alone."""
    code = main(["validate", *arguments])
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    return code, printed.out


def test_the_json_document_is_as_its_schema_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong(folder)
    validator = Draft202012Validator(schema("problems"))
    found = json.loads(document(capsys, "--format", "json")[1])
    assert len(found["problems"]) == 2
    assert list(validator.iter_errors(found)) == []
    del found["problems"][0]["pass"]
    assert [error.message for error in validator.iter_errors(found)] == ["'pass' is a required property"]


def test_github_is_told_by_workflow_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong(folder)
    assert document(capsys, "--format", "github") == (
        1,
        "::error file=agents/a%2Cb 100%25.yaml,line=5,col=1,title=unknown-key::"
        'unknown key "voise"; did you mean "voice"?\n'
        "::warning file=agents/a%2Cb 100%25.yaml,line=6,col=24,title=never-reached::"
        '"2h" is never reached: the voice API ends every call after 60 minutes\n',
    )


def test_line_ends_and_percent_signs_cannot_end_a_workflow_command() -> None:
    from runner.cli.problems_github import rendered

    problem = Problem(place=Place("a:b\n.yaml", 1, 2), rule="file", message="100%: a,\r\nb")
    assert rendered([ValidationReport(directory="d", problems=(problem,), sources={})]) == (
        "::error file=a%3Ab%0A.yaml,line=1,col=2,title=file::100%25: a,%0D%0Ab"
    )


def test_sarif_is_valid_and_explains_its_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong(folder)
    code, printed = document(capsys, "--format", "sarif")
    found = json.loads(printed)
    assert code == 1
    assert list(Draft4Validator(SARIF).iter_errors(found)) == []
    uri = "agents/a%2Cb%20100%25.yaml"
    within = "A declared time can be reached within the time of what contains it."
    known = "Every key is known: a mistyped one would be silently ignored."
    assert found == {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "phone-agents",
                        "version": __version__,
                        "rules": [
                            {
                                "id": "never-reached",
                                "shortDescription": {"text": within},
                                "help": {"text": f"{within} Found in the pass that checks schema."},
                                "properties": {"tags": ["schema"]},
                            },
                            {
                                "id": "unknown-key",
                                "shortDescription": {"text": known},
                                "help": {"text": f"{known} Found in the pass that checks schema."},
                                "properties": {"tags": ["schema"]},
                            },
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": "unknown-key",
                        "ruleIndex": 1,
                        "level": "error",
                        "message": {"text": 'unknown key "voise"; did you mean "voice"?'},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": uri},
                                    "region": {"startLine": 5, "startColumn": 1},
                                }
                            }
                        ],
                    },
                    {
                        "ruleId": "never-reached",
                        "ruleIndex": 0,
                        "level": "warning",
                        "message": {
                            "text": '"2h" is never reached: the voice API ends every call after 60 minutes'
                        },
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": uri},
                                    "region": {"startLine": 6, "startColumn": 24},
                                }
                            }
                        ],
                    },
                ],
            }
        ],
    }


def test_sarif_without_problems_is_a_run_without_results(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    code, printed = document(capsys, "--format", "sarif")
    found = json.loads(printed)
    assert code == 0
    assert found["runs"][0]["results"] == []
    assert list(Draft4Validator(SARIF).iter_errors(found)) == []


def test_sarif_names_files_elsewhere_by_their_whole_address(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong(folder)
    found = json.loads(document(capsys, str(folder.resolve()), "--format", "sarif")[1])
    location = found["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == (folder.resolve() / "a,b 100%.yaml").as_uri()


@pytest.mark.parametrize("denied", [[], ["--deny-warnings"]])
def test_junit_has_a_test_for_each_problem_and_each_file_without(
    folder: Path, capsys: pytest.CaptureFixture[str], denied: list[str]
) -> None:
    wrong(folder)
    code, printed = document(capsys, "--format", "junit", *denied)
    told = '"2h" is never reached: the voice API ends every call after 60 minutes'
    warning = (
        f"""<failure type="never-reached" message="{told.replace('"', "&quot;")}">"""
        f"agents/a,b 100%.yaml:6:24: {told} [never-reached]</failure>"
        if denied
        else f"<system-out>warning: agents/a,b 100%.yaml:6:24: {told} [never-reached]</system-out>"
    )
    assert code == 1
    ElementTree.fromstring(printed)
    assert (
        printed
        == f"""\
<?xml version='1.0' encoding='us-ascii'?>
<testsuites name="phone-agents validate">
  <testsuite name="agents" tests="3" failures="{2 if denied else 1}" errors="0">
    <testcase classname="agents/a,b 100%.yaml" name="unknown-key at 5:1">
      <failure type="unknown-key" message="unknown key &quot;voise&quot;; did you mean &quot;voice&quot;?">\
agents/a,b 100%.yaml:5:1: unknown key "voise"; did you mean "voice"? [unknown-key]</failure>
    </testcase>
    <testcase classname="agents/a,b 100%.yaml" name="never-reached at 6:24">
      {warning}
    </testcase>
    <testcase classname="agents/runner.yaml" name="no problems" />
  </testsuite>
</testsuites>
"""
    )


@pytest.mark.parametrize("name", FORMATS)
def test_in_every_format_what_a_file_says_stays_data(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / "desk.yaml").write_text(AGENT + '"<&]]>\\u0007\\x1b[31m\\u202e\\u00fc\\n::error::x": y\n')
    code, printed = document(capsys, "--format", name)
    assert code == 1
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "\n::error::x" not in printed
    if name == "junit":
        ElementTree.fromstring(printed)
    elif name in ("json", "sarif"):
        assert printed.isascii()
        json.loads(printed)


def test_without_problems_github_is_told_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    assert document(capsys, "--format", "github") == (0, "")
