"""`phone-agents validate` and `phone-agents schema`: streams, formats, exit codes, colour."""

import io
import json
import re
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft4Validator, Draft202012Validator

from runner import __version__
from runner.cli.main import main
from runner.cli.problems import print_problems
from runner.cli.report import Report
from runner.cli.terminal import Style, Terminal, printable
from runner.cli.validate import FORMATS
from runner.config.checking.rules import RULES, Pass
from runner.config.checking.schema_files import schema
from runner.config.load import load
from runner.config.problem import Problem, Severity
from runner.model.values import Place

AGENT = """\
agent: desk
model: gpt-realtime-2.1
instructions: You answer.
routes: [{to: "+18005550142"}]
"""
SARIF = json.loads((Path(__file__).parent / "fixtures" / "sarif-2.1.0.schema.json").read_text())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agents").mkdir()
    return tmp_path / "agents"


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
    assert rendered([Report(directory="d", problems=(problem,), sources={})]) == (
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
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    table = page.partition("<!-- generated: rules -->")[2].partition("\n\n")[0]
    passes = [step.value for step in Pass]
    assert list(dict.fromkeys(re.findall(r"^\| `[a-z-]+` \| ([a-z]+) \|", table, re.MULTILINE))) == passes
    assert schema("problems")["$defs"]["problem"]["properties"]["pass"]["enum"] == passes


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_explained_in_a_sentence(name: str) -> None:
    assert re.fullmatch(r"[A-Z].{20,120}\.", RULES[name].help)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What the editor has on stdin."""

    def put(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


def test_a_file_on_stdin_stands_for_its_content_and_its_problems_alone_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], None]
) -> None:
    (folder / "other.yaml").write_text(AGENT + "voise: x\n")
    (folder / "desk.yaml").write_text(AGENT)
    (folder / "runner.yaml").write_text("tools: {find: {description: Find., static: 1}}\n")
    typed(AGENT.replace("desk", "front") + "tools: [fnd]\n")
    assert main(["validate", "--stdin-filename", "agents/desk.yaml"]) == 1
    assert capsys.readouterr() == (
        'agents/desk.yaml:5:9: "tools" in runner.yaml has no "fnd"; did you mean "find"? [unknown-tool]\n'
        "    5 | tools: [fnd]\n"
        "      |         ^\n",
        '1 error in "agents/desk.yaml"\n',
    )
    assert (folder / "desk.yaml").read_text() == AGENT


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--stdin-filename", "agents/sub/new.yaml"], "agents/sub/new.yaml"),
        (["--stdin-filename", "./agents/../agents/sub/new.yaml"], "agents/sub/new.yaml"),
        (["agents", "--stdin-filename", "{}/agents/sub/new.yaml"], "agents/sub/new.yaml"),
        (["other", "agents/", "--stdin-filename", "agents/sub/new.yaml"], "agents/sub/new.yaml"),
        (["--stdin-filename", "phones/lines/new.yaml"], "phones/lines/new.yaml"),
        (["--stdin-filename", "alone/new.yaml"], "alone/new.yaml"),
        (["--stdin-filename", "new.yaml"], "new.yaml"),
    ],
)
def test_the_directory_of_a_file_that_is_not_there_yet_is_found(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    typed: Callable[[str], None],
    arguments: list[str],
    told: str,
) -> None:
    (folder / "sub").mkdir()
    (folder / "desk.yaml").write_text(AGENT)
    for other in ("other", "phones/lines", "alone"):
        (folder.parent / other).mkdir(parents=True)
    (folder.parent / "phones" / "runner.yaml").write_text("store: sqlite:calls.db\n")
    typed(AGENT.replace("desk", "new") + "voise: x\n")
    main(["validate", *(argument.format(folder.parent) for argument in arguments)])
    printed = capsys.readouterr()
    assert (
        printed.out.splitlines()[0] == f'{told}:5:1: unknown key "voise"; did you mean "voice"? [unknown-key]'
    )


def test_no_directory_is_taken_from_outside_of_where_we_are(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    typed: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "runner.yaml").write_text("tools: {find: {description: Find., statik: 1}}\n")
    (folder / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(folder / "deep")
    typed(AGENT + "tools: [find]\n")
    assert main(["validate", "--stdin-filename", "deeper/new.yaml"]) == 0
    assert capsys.readouterr() == ("", '1 agent in "deeper/new.yaml", no problems\n')


def test_a_file_outside_of_a_configuration_is_checked_alone(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    typed: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing beside it is read, and nothing is said about what might stand there."""
    home = folder.parent / "home"
    (home / "projects").mkdir(parents=True)
    (home / "projects" / "other.yaml").write_text("agent: [\n")
    (home / "hello.md").write_text("Hello.")
    monkeypatch.chdir(home)
    listed: list[Path] = []

    def listing(path: Path) -> list[Path]:
        listed.append(path)
        return []

    monkeypatch.setattr(Path, "iterdir", listing)
    typed(
        AGENT.replace("You answer.", "{file: hello.md}")
        + "tools: [find, {name: a, description: A., handoff: {agent: other}}]\nvoise: x\n"
    )
    assert main(["validate", "--stdin-filename", "new.yaml"]) == 1
    assert capsys.readouterr() == (
        'new.yaml:6:1: unknown key "voise"; did you mean "voice"? [unknown-key]\n'
        "    6 | voise: x\n"
        "      | ^\n",
        '1 error in "new.yaml"\n',
    )
    assert listed == []


def test_a_prompt_on_stdin_is_checked_where_an_agent_names_it(
    folder: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], None]
) -> None:
    (folder / "_prompts").mkdir()
    (folder / "_prompts" / "desk.md").write_text("Hello.\n")
    (folder / "desk.yaml").write_text(AGENT.replace("You answer.", "{file: _prompts/desk.md}"))
    typed("Hello {{ vars.x }}.\n")
    assert main(["validate", "--stdin-filename", "agents/_prompts/desk.md"]) == 1
    assert capsys.readouterr().out.startswith("agents/_prompts/desk.md:1:10: ")


def test_a_file_on_stdin_that_is_in_none_of_the_directories_is_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], None]
) -> None:
    typed(AGENT)
    assert main(["validate", "agents", "--stdin-filename", "desk.yaml"]) == 2
    assert capsys.readouterr() == (
        "",
        'phone-agents validate: "desk.yaml" is not in "agents"; name the directory that holds it\n',
    )


@pytest.mark.parametrize(
    "line",
    [
        'tools: [{name: a, http: {url: "https://a.example", auth: {bearer: hunter2}, timout: 5s}}]',
        'tools: [{name: a, description: A, htpp: {auth: {basic: {username: u, password: "hunter2"}}}}]',
        "tools: [{name: a, description: A, http: {headers: {Authorization: Bearer hunter2}, timout: 5s}}]",
        "tools: [{name: a, description: A, http: {auth: {bearer: hunter2}",
        "voise: sk-proj-hunter2abcdefgh",
        "webhook_secrets: [hunter2]",
    ],
)
def test_a_secret_that_is_written_out_is_not_shown_for_another_problem_in_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (folder / "desk.yaml").write_text(AGENT + line + "\n")
    assert main(["validate"]) == 1
    printed = capsys.readouterr()
    assert "agents/desk.yaml:5:" in printed.out
    assert "hunter2" not in printed.out + printed.err


def test_a_line_whose_secrets_are_named_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        'tools: [{name: a, htpp: {auth: {bearer: "{{ secrets.A }}", basic: {password: "{{ secrets.B }}"}}}}]'
    )
    (folder / "desk.yaml").write_text(AGENT + line + "\n")
    assert main(["validate"]) == 1
    assert line in capsys.readouterr().out


class Screen(io.StringIO):
    """A stream that a person is looking at."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_place_the_caret_and_the_rule_stand_out(folder: Path) -> None:
    (folder / "desk.yaml").write_text(AGENT + "voise: x\n")
    screen = Screen()
    loaded = load(Path("agents"))
    print_problems(loaded.problems, loaded.sources, Terminal.of(screen, {}))
    assert screen.getvalue() == (
        '\x1b[1magents/desk.yaml:5:1\x1b[0m: unknown key "voise"; did you mean "voice"? '
        "\x1b[2m[unknown-key]\x1b[0m\n"
        "\x1b[2m    5 | \x1b[0mvoise: x\n"
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
def test_colour_is_for_terminals_and_honours_no_color(
    stream: StringIO | Screen, environ: dict[str, str], has_colour: bool
) -> None:
    """no-color.org: set and not empty."""
    assert (Terminal.of(stream, environ).styled("x", Style.BOLD) != "x") is has_colour


def excerpt(line: str, column: int) -> list[str]:
    """What is shown of a line."""
    screen = io.StringIO()
    problem = Problem(place=Place("f", 1, column), rule="r", message="m", severity=Severity.ERROR)
    print_problems((problem,), {"f": line}, Terminal.of(screen, {}))
    return screen.getvalue().splitlines()[1:]


def test_the_caret_stands_under_its_column_however_wide_the_characters_before_it() -> None:
    assert excerpt("a: 東京 x", 7) == ["    1 | a: 東京 x", "      |         ^"]
    assert excerpt("a: e\u0301 x", 7) == ["    1 | a: e\u0301 x", "      |      ^"]


def test_of_a_long_line_the_part_around_the_column_is_shown() -> None:
    source, caret = excerpt("x" * 1000 + "HERE" + "y" * 1000, 1001)
    assert len(source) < 180
    assert source[caret.index("^") :].startswith("HERE")
    assert source[8] == "…"
    assert source[-1] == "…"


def test_control_characters_of_a_file_never_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb\tc\u202ed\n") == "a\\x1b[31mb\\tc\\u202ed\\n"
    assert excerpt("a\tb: \x9bx", 4) == ["    1 | a\\tb: \\x9bx", "      |     ^"]


def test_what_the_stream_cannot_show_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Terminal.of(stream, {}).line("café …")
    stream.flush()
    assert stream.buffer.getvalue() == b"caf\\xe9 \\u2026\n"


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
