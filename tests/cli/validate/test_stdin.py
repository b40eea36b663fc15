"""`phone-agents validate --stdin`: one file stands for its content, as editors send it."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.main import main
from tests.cli.validate.agent import AGENT


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


@pytest.mark.parametrize("name", ["new/line.yaml", "new/er/line.yaml"])
def test_a_file_on_stdin_whose_folder_is_not_there_yet_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], None], name: str
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    typed(AGENT.replace("desk", "front") + "voise: x\n")
    assert main(["validate", "--stdin-filename", f"agents/{name}"]) == 1
    assert capsys.readouterr().out.startswith(
        f'agents/{name}:5:1: unknown key "voise"; did you mean "voice"?'
    )
    typed("Anything.")
    assert main(["validate", "--stdin-filename", f"agents/_{name}"]) == 0


@pytest.mark.parametrize("name", ["linked/new.yaml", "linked/sub/new.yaml", "out.yaml"])
def test_a_file_on_stdin_that_is_behind_a_link_out_of_the_directory_is_told_to_be_unread(
    folder: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], None], name: str
) -> None:
    (folder / "desk.yaml").write_text(AGENT)
    elsewhere = folder.parent / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    (elsewhere / "new.yaml").write_text(AGENT)
    (folder / "linked").symlink_to(elsewhere)
    (folder / "out.yaml").symlink_to(elsewhere / "new.yaml")
    typed(AGENT.replace("desk", "front"))
    assert main(["validate", "--stdin-filename", f"agents/{name}"]) == 1
    out = 'leads out of the directory "agents"; replace the link with what it leads to [file]\n'
    why = "" if name == "out.yaml" else 'this file is not read, since it is in "agents/linked": '
    what = "this file" if name == "out.yaml" else "this link"
    assert capsys.readouterr() == (
        f"agents/{name}:1:1: {why}{what} {out}",
        f'1 error in "agents/{name}"\n',
    )


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
