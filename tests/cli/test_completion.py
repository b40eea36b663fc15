"""`phone-agents completion`: what real shells make of what it prints, with keys typed at a terminal."""

import argparse
import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from runner.cli.completion import whole_parser
from runner.cli.main import COMMANDS, OK, USAGE, main
from tests.patience import PATIENCE_S

PROMPT = "ready> "
FILES = {
    "bash": "source {script}\n",
    "zsh": "fpath=({folder} $fpath); autoload -U compinit; compinit -u -D\n",
}
SHOW_ARGUMENTS = "phone-agents() { printf '<%s>' \"$@\"; echo '<end>'; }\n"
COMMAND = {"bash": ["bash", "--rcfile", ".zshrc", "-i"], "zsh": ["zsh", "-d", "-i"]}


def typed(shell: str, script: Path, keys: str) -> str:
    """What `phone-agents` gets as its arguments when these keys are pressed."""
    folder = script.parent
    begin = FILES[shell].format(script=script, folder=folder)
    (folder / ".zshrc").write_text(f"{begin}{SHOW_ARGUMENTS}PS1='{PROMPT}'\n")
    ours, theirs = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        COMMAND[shell], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environ
    )
    os.close(theirs)
    try:
        until(ours, PROMPT)
        os.write(ours, f"phone-agents {keys}\n".encode())
        shown = until(ours, "<end>\r\n")
        return shown.split("\n")[-2].strip().removesuffix("<end>")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def until(terminal: int, text: str) -> str:
    """What the terminal shows up to this text."""
    shown = ""
    deadline = time.monotonic() + PATIENCE_S
    while text not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


@pytest.fixture
def script(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """What is printed for a shell, in a folder with a directory that can be completed."""
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    (tmp_path / "configuration").mkdir()
    assert main(["completion", shell]) == OK
    path = tmp_path / f"_phone-agents.{shell}"
    if shell == "zsh":  # it looks for this name
        path = path.with_suffix("")
    path.write_text(capsys.readouterr().out)
    return path


@pytest.mark.parametrize("script", ["bash", "zsh"], indirect=True)
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("va\t--fo\tgit\t", "<validate><--format><github>"),
        ("calls pa\t", "<calls><parked>"),
        ("run con\t", "<run><configuration>"),
    ],
)
def test_keys_are_completed(script: Path, keys: str, expected: str) -> None:
    shell = "zsh" if script.suffix == "" else "bash"
    assert typed(shell, script, keys).replace("/>", ">") == expected


@pytest.mark.parametrize("script", ["fish"], indirect=True)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("va", ["validate"]),
        ("validate --fo", ["--format"]),
        ("validate --format g", ["github"]),
        ("calls pa", ["parked"]),
        ("run con", ["configuration/"]),
    ],
)
def test_fish_completes(script: Path, words: str, expected: list[str]) -> None:
    """fish can be asked without a terminal."""
    asked = f"source {script}; complete -C 'phone-agents {words}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked],
        cwd=script.parent,
        env={"PATH": os.environ["PATH"], "HOME": str(script.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == expected


def test_every_command_can_be_completed() -> None:
    parser = whole_parser()
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    assert list(commands.choices) == list(COMMANDS)


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fsh"]) == USAGE
    assert 'shell is "fsh"; did you mean "fish"?' in capsys.readouterr().err
