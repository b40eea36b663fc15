"""`--environment` of every command that loads a directory."""

import json
from pathlib import Path

import pytest

from runner.cli.main import main

AGENT = """\
agent: desk
model: gpt-realtime-2.1
instructions: You work for {{ vars.clinic }}.
vars: {clinic: Maple Dental}
routes: [{to: "+18005551212"}]
"""
RUNNER = """\
environments:
  staging: {routing: {otherwise: {agent: desk}}, vars: {clinic: Maple Dental (test)}}
  odd: {routing: {otherwise: {agent: dsk}}}
"""
ODD = (
    'agents/runner.yaml:3:38: {}there is no agent "dsk"; did you mean "desk"? [unknown-agent]\n'
    "    3 |   odd: {{routing: {{otherwise: {{agent: dsk}}}}}}\n"
    "      |                                      ^\n"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "desk.yaml").write_text(AGENT)
    (tmp_path / "agents" / "runner.yaml").write_text(RUNNER)


@pytest.mark.parametrize(
    "command", [["validate"], ["run"], ["route", "--to", "+18005551212"], ["simulate"], ["explain", "desk"]]
)
def test_an_environment_that_is_not_declared_is_wrong_usage(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--environment", "stagging"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (
        "",
        f'phone-agents {command[0]}: "agents" declares no environment "stagging"; did you mean "staging"?\n',
    )


def test_validate_checks_every_environment_unless_one_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 1
    assert capsys.readouterr().out == ODD.format('in the environment "odd": ')
    assert main(["validate", "--environment", "odd"]) == 1
    assert capsys.readouterr().out == ODD.format("")
    assert main(["validate", "--environment", "staging"]) == 0


def test_route_decides_as_in_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["route", "--to", "+18005550000", "--expect", "desk"]
    assert main(arguments) == 1
    assert main([*arguments, "--environment", "staging"]) == 0


def test_simulate_plays_the_agent_of_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--environment", "odd"]) == 1
    assert ODD.format("") in capsys.readouterr().err
    assert main(["simulate", "--environment", "staging", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["agent"] == "desk"


def test_run_does_not_start_with_an_environment_that_has_a_problem(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--environment", "odd"]) == 1
    assert ODD.format("") in capsys.readouterr().err
