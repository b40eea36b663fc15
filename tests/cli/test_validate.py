"""`phone-agents validate` and `phone-agents schema`: streams, formats, exit codes, colour."""

import io
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from runner.cli.main import main
from runner.cli.problems import print_problems
from runner.cli.terminal import Style, Terminal, printable
from runner.config.load import load
from runner.config.problem import Problem, Severity
from runner.model.values import Place

AGENT = "agent: desk\nmodel: gpt-realtime-2.1\ninstructions: You answer.\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agents").mkdir()
    return tmp_path / "agents"


def test_without_problems_there_is_one_line_on_stderr(folder, capsys):
    (folder / "desk.yaml").write_text(AGENT)
    assert main(["validate"]) == 0
    assert capsys.readouterr() == ("", '1 agent in "agents", no problems\n')


def test_several_directories_are_checked_in_one_run(folder, capsys):
    (folder / "desk.yaml").write_text(AGENT)
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "bad.yaml").write_text(AGENT + "voise: x\n")
    assert main(["validate", "agents", "other"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == (
        'other/bad.yaml:4:1: unknown key "voise"; did you mean "voice"? [unknown-key]'
    )
    assert printed.err == '1 error in "agents", "other"\n'


def test_warnings_alone_are_no_failure(folder, capsys):
    (folder / "desk.yaml").write_text(AGENT + "limits: {max_duration: 2h}\n")
    assert main(["validate"]) == 0
    assert capsys.readouterr().err == '1 warning in "agents"\n'


def test_json_names_every_problem_in_a_versioned_document(folder, capsys):
    (folder / "desk.yaml").write_text(AGENT + "voise: x\nlimits: {max_duration: 2h}\n")
    assert main(["validate", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "problems": [
            {
                "severity": "error",
                "rule": "unknown-key",
                "message": 'unknown key "voise"; did you mean "voice"?',
                "file": "agents/desk.yaml",
                "line": 4,
                "column": 1,
            },
            {
                "severity": "warning",
                "rule": "never-reached",
                "message": '"2h" is never reached: the voice API ends every call after 60 minutes',
                "file": "agents/desk.yaml",
                "line": 5,
                "column": 24,
            },
        ],
    }


def test_json_without_problems_is_an_empty_list(folder, capsys):
    (folder / "desk.yaml").write_text(AGENT)
    assert main(["validate", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "problems": []}


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
def test_a_directory_that_cannot_be_read_is_said_in_one_sentence(folder, capsys, arguments, code, message):
    (folder / "desk.yaml").write_text(AGENT)
    assert main(arguments) == code
    assert capsys.readouterr() == ("", message)


def test_an_unknown_format_is_wrong_usage(capsys):
    assert main(["validate", "--format", "xml"]) == 2
    assert "invalid choice: 'xml'" in capsys.readouterr().err


def test_secrets_that_are_set_raise_no_warning(folder, capsys, monkeypatch):
    (folder / "desk.yaml").write_text(AGENT)
    (folder / "token").write_text("word")
    (folder / "runner.yaml").write_text("secrets: {A: {env: TOKEN}, B: {file: agents/token}}\n")
    monkeypatch.setenv("TOKEN", "word")
    assert main(["validate"]) == 0
    assert capsys.readouterr().out == ""


class Screen(io.StringIO):
    """A stream that a person is looking at."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_place_the_caret_and_the_rule_stand_out(folder):
    (folder / "desk.yaml").write_text(AGENT + "voise: x\n")
    screen = Screen()
    loaded = load(Path("agents"))
    print_problems(loaded.problems, loaded.sources, Terminal.of(screen, {}))
    assert screen.getvalue() == (
        '\x1b[1magents/desk.yaml:4:1\x1b[0m: unknown key "voise"; did you mean "voice"? '
        "\x1b[2m[unknown-key]\x1b[0m\n"
        "\x1b[2m    4 | \x1b[0mvoise: x\n"
        "\x1b[2m      | \x1b[0m\x1b[1;31m^\x1b[0m\n"
    )


@pytest.mark.parametrize(
    ("stream", "environ", "has_colour"),
    [
        (Screen(), {}, True),
        (Screen(), {"NO_COLOR": ""}, True),
        (Screen(), {"NO_COLOR": "1"}, False),
        (Screen(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_and_honours_no_color(stream, environ, has_colour):
    """no-color.org: set and not empty."""
    assert (Terminal.of(stream, environ).styled("x", Style.BOLD) != "x") is has_colour


def excerpt(line: str, column: int) -> list[str]:
    """What is shown of a line."""
    screen = io.StringIO()
    problem = Problem(place=Place("f", 1, column), rule="r", message="m", severity=Severity.ERROR)
    print_problems((problem,), {"f": line}, Terminal.of(screen, {}))
    return screen.getvalue().splitlines()[1:]


def test_the_caret_stands_under_its_column_however_wide_the_characters_before_it():
    assert excerpt("a: 東京 x", 7) == ["    1 | a: 東京 x", "      |         ^"]
    assert excerpt("a: e\u0301 x", 7) == ["    1 | a: e\u0301 x", "      |      ^"]


def test_of_a_long_line_the_part_around_the_column_is_shown():
    source, caret = excerpt("x" * 1000 + "HERE" + "y" * 1000, 1001)
    assert len(source) < 180
    assert source[caret.index("^") :].startswith("HERE")
    assert source[8] == "…"
    assert source[-1] == "…"


def test_control_characters_of_a_file_never_reach_the_terminal():
    assert printable("a\x1b[31mb\tc\u202ed\n") == "a\\x1b[31mb\\tc\\u202ed\\n"
    assert excerpt("a\tb: \x9bx", 4) == ["    1 | a\\tb: \\x9bx", "      |     ^"]


def test_what_the_stream_cannot_show_is_escaped():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Terminal.of(stream, {}).line("café …")
    stream.flush()
    assert stream.buffer.getvalue() == b"caf\\xe9 \\u2026\n"


@pytest.mark.parametrize("kind", ["agent", "runner", "test"])
def test_schema_prints_a_schema_that_is_complete_in_itself(kind, capsys):
    assert main(["schema", kind]) == 0
    printed = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(printed)
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(printed)))
    assert all(reference.startswith("#/$defs/") for reference in references)
    assert {reference.removeprefix("#/$defs/") for reference in references} <= set(printed["$defs"])


def test_schema_without_a_kind_is_the_agents(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Agent"
