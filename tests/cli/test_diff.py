"""`phone-agents diff`, as it is typed and as it answers."""

import io
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from runner.cli.main import main

DESK = """\
agent: desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
voice: marin
greeting: Hello.
instructions: |
  You answer.
  Be brief.
  Be kind.
"""
SALES = 'agent: sales\nroutes: [{to: {prefix: "+1800"}}]\nmodel: gpt-realtime-2.1\ninstructions: Sell.\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(tmp_path / "old", {"desk.yaml": DESK, "sales.yaml": SALES})
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(folder: Path) -> Path:
    """A repository whose branch `main` has agents that differ from those in the working tree."""
    write(folder / "agents", {"desk.yaml": DESK, "_p.md": "x"})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "agents")
    git(folder, "commit", "-q", "-m", "one")
    write(folder / "agents", {"desk.yaml": DESK.replace("marin", "cedar")})
    return folder


CHANGED = {
    "runner.yaml": "defaults: {voice: cedar}\negress: {allow: [a.example]}\n",
    "reception.yaml": DESK.replace("voice: marin\n", "")
    .replace("Hello.", "Hello, this is the front desk of Maple Dental.")
    .replace("Be brief.", "Be very brief.")
    .replace("]\n", ', {to: "sip:desk@pbx.example"}]\n', 1)
    + "tools:\n  - name: bye\n    description: End the call.\n    hangup: {say: Goodbye!}\n",
    "overflow.yaml": "agent: overflow\nmodel: gpt-realtime-2.1\ninstructions: Wait.\n",
}


def test_everything_that_changes_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "new", CHANGED)
    assert main(["diff", "old", "new"]) == 1
    printed = capsys.readouterr()
    assert printed.out == (
        "calls that go elsewhere\n"
        "  sales → reject 404\n"
        "    from +14155550100 to +18002500100\n"
        "      was: the route at old/sales.yaml:2:10 matches: to begins with +1800\n"
        "      now: no route matches, and routing.otherwise rejects with 404\n"
        "  reject 404 → desk\n"
        "    from +14155550100 to sip:desk@pbx.example\n"
        "      was: no route matches, and routing.otherwise rejects with 404\n"
        "      now: the route at new/reception.yaml:2:32 matches: to is sip:desk@pbx.example\n"
        "\n"
        "agents\n"
        "  + overflow\n"
        "  - sales\n"
        "\n"
        "agent desk\n"
        "  accept.audio.output.voice: marin → cedar\n"
        "  instructions:\n"
        "    @@ -1,3 +1,3 @@\n"
        "      You answer.\n"
        "    - Be brief.\n"
        "    + Be very brief.\n"
        "      Be kind.\n"
        "  greeting.say: Hello. → Hello, this is the front desk of Maple Dental.\n"
        "  + tools.bye:\n"
        "    + description: End the call.\n"
        "    + parameters:\n"
        "    +   type: object\n"
        "    +   properties: {}\n"
        "    +   additionalProperties: false\n"
        "    + hangup:\n"
        "    +   say: Goodbye!\n"
        "    + result:\n"
        "    +   max_chars: 8000\n"
        "\n"
        "settings\n"
        "  + egress.allow: [a.example]\n"
    )
    assert printed.err == '9 changes for callers between "old" and "new"\n'


def test_the_same_as_a_comment_on_a_pull_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "new", CHANGED)
    assert main(["diff", "old", "new", "--format", "markdown"]) == 1
    assert capsys.readouterr().out == (
        "### What changes for callers between `old` and `new`\n"
        "\n"
        "#### Calls that go elsewhere\n"
        "\n"
        "| a call | was answered by | is answered by |\n"
        "| --- | --- | --- |\n"
        "| from `+14155550100` to `+18002500100` |"
        " **`sales`**: `the route at old/sales.yaml:2:10 matches: to begins with +1800` |"
        " **`reject 404`**: `no route matches, and routing.otherwise rejects with 404` |\n"
        "| from `+14155550100` to `sip:desk@pbx.example` |"
        " **`reject 404`**: `no route matches, and routing.otherwise rejects with 404` |"
        " **`desk`**: `the route at new/reception.yaml:2:32 matches: to is sip:desk@pbx.example` |\n"
        "\n"
        "#### Agents\n"
        "\n"
        "- `overflow` is new\n"
        "- `sales` is gone\n"
        "\n"
        "#### Agent `desk`\n"
        "\n"
        "```diff\n"
        "@@ accept.audio.output.voice @@\n"
        "- marin\n"
        "+ cedar\n"
        "@@ instructions @@\n"
        "@@ -1,3 +1,3 @@\n"
        "  You answer.\n"
        "- Be brief.\n"
        "+ Be very brief.\n"
        "  Be kind.\n"
        "@@ greeting.say @@\n"
        "- Hello.\n"
        "+ Hello, this is the front desk of Maple Dental.\n"
        "@@ tools.bye @@\n"
        "+ description: End the call.\n"
        "+ parameters:\n"
        "+   type: object\n"
        "+   properties: {}\n"
        "+   additionalProperties: false\n"
        "+ hangup:\n"
        "+   say: Goodbye!\n"
        "+ result:\n"
        "+   max_chars: 8000\n"
        "```\n"
        "\n"
        "#### Settings\n"
        "\n"
        "```diff\n"
        "@@ egress.allow @@\n"
        "+ [a.example]\n"
        "```\n"
    )


def test_the_same_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "new", {**CHANGED, "reception.yaml": DESK})
    assert main(["diff", "old", "new", "--format", "json", "--at", "2026-11-23T12:00:30-05:00"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "version": 1,
        "old": "old",
        "new": "new",
        "at": "2026-11-23T12:00:00-05:00",
        "calls": [
            {
                "old": {"agent": "sales"},
                "new": {"reject": 404},
                "examples": [
                    {
                        "from": "+14155550100",
                        "to": "+18002500100",
                        "headers": [],
                        "at": "2026-11-23T17:00:00+00:00",
                        "transport": "sip",
                        "old": "the route at old/sales.yaml:2:10 matches: to begins with +1800",
                        "new": "no route matches, and routing.otherwise rejects with 404",
                    }
                ],
            }
        ],
        "routes_without_example": [],
        "agents": {"added": ["overflow"], "removed": ["sales"], "changed": {}},
        "settings": [{"path": "egress.allow", "new": ["a.example"]}],
    }


@pytest.mark.parametrize(
    ("form", "out"),
    [
        ("text", ""),
        ("markdown", "### Nothing changes for callers between `old` and `new`\n"),
        (
            "json",
            json.dumps(
                {
                    "version": 1,
                    "old": "old",
                    "new": "new",
                    "at": "2026-11-23T12:00:00-05:00",
                    "calls": [],
                    "routes_without_example": [],
                    "agents": {"added": [], "removed": [], "changed": {}},
                    "settings": [],
                },
                indent=2,
            )
            + "\n",
        ),
    ],
)
def test_without_a_change_for_callers_the_exit_code_is_0(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str, out: str
) -> None:
    write(
        folder / "new",
        {"a/b.yaml": f"# moved\n{DESK}", "c.yml": SALES, "runner.yaml": "store: sqlite:x.db\n"},
    )
    assert main(["diff", "old", "new", "--format", form, "--at", "2026-11-23T12:00-05:00"]) == 0
    assert capsys.readouterr() == (out, 'nothing changes for callers between "old" and "new"\n')


def test_what_is_the_same_in_several_agents_is_shown_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        folder / "new",
        {"desk.yaml": DESK, "sales.yaml": SALES, "runner.yaml": "defaults: {keys: {max: 4}}\n"},
    )
    assert main(["diff", "old", "new"]) == 1
    assert capsys.readouterr() == (
        "agents desk, sales\n  + keys:\n    + timeout: 5s\n    + max: 4\n",
        '2 changes for callers between "old" and "new"\n',
    )


def test_many_calls_that_go_the_same_way_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = ", ".join(f'"+1800555000{number}"' for number in range(5))
    write(
        folder / "new",
        {"desk.yaml": DESK.replace('"+18005551212"', f'["+18005551212", {numbers}]'), "s.yaml": SALES},
    )
    assert main(["diff", "old", "new"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["  sales → desk", "    from +14155550100 to +18005550000"]
    assert lines[-1] == "    and 2 more; --format json names them all"
    assert main(["diff", "old", "new", "--format", "markdown"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "| and 2 more | **`sales`** | **`desk`** |"


def test_nothing_in_a_comment_turns_the_direction_of_writing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reviewer would read another change than the one that is made."""
    greeting = 'greeting: "Call \\u202e0555 008\\u2066."'
    desk = "\n".join(greeting if line.startswith("greeting:") else line for line in DESK.split("\n"))
    write(
        folder / "new",
        {"desk.yaml": desk.replace('"+18005551212"', '{user: "\\u202eksed"}'), "s.yaml": SALES},
    )
    assert main(["diff", "old", "new", "--format", "markdown"]) == 1
    out = capsys.readouterr().out
    assert "+ Call \\u202e0555 008\\u2066." in out
    assert "\u202e" not in out


def test_a_route_that_no_call_shows_is_told_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "old", {"desk.yaml": DESK.replace('"+18005551212"', '{regex: "sip:1[0-9]@a|b"}')})
    write(
        folder / "new",
        {"desk.yaml": DESK.replace('"+18005551212"', '{regex: "sip:1[0-8]@a|b"}'), "s.yaml": SALES},
    )
    assert main(["diff", "old", "new"]) == 1
    assert capsys.readouterr().out == (
        "routes written otherwise, without a call to show that it matters\n"
        '  - desk  old/desk.yaml:2:10  to matches the regex "sip:1[0-9]@a|b"\n'
        '  + desk  new/desk.yaml:2:10  to matches the regex "sip:1[0-8]@a|b"\n'
    )
    assert main(["diff", "old", "new", "--format", "markdown"]) == 1
    assert capsys.readouterr().out == (
        "### What changes for callers between `old` and `new`\n"
        "\n"
        "#### Routes written otherwise, without a call to show that it matters\n"
        "\n"
        '- gone: `desk: to matches the regex "sip:1[0-9]@a\\|b"` at `old/desk.yaml:2:10`\n'
        '- new: `desk: to matches the regex "sip:1[0-8]@a\\|b"` at `new/desk.yaml:2:10`\n'
    )


def test_a_call_has_a_time_where_schedules_decide(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hours = "schedules: {hours: {timezone: America/New_York, open: {mon-sun: 09:00-%s}}}\n"
    desk = DESK.replace("}]\n", ", during: hours}]\n", 1)
    write(folder / "old", {"desk.yaml": desk, "runner.yaml": hours % "17:00"})
    write(folder / "new", {"desk.yaml": desk, "s.yaml": SALES, "runner.yaml": hours % "18:00"})
    assert main(["diff", "old", "new", "--at", "2026-11-23T12:00-05:00"]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[1] == "  sales → desk"
    assert lines[2] == "    from +14155550100 to +18005551212, Monday 2026-11-23T17:00-05:00"
    assert printed.err == (
        '2 changes for callers between "old" and "new", from Monday 2026-11-23T12:00-05:00 on\n'
    )
    assert lines[-1] == "  schedules.hours.open: mon-sun 09:00-17:00 → mon-sun 09:00-18:00"


def test_colours_are_for_terminals(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        folder / "new",
        {"desk.yaml": DESK.replace("marin", "cedar"), "s.yaml": SALES, "o.yaml": CHANGED["overflow.yaml"]},
    )

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["diff", "old", "new"]) == 1
    assert screen.getvalue() == (
        "\x1b[1magents\x1b[0m\n\x1b[32m  + overflow\x1b[0m\n\n"
        "\x1b[1magent desk\x1b[0m\n  accept.audio.output.voice: marin → cedar\n"
    )


def test_control_characters_are_escaped_and_backquotes_fenced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        folder / "new", {"s.yaml": SALES, "desk.yaml": DESK.replace("Be kind.", "\u202eBe kind.\n  ```\n  x")}
    )
    assert main(["diff", "old", "new"]) == 1
    assert "    + \\u202eBe kind.\n" in capsys.readouterr().out
    assert main(["diff", "old", "new", "--format", "markdown"]) == 1
    page = capsys.readouterr().out
    assert page.count("````") == 2
    assert "\n+ ```\n" in page


# Git.


@pytest.mark.parametrize(
    ("arguments", "between"),
    [
        (["main", "agents"], '"main:agents" and "agents"'),
        (["main:agents", "agents"], '"main:agents" and "agents"'),
        (["HEAD:agents", "agents/"], '"HEAD:agents" and "agents"'),
        (["agents", "main"], '"agents" and "main:agents"'),
    ],
)
def test_a_revision_is_compared_with_the_working_tree(
    repository: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], between: str
) -> None:
    assert main(["diff", *arguments]) == 1
    assert capsys.readouterr().err == f"1 change for callers between {between}\n"


def test_two_revisions_are_compared(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(repository, "commit", "-q", "-a", "-m", "two")
    assert main(["diff", "main~1", "main"]) == 1
    assert capsys.readouterr() == (
        "agent desk\n  accept.audio.output.voice: marin → cedar\n",
        '1 change for callers between "main~1:agents" and "main:agents"\n',
    )


def test_a_revision_is_found_from_a_folder_within_and_from_one_outside(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "elsewhere").mkdir()
    monkeypatch.chdir(repository / "agents")
    assert main(["diff", "main", "."]) == 1
    assert capsys.readouterr().err == '1 change for callers between "main:agents" and "."\n'
    monkeypatch.chdir(repository.parent)
    assert main(["diff", "main", str(repository / "agents")]) == 1
    assert '"main:agents"' in capsys.readouterr().err


def test_the_top_of_a_repository_can_be_the_directory(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(folder / "old", "init", "-q", "-b", "main")
    git(folder / "old", "add", ".")
    git(folder / "old", "commit", "-q", "-m", "one")
    (folder / "old" / "sales.yaml").write_text(SALES.replace("1800", "1888"))
    assert main(["diff", "main", "old"]) == 1
    printed = capsys.readouterr()
    assert printed.err == '2 changes for callers between "main:" and "old"\n'
    assert "was: the route at main:sales.yaml:2:10 matches" in printed.out


def test_a_directory_comes_before_a_revision_of_the_same_name(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "main").mkdir()
    write(repository / "main", {"desk.yaml": DESK})
    assert main(["diff", "main", "agents"]) == 1
    assert capsys.readouterr().err == '1 change for callers between "main" and "agents"\n'


def test_comparing_leaves_the_repository_as_it_was(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def state() -> str:
        command = ["git", "status", "--porcelain=v2"]
        return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout

    before = state()
    main(["diff", "main", "agents"])
    assert state() == before


def test_an_old_side_with_errors_is_shown_by_its_revision(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        repository / "agents", {"desk.yaml": "voise: x\n" + DESK, "two.yaml": SALES.replace("sales", "desk")}
    )
    git(repository, "add", "agents")
    git(repository, "commit", "-q", "-m", "two")
    (repository / "agents" / "two.yaml").unlink()
    (repository / "agents" / "desk.yaml").write_text(DESK)
    assert main(["diff", "main", "agents"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        'main:agents/desk.yaml:1:1: unknown key "voise"; did you mean "voice"? [unknown-key]\n'
        "    1 | voise: x\n"
        "      | ^\n"
        'main:agents/two.yaml:1:8: the id "desk" is taken by main:agents/desk.yaml:2:8; '
        "choose another [duplicate-agent]\n"
        "    1 | agent: desk\n"
        "      |        ^\n"
        'phone-agents diff: "main:agents" has errors, so there is nothing to compare\n'
    )


@pytest.mark.parametrize("target", ["/proc/self/environ", "../secret.md"])
def test_a_link_in_a_revision_shows_no_file_from_outside_of_the_directory(
    repository: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    """In a pipeline a stranger's pull request would read the runner's environment."""
    write(repository, {"secret.md": "hunter2"})
    (repository / "agents" / "_p.md").unlink()
    (repository / "agents" / "_p.md").symlink_to(target)
    write(
        repository / "agents",
        {"desk.yaml": DESK.partition("instructions")[0] + "instructions: {file: _p.md}\n"},
    )
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "two")
    git(repository, "branch", "stranger")
    for arguments in (["diff", "main~1", "stranger", "--format", "markdown"], ["explain", "agents", "desk"]):
        assert main(arguments) != 0
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "hunter2" not in printed.err
        assert "PATH" not in printed.err
        assert re.search(
            r'desk.yaml:6:22: "_p.md" leads out of the directory "\S+"; '
            r"replace the link with what it leads to \[file\]\n",
            printed.err,
        )


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ("mian", '"mian" is neither a directory nor a git revision'),
        (
            "origin/main",
            '"origin/main" is neither a directory nor a git revision; a revision that this clone does not'
            " hold has to be fetched first",
        ),
        ("main:agent", 'there is no directory "agent" at revision "main"'),
        ("main:agents/desk.yaml", 'there is no directory "agents/desk.yaml" at revision "main"'),
        ("--output=x:agents", ""),
    ],
)
def test_what_is_not_there_is_said(
    repository: Path, capsys: pytest.CaptureFixture[str], old: str, message: str
) -> None:
    code = main(["diff", old, "agents"])
    printed = capsys.readouterr()
    assert printed.out == ""
    if message:
        assert (code, printed.err) == (3, f"phone-agents diff: {message}\n")
    else:
        assert code == 2


def test_without_a_repository_only_directories_are_compared(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", "main", "old"]) == 3
    assert capsys.readouterr().err == (
        'phone-agents diff: there is no directory "main", and no git repository here that could have such a'
        " revision\n"
    )


def test_without_git_only_directories_are_compared(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert main(["diff", "main", "old"]) == 3
    assert capsys.readouterr().err == "phone-agents diff: git is not installed; name two directories\n"


def test_two_sides_have_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "old"]) == 2


def test_an_environment_is_laid_over_both_sides(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runner = "environments: {staging: {routing: {otherwise: {agent: %s}}}}\n"
    write(folder / "old", {"runner.yaml": runner % "desk"})
    write(folder / "new", {"desk.yaml": DESK, "s.yaml": SALES, "runner.yaml": runner % "sales"})
    assert main(["diff", "old", "new"]) == 0
    capsys.readouterr()
    assert main(["diff", "old", "new", "--environment", "staging"]) == 1
    assert capsys.readouterr().out.splitlines()[1] == "  desk → sales"
