"""`phone-agents test`: what it prints, writes and exits with."""

import json
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Protocol
from xml.etree import ElementTree

import pytest

from runner.cli.main import main
from tests.cpu import took_at_most

AGENT = """\
agent: desk
routes:
  - to: "+18005550142"
  - to: "+18005550143"
model: gpt-realtime-2.1
instructions: You are the desk of {{ vars.clinic }}.
vars: {clinic: Maple Dental}
greeting: Hello, {{ vars.clinic }}.
tools:
  - name: find_slots
    description: Find free times.
    http: {method: GET, url: "https://api.maple.example/slots"}
    result: {example: {slots: []}}
limits: {max_duration: 5m}
"""
GOOD = """\
- name: a caller is greeted
  call: {to: "+18005550142"}
  expect: {agent: desk, says: ["Hello, Maple Dental."]}
- name: slots are found
  call: {to: "+18005550142"}
  steps:
    - model_calls: {find_slots: {}}
      expect: {requests: [{path: /slots}]}
"""
BAD = """\
- name: the wrong greeting
  call: {to: "+18005550142"}
  expect: {says: [Good evening.]}
"""
WRONG = """\
agents/desk.test.yaml:3:19: "the wrong greeting": says
    3 |   expect: {says: [Good evening.]}
      |                   ^
      - "Good evening."
      + "Hello, Maple Dental."
      played at Monday 2026-01-05T12:00+00:00
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory `agents` with one agent; the tests run beside it."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "desk.yaml").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "agents"


class Told(Protocol):
    """Plays these scenarios with these arguments: exit code, stdout and stderr."""

    def __call__(self, scenarios: str | None, *arguments: str) -> tuple[int, str, str]: ...


@pytest.fixture
def told(folder: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """Write the scenarios, play them, and give exit code, stdout and stderr."""

    def play(scenarios: str | None, *arguments: str) -> tuple[int, str, str]:
        if scenarios is not None:
            (folder / "desk.test.yaml").write_text(scenarios)
        code = main(["test", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return play


def test_scenarios_that_pass_say_so_in_one_line(told: Told) -> None:
    assert told(GOOD) == (0, "", '2 scenarios passed in "agents"\n')


def test_a_failure_is_a_diff_under_the_line_of_the_scenario(told: Told) -> None:
    assert told(GOOD + BAD) == (
        1,
        WRONG.replace(":3:19", ":11:19").replace("    3 |", "   11 |"),
        '1 of 3 scenarios failed in "agents"\n',
    )


def test_a_terminal_shows_the_diff_in_colour(
    told: Told, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = told(BAD)
    assert '\x1b[1;31m      - "Good evening."\x1b[0m\n' in out
    assert '\x1b[32m      + "Hello, Maple Dental."\x1b[0m\n' in out


def test_errors_of_the_configuration_are_told_instead(told: Told) -> None:
    code, out, err = told("- name: a\n  call: {to: '+18005550142'}\n  expect: {agent: dsk}\n")
    assert (code, out) == (1, "")
    assert err == (
        'agents/desk.test.yaml:3:19: there is no agent "dsk"; did you mean "desk"? [unknown-agent]\n'
        "    3 |   expect: {agent: dsk}\n"
        "      |                   ^\n"
    )


NOTHING = [
    (None, [], 'there is no scenario in "agents"; scenarios are in files that end in .test.yaml\n'),
    (GOOD, ["--run", "evening"], 'no scenario in "agents" has "evening" in its name\n'),
    (
        GOOD,
        ["--run", "slots are fond"],
        'no scenario in "agents" has "slots are fond" in its name; did you mean "slots are found"?\n',
    ),
]


@pytest.mark.parametrize(("scenarios", "arguments", "message"), NOTHING)
def test_what_selects_nothing_is_a_failure(
    scenarios: str | None, arguments: list[str], message: str, told: Told
) -> None:
    assert told(scenarios, *arguments) == (1, "", message)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("greeted", 1), ("GREETED", 1), ("a*e", 2), ("slots*found", 1), ("a caller", 1), ("", 2)],
)
def test_a_pattern_selects_by_a_part_of_the_name(pattern: str, count: int, told: Told) -> None:
    noun = "scenario" if count == 1 else "scenarios"
    assert told(GOOD, "--run", pattern) == (0, "", f'{count} {noun} passed in "agents"\n')


@pytest.mark.parametrize("pattern", ["[a]", "?", "gr??ted"])
def test_other_signs_of_a_pattern_stand_for_themselves(pattern: str, told: Told) -> None:
    assert told(GOOD, "--run", pattern)[0] == 1


UNTOUCHED = """\
agents/desk.yaml:4:5: no scenario covers this route of "desk"
agents/desk.yaml:14:10: no scenario covers this limit "max_duration" of "desk"
"""


def test_coverage_lists_what_is_untouched(told: Told) -> None:
    assert told(GOOD, "--coverage") == (
        0,
        UNTOUCHED,
        '2 scenarios passed in "agents"; coverage 50 % (2 of 4)\n',
    )


def test_coverage_under_the_bound_fails_and_is_not_listed_unasked(told: Told) -> None:
    passed = '2 scenarios passed in "agents"; coverage 50 % (2 of 4)'
    assert told(GOOD, "--min-coverage", "50") == (0, "", f"{passed}\n")
    assert told(GOOD, "--min-coverage", "50.1") == (1, "", f"{passed}, less than 50.1 %\n")
    assert told(GOOD, "--coverage", "--min-coverage", "80%") == (1, UNTOUCHED, f"{passed}, less than 80 %\n")


def test_a_scenario_that_fails_is_no_less_a_failure_when_all_is_covered(told: Told) -> None:
    assert told(GOOD + BAD, "--min-coverage", "0")[0] == 1


WRONG_USAGE = [
    (["--min-coverage", "101"], '"101" is not a percentage; write a number from 0 to 100'),
    (["--min-coverage", "most"], '"most" is not a percentage; write a number from 0 to 100'),
    (
        ["--min-coverage", "50", "--run", "a"],
        "--min-coverage is about all scenarios, and --run plays only some",
    ),
    (["--environment", "staging"], '"agents" declares no environment "staging"'),
    (["--format", "xml"], "xml"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_USAGE)
def test_wrong_usage_is_told(arguments: list[str], message: str, told: Told) -> None:
    code, out, err = told(GOOD, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_directory_that_is_not_there_is_told(told: Told) -> None:
    assert told(None, "nowhere") == (3, "", 'phone-agents test: there is no directory "nowhere"\n')


def test_json_is_one_document_with_a_version(told: Told) -> None:
    code, out, err = told(GOOD + BAD, "--format", "json", "--coverage")
    assert (code, err) == (1, '1 of 3 scenarios failed in "agents"; coverage 50 % (2 of 4)\n')
    document = json.loads(out)
    assert document["version"] == 1
    assert [(one["name"], one["passed"]) for one in document["scenarios"]] == [
        ("a caller is greeted", True),
        ("slots are found", True),
        ("the wrong greeting", False),
    ]
    assert document["scenarios"][2] == {
        "name": "the wrong greeting",
        "at": "2026-01-05T12:00:00+00:00",
        "passed": False,
        "file": "agents/desk.test.yaml",
        "line": 9,
        "column": 9,
        "failures": [
            {
                "what": "says",
                "file": "agents/desk.test.yaml",
                "line": 11,
                "column": 19,
                "diff": ['- "Good evening."', '+ "Hello, Maple Dental."'],
            }
        ],
    }
    assert document["coverage"]["percent"] == 50
    assert document["coverage"]["untouched"][0] == {
        "kind": "route",
        "agent": "desk",
        "name": None,
        "file": "agents/desk.yaml",
        "line": 4,
        "column": 5,
    }


def test_json_without_coverage_has_none(told: Told) -> None:
    assert json.loads(told(GOOD, "--format", "json")[1])["coverage"] is None


def test_junit_has_a_suite_for_each_file_and_a_case_for_each_scenario(told: Told, folder: Path) -> None:
    odd = GOOD.replace("a caller is greeted", '"é \\u202e <&>"')
    (folder / "more.test.yaml").write_text(odd)
    code, out, _ = told(GOOD + BAD, "--format", "junit")
    assert code == 1
    assert out.isascii()
    root = ElementTree.fromstring(out)
    suites = [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root]
    assert suites == [("agents/desk.test.yaml", "3", "1"), ("agents/more.test.yaml", "2", "0")]
    assert [case.get("name") for case in root[1]] == ["é \\u202e <&>", "slots are found"]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "says"
    assert failure.text == (
        'agents/desk.test.yaml:11:19: says\n  - "Good evening."\n  + "Hello, Maple Dental."\n'
        "played at Monday 2026-01-05T12:00+00:00"
    )


TO_WRITE = """\
- name: to be written
  call: {to: "+18005550142"}
  expect: ...
  steps:
    - {model_calls: {find_slots: {}}, expect: ...}
"""


def test_an_expectation_that_is_to_be_written_fails_without_update(told: Told) -> None:
    code, out, err = told(TO_WRITE)
    assert code == 1
    assert out.startswith(
        'agents/desk.test.yaml:3:11: "to be written": nothing is expected yet; '
        '"phone-agents test --update" writes what it gets\n'
        "    3 |   expect: ...\n"
        "      |           ^\n"
    )
    assert err == '1 of 1 scenario failed in "agents"\n'


def test_update_shows_the_change_writes_it_and_it_passes_from_then_on(told: Told, folder: Path) -> None:
    code, out, err = told(TO_WRITE, "--update")
    assert (code, err) == (0, '1 scenario passed in "agents"\n')
    got = (
        "{agent: desk, says: [], requests: [{method: GET, host: api.maple.example, path: /slots}], "
        "output: {find_slots: {slots: []}}}"
    )
    assert out == (
        "--- agents/desk.test.yaml\n"
        "+++ agents/desk.test.yaml\n"
        "@@ -1,5 +1,7 @@\n"
        " - name: to be written\n"
        '   call: {to: "+18005550142"}\n'
        "-  expect: ...\n"
        "+  expect:\n"
        "+    agent: desk\n"
        '+    says: ["Hello, Maple Dental."]\n'
        "   steps:\n"
        "-    - {model_calls: {find_slots: {}}, expect: ...}\n"
        f"+    - {{model_calls: {{find_slots: {{}}}}, expect: {got}}}\n"
    )
    written = (folder / "desk.test.yaml").read_text()
    assert f"expect: {got}" in written
    assert told(None) == (0, "", '1 scenario passed in "agents"\n')
    assert told(None, "--update") == (0, "", '1 scenario passed in "agents"\n')
    assert (folder / "desk.test.yaml").read_text() == written


def test_update_keeps_a_document_for_programs_whole(told: Told) -> None:
    code, out, err = told(TO_WRITE, "--update", "--format", "json")
    assert code == 0
    assert json.loads(out)["scenarios"][0]["passed"]
    assert err.startswith("--- agents/desk.test.yaml\n")


def test_update_leaves_what_is_expected_already(told: Told, folder: Path) -> None:
    assert told(BAD, "--update")[0] == 1
    assert (folder / "desk.test.yaml").read_text() == BAD


def test_a_scenario_plays_in_its_environment_or_in_that_of_the_command_line(told: Told, folder: Path) -> None:
    (folder / "runner.yaml").write_text(
        "environments:\n  staging: {vars: {clinic: Staging}}\n  test: {vars: {clinic: Test}}\n"
    )
    one = '- name: {0}\n  call: {{to: "+18005550142"}}\n  {1}expect: {{vars: {{clinic: {2}}}}}\n'
    text = one.format("a", "", "Maple Dental") + one.format("b", "environment: staging\n  ", "Staging")
    assert told(text) == (0, "", '2 scenarios passed in "agents"\n')
    text = one.format("a", "", "Test") + one.format("b", "environment: staging\n  ", "Staging")
    assert told(text, "--environment", "test") == (0, "", '2 scenarios passed in "agents"\n')


def test_errors_of_an_environment_that_a_scenario_names_are_told_instead(told: Told, folder: Path) -> None:
    (folder / "runner.yaml").write_text('environments: {staging: {vars: {clinic: "{{ vars.no }}"}}}\n')
    text = '- name: a\n  environment: staging\n  call: {to: "+18005550142"}\n  expect: {agent: desk}\n'
    code, out, err = told(text)
    assert (code, out) == (1, "")
    assert err.startswith("agents/runner.yaml:1:45: ")
    assert err.count("[unknown-name]") == 1


def test_several_directories_are_played_each_on_its_own(told: Told, folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "desk.yaml").write_text(AGENT.replace("Maple", "Oak"))
    (other / "desk.test.yaml").write_text(GOOD.replace("Maple", "Oak"))
    assert told(GOOD, "agents", "other", "--coverage") == (
        0,
        UNTOUCHED + UNTOUCHED.replace("agents/", "other/"),
        '4 scenarios passed in "agents", "other"; coverage 50 % (4 of 8)\n',
    )


def test_a_pattern_may_select_nothing_in_one_directory_of_several(told: Told, folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "desk.yaml").write_text(AGENT)
    assert told(GOOD, "agents", "other") == (
        1,
        "",
        'there is no scenario in "other"; scenarios are in files that end in .test.yaml\n',
    )
    (other / "desk.test.yaml").write_text(GOOD.replace("greeted", "welcomed"))
    assert told(GOOD, "agents", "other", "--run", "greeted") == (
        0,
        "",
        '1 scenario passed in "agents", "other"\n',
    )


def test_secrets_need_not_be_there(told: Told, folder: Path) -> None:
    (folder / "runner.yaml").write_text("secrets: {TOKEN: {env: NO_SUCH_VARIABLE}}\n")
    (folder / "desk.yaml").write_text(
        AGENT.replace('slots"}', 'slots", auth: {bearer: "{{ secrets.TOKEN }}"}}')
    )
    assert told(GOOD)[0] == 0


def test_two_hundred_scenarios_take_no_time(told: Told) -> None:
    slots = "    - {model_calls: {find_slots: {}}, expect: {requests: [{path: /slots}]}}\n"
    one = '- name: call {0}\n  call: {{to: "+18005550142"}}\n  expect: {{agent: desk}}\n  steps:\n' + "{1}"
    text = "".join(one.format(number, slots * 5) for number in range(200))
    began = process_time()
    assert told(text) == (0, "", '200 scenarios passed in "agents"\n')

    assert took_at_most(process_time() - began, 10)  # about two


PROGRAM = """
import json, sys
from runner.cli.main import main
code = main(["test", "agents"])
print(json.dumps([code, sorted(sys.modules)]))
"""


def test_scenarios_need_nothing_of_the_server(told: Told, folder: Path) -> None:
    told(GOOD)
    command = [sys.executable, "-c", PROGRAM]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, cwd=folder.parent
    )
    code, modules = json.loads(result.stdout)
    assert code == 0
    assert "runner.scenario.player" in modules
    unwanted = (
        "aiohttp",
        "asyncio",
        "openai",
        "runner.demo",
        "runner.serve",
        "runner.standin.server",
        "sqlite3",
        "websockets",
    )
    assert [name for name in modules if name.split(".")[0] in unwanted or name.startswith(unwanted)] == []
