"""Every command line of the documentation is run, and what a terminal shows there is what is printed."""

import asyncio
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from runner.cli.main import COMMANDS, OK, main
from tests.docs.pages import Block, all_pages
from tests.docs.terminal import bash, environ, make_project, played
from tests.patience import PATIENCE_S

PAGES = all_pages()
SESSIONS = [block for page in PAGES for block in page.blocks("console")]
SCRIPTS = [block for page in PAGES for block in page.blocks("sh") if "pip install" not in block.text]
"""`.ci/run` runs the two that install, as they stand in the README."""
MEANT = {
    "DIR": "agents/",
    "AGENT": "front-desk",
    "NUMBER": "+18005550142",
    "ID": "rtc_u1_DiPn7qXe81Zba9tK",
    "SHELL": "bash",
    "OLD": "main",
    "NEW": "agents/",
}
"""What stands for the words that a reader replaces."""


def command_lines() -> list[str]:
    """Every `phone-agents …` in the prose and in the jobs of other pipelines."""
    spans = [span for page in PAGES for span in re.findall(r"`(phone-agents [^`]+)`", page.prose)]
    jobs = [
        line
        for page in PAGES
        for block in page.blocks("yaml")
        for line in re.findall(r"^ *- (phone-agents [^:\n]+)$", block.text, re.M)
    ]
    return sorted({re.sub(r"\[(DIR)…?\]", r"\1", line) for line in spans + jobs})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's project."""
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    return folder


def test_the_documentation_shows_every_command() -> None:
    assert {line.split()[1] for line in command_lines()} >= set(COMMANDS)


ONLINE = {"run", "doctor"}
"""The next test starts the one, and tests/doctor has an API for the other."""


@pytest.mark.parametrize("line", [line for line in command_lines() if line.split()[1] not in ONLINE])
def test_every_command_line_works(
    line: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: a shell, which the next tests have, would take half a second for each."""
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    meant = MEANT if "init" not in line else {"DIR": "new"}
    if line == "phone-agents init":
        shutil.rmtree(tmp_path / "agents")
    monkeypatch.chdir(tmp_path)
    for name, value in environ().items():
        monkeypatch.setenv(name, value)
    command, _, _ = line.partition(" > ")
    assert main([meant.get(word, word) for word in command.split()[1:]]) == OK


RUNS = sorted(
    {
        " ".join(MEANT.get(word, word) for word in line.split())
        for line in command_lines()
        if line.split()[1] == "run"
    }
)


@pytest.mark.parametrize("line", RUNS)
async def test_every_run_starts_and_stops(line: str, project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *line.split(), "--port", "0", cwd=tmp_path, env=environ(), stderr=PIPE, stdout=DEVNULL
    )
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        while b'"ready"' not in (said := await process.stderr.readline()):
            assert said, "it has ended before it was ready"
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_every_script_works(script: Block, project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    # Somebody may listen at the port that the stand-in has where none is said.
    text = re.sub(r"^(python -m runner\.standin)$", r"\1 --port 0", script.text, flags=re.MULTILINE)
    done = bash(f"set -euo pipefail\n{text}", tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_what_a_terminal_shows_is_what_is_printed(session: Block, project: Path, tmp_path: Path) -> None:
    assert played(session.text, project, tmp_path) == session.text, "run `python -m tests.docs`"
