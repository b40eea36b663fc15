"""`phone-agents validate` and `phone-agents schema`: streams, formats, exit codes, colour."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from runner.cli.main import main
from runner.config.checking.rules import RULES, Pass
from runner.config.checking.schema_files import schema
from tests.cli.validate.agent import AGENT


def test_without_problems_there_is_one_line_on_stderr(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    assert main(["validate"]) == 0
    assert capsys.readouterr() == ("", '1 agent in "agents", no problems\n')


def test_who_does_not_say_how_long_records_are_kept_is_told_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    (folder / "runner.yaml").write_text("routing: {default_country: US}\n")
    assert main(["validate", "--deny-warnings", "agents", "agents"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "note: records of calls are kept until somebody deletes them; "
        'write "records: {keep: 90d}" in runner.yaml to delete them after 90 days',
        '2 agents in "agents", "agents", no problems',
    ]


def test_several_directories_are_checked_in_one_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "bad.yaml").write_text(AGENT + "voise: x\n")
    assert main(["validate", "agents", "other"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == (
        'other/bad.yaml:5:1: unknown key "voise"; did you mean "voice"? [unknown-key]'
    )
    assert printed.err == '1 error in "agents", "other"\n'


def test_warnings_alone_are_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(AGENT + "limits: {max_duration: 2h}\n")
    assert main(["validate"]) == 0
    assert capsys.readouterr().err == '1 warning in "agents"\n'


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["validate", "none"], 3, 'phone-agents validate: there is no directory "none"\n'),
        (
            ["validate", "agents/desk.yaml"],
            3,
            'phone-agents validate: "agents/desk.yaml" is a file; name the directory that holds it\n',
        ),
    ],
)
def test_a_directory_that_cannot_be_read_is_said_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    assert main(arguments) == code
    assert capsys.readouterr() == ("", message)


def test_an_unknown_format_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--format", "xml"]) == 2
    assert capsys.readouterr().err == (
        'phone-agents validate: --format is "xml"; write "text", "json", "github", "sarif" or "junit"\n'
    )


def test_secrets_that_are_set_raise_no_warning(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    (folder / "token").write_text("word")
    (folder / "runner.yaml").write_text(
        "provider: {api_key: {env: TOKEN}, webhook_secrets: [{file: agents/token}]}\n"
    )
    monkeypatch.setenv("TOKEN", "word")
    assert main(["validate"]) == 0
    assert capsys.readouterr().out == ""


def test_denied_warnings_are_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(AGENT + "limits: {max_duration: 2h}\n")
    assert main(["validate", "--deny-warnings"]) == 1
    assert capsys.readouterr().err == '1 warning in "agents"\n'
    (folder / "desk.yaml").write_text(AGENT)
    assert main(["validate", "--deny-warnings"]) == 0


def test_without_the_environment_nobody_asks_for_its_variables(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    (folder / "runner.yaml").write_text("provider: {api_key: {env: NOT_SET}}\nrecords: {keep: 90d}\n")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert main(["validate", "--deny-warnings"]) == 1
    assert "[secret-missing]" in capsys.readouterr().out
    assert main(["validate", "--deny-warnings", "--no-environment"]) == 0
    assert capsys.readouterr() == ("", '1 agent in "agents", no problems\n')


def test_a_named_environment_is_reviewed_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "desk.yaml").write_text(AGENT.replace("routes", "description: x\n#"))
    (folder / "runner.yaml").write_text(
        "environments: {staging: {routing: {otherwise: {agent: desk}}}, live: {}}\n"
    )
    assert main(["validate", "--deny-warnings"]) == 0
    assert main(["validate", "--deny-warnings", "--environment", "staging"]) == 0
    capsys.readouterr()
    assert main(["validate", "--deny-warnings", "--environment", "live"]) == 1
    assert 'no call reaches the agent "desk"' in capsys.readouterr().out


def test_the_pages_and_the_schema_name_each_pass_in_its_order() -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")
    table = page.partition("<!-- generated: rules -->")[2].partition("\n\n")[0]
    passes = [step.value for step in Pass]
    assert list(dict.fromkeys(re.findall(r"^\| `[a-z-]+` \| ([a-z]+) \|", table, re.MULTILINE))) == passes
    assert schema("problems")["$defs"]["problem"]["properties"]["pass"]["enum"] == passes


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_explained_in_a_sentence(name: str) -> None:
    assert re.fullmatch(r"[A-Z].{20,120}\.", RULES[name].help)


@pytest.mark.parametrize("kind", ["agent", "runner", "test", "problems"])
def test_schema_prints_a_schema_that_is_complete_in_itself(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", kind]) == 0
    printed = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(printed)
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(printed)))
    assert all(reference.startswith("#/$defs/") for reference in references)
    assert {reference.removeprefix("#/$defs/") for reference in references} <= set(printed["$defs"])


def test_schema_without_a_kind_is_the_agents(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Agent"


def test_where_there_is_nothing_yet_init_is_mentioned(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.rmdir()
    assert main(["validate"]) == 3
    assert capsys.readouterr().err == (
        'phone-agents validate: there is no directory "agents"; '
        '"phone-agents init" writes one with a working agent\n'
    )


def test_whoever_stands_in_the_directory_itself_is_told_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.rmdir()
    Path("compose.yaml").write_text("services: {}\n")
    Path("front-desk.yaml").write_text("# The main line.\nagent: front-desk\n")
    assert main(["validate"]) == 3
    assert capsys.readouterr().err == (
        'phone-agents validate: there is no directory "agents"; '
        '"front-desk.yaml" is an agent, so name its directory, "."\n'
    )
