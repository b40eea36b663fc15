"""A mistyped command, option or value, a path or a disk that cannot be: one line, and what was meant."""

import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.main import CANNOT, OK, USAGE, main

COMMANDS = '"phone-agents --help" shows what there is'
LONG = "x" * 300


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("valdate", 'phone-agents: there is no command "valdate"; did you mean "validate"?'),
        ("Run --host x", 'phone-agents: there is no command "Run"; did you mean "run"?'),
        ("agents", f'phone-agents: there is no command "agents"; {COMMANDS}'),
        ("valdate --help", 'phone-agents: there is no command "valdate"; did you mean "validate"?'),
        ("", f"phone-agents: missing: COMMAND; {COMMANDS}"),
        ("--versoin", 'phone-agents: there is no option "--versoin"; did you mean "--version"?'),
        (
            "validate --fomat json",
            'phone-agents validate: there is no option "--fomat"; did you mean "--format"?',
        ),
        (
            "validate --form=json",
            'phone-agents validate: there is no option "--form"; did you mean "--format"?',
        ),
        (
            "validate -format json",
            'phone-agents validate: there is no option "-format"; did you mean "--format"?',
        ),
        (
            "explain --agnet x",
            'phone-agents explain: there is no option "--agnet"; '
            '"phone-agents explain --help" shows what there is',
        ),
        ("validate --format jsn", 'phone-agents validate: --format is "jsn"; did you mean "json"?'),
        (
            "validate --format xy",
            'phone-agents validate: --format is "xy"; write "text", "json", "github", "sarif" or "junit"',
        ),
        ("schema agnt", 'phone-agents schema: kind is "agnt"; did you mean "agent"?'),
        ("calls shw", 'phone-agents calls: there is no action "shw"; did you mean "show"?'),
        (
            "calls --dir x --folow show 1",
            'phone-agents calls: there is no option "--folow"; did you mean "--follow"?',
        ),
        (
            "test --run",
            'phone-agents test: --run: expected one argument; "phone-agents test --help" shows what there is',
        ),
        ("explain agents a b", f'phone-agents: unexpected argument "b"; {COMMANDS}'),
        (
            "run --port abc",
            'phone-agents run: --port: "abc" is not a valid port; write a number from 0 to 65535',
        ),
    ],
)
def test_the_word_that_was_meant_is_told(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == USAGE
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{message}\n")


def test_what_looks_like_an_option_and_is_a_value_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--", "agent"]) == OK
    assert main(["schema", "-1"]) == USAGE
    assert 'kind is "-1"' in capsys.readouterr().err


@pytest.mark.parametrize(("closed", "err"), [(">&-", '1 agent in "agents", no problems\n'), ("2>&-", "")])
def test_a_closed_stream_changes_no_exit_code(tmp_path: Path, closed: str, err: str) -> None:
    """A supervisor may start a command without stdout or stderr."""
    main(["init", str(tmp_path)])
    command = f'exec "$0" -m runner validate --no-environment agents {closed}'
    ended = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (OK, "", err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["schema", "agent"],
        ["completion", "bash"],
        ["validate", "agents", "--format", "json"],
        ["explain", "agents", "front-desk"],
        ["simulate", "agents"],
        ["init", "new"],
    ],
    ids=" ".join,
)
def test_output_to_a_full_disk_is_a_sentence(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "."]) == OK
    capsys.readouterr()
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(arguments) == CANNOT
    assert capsys.readouterr().err.endswith(
        f"phone-agents {arguments[0]}: the output cannot be written: no space left on device\n"
    )


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        (["validate", LONG], "cannot read "),
        (["diff", LONG, "agents"], ""),
        (["init", LONG], ""),
        (["explain", LONG, "x"], "cannot read "),
        (["calls", "--dir", LONG], ""),
    ],
    ids=["validate", "diff", "init", "explain", "calls"],
)
def test_a_path_that_is_too_long_is_a_sentence(
    arguments: list[str],
    subject: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == CANNOT
    told = capsys.readouterr().err
    assert told.startswith(f'phone-agents {arguments[0]}: {subject}"{LONG}')
    assert told.endswith('": file name too long\n')
