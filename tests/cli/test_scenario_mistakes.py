"""A mistake in a scenario stops `test` and `validate`, and nothing else."""

from pathlib import Path

import pytest

from runner.cli.main import main
from runner.config.load import load

AGENT = """\
agent: desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
instructions: You answer.
greeting: Hello.
"""
MISTAKES = {
    "not YAML": "- name: [\n",
    "against the schema": '- name: a\n  call: {to: "+18005551212"}\n  expct: {agent: desk}\n',
    "an unknown tool": '- name: a\n  call: {to: "+18005551212"}\n  steps: [{model_calls: {fly: {}}}]\n',
}


@pytest.fixture(autouse=True, params=list(MISTAKES.values()), ids=list(MISTAKES))
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "desk.yaml").write_text(AGENT)
    (tmp_path / "agents" / "desk.test.yaml").write_text(request.param)
    return tmp_path / "agents"


def test_the_configuration_is_sound_all_the_same(folder: Path) -> None:
    loaded = load(folder)
    assert loaded.problems == ()
    assert loaded.configuration is not None
    assert {problem.place.file for problem in loaded.scenario_problems} == {f"{folder}/desk.test.yaml"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["route", "--to", "+18005551212", "--expect", "desk"],
        ["explain", "agents", "desk"],
        ["simulate", "--speed", "0"],
        ["diff", "agents", "agents"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_other_commands_do_their_work_and_say_nothing_of_it(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 0
    assert "desk.test.yaml" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("command", ["test", "validate"])
def test_test_and_validate_tell_it(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command]) == 1
    assert "agents/desk.test.yaml:" in "".join(capsys.readouterr())
