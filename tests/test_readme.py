"""The README cannot lie: its YAML loads, its command lines are run, and what it shows of them is printed."""

import argparse
import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

import pytest

from runner.cli.main import CANNOT, COMMANDS, OK, PROBLEMS, USAGE, main
from runner.config.load import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FLAGS = re.DOTALL | re.MULTILINE

BLOCKS = [
    textwrap.dedent(indent + text)
    for indent, text in re.findall(r"^ *```yaml\n( *)(.*?)^ *```$", README, FLAGS)
]
AGENTS = [block for block in BLOCKS if re.search(r"^agent:", block, re.MULTILINE)]
SCENARIOS = [block for block in BLOCKS if block.startswith("- name:")]
PIPELINES = [block for block in BLOCKS if re.search(r"^(jobs|phone-agents|repos):", block, re.MULTILINE)]
"""Held by tests/test_pipelines.py."""
SETTINGS = [block for block in BLOCKS if block not in AGENTS + SCENARIOS + PIPELINES]


def test_the_readme_has_agents_and_one_runner_yaml() -> None:
    assert len(AGENTS) == 6
    assert len(SETTINGS) == 1
    assert len(SCENARIOS) == 1
    assert len(PIPELINES) == 3


@pytest.mark.parametrize(
    "agent", AGENTS, ids=lambda block: re.findall(r"^agent: (\S+)", block, re.MULTILINE)[0]
)
def test_every_agent_of_the_readme_loads_beside_its_runner_yaml(agent: str, tmp_path: Path) -> None:
    beside(tmp_path)
    (tmp_path / "agent.yaml").write_text(agent, encoding="utf-8")
    for name in set(re.findall(r"handoff: {agent: (.*)}|{handoff: (.*?)}", agent)):
        other = f"agent: {''.join(name)}\nmodel: gpt-realtime-2.1\ninstructions: Help the caller.\n"
        (tmp_path / f"{''.join(name)}.yaml").write_text(other, encoding="utf-8")
    loaded = load(tmp_path)
    mistakes = [str(problem) for problem in loaded.problems if problem.place.file.endswith("/agent.yaml")]
    assert mistakes == []
    assert loaded.configuration is not None


def beside(folder: Path) -> None:
    """What the agents of the README refer to."""
    for name, text in (
        ("runner.yaml", SETTINGS[0]),
        ("_prompts/front-desk.md", "You are the receptionist.\n"),
        ("_openapi/orders.yaml", ORDERS),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


ORDERS = """\
openapi: 3.1.0
info: {title: Orders, version: "1"}
servers: [{url: "https://api.maple.example"}]
paths:
  /orders/{number}:
    get:
      operationId: getOrder
      description: Look up an order.
      parameters: [{name: number, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: The order.}}
"""


def test_the_scenarios_of_the_readme_pass_for_the_agent_above_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside(tmp_path)
    (tmp_path / "front-desk.yaml").write_text(AGENTS[1], encoding="utf-8")
    (tmp_path / "front-desk.test.yaml").write_text(SCENARIOS[0], encoding="utf-8")
    code = main(["test", str(tmp_path)])
    assert capsys.readouterr().out == ""
    assert code == 0


def test_the_first_agent_needs_no_runner_yaml(tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").write_text(AGENTS[0], encoding="utf-8")
    loaded = load(tmp_path)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.configuration is not None
    assert list(loaded.configuration.agents) == ["hello"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has who follows the README: the example agents, the first agent, all of it in git."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "agents", folder / "agents")
    (folder / "my-agents").mkdir()
    (folder / "my-agents" / "hello.yaml").write_text(AGENTS[0], encoding="utf-8")
    who = ("-c", "user.name=A", "-c", "user.email=a@maple.example")
    for step in (
        ("init", "-q", "-b", "main"),
        ("add", "--all"),
        ("commit", "-q", "-m", "Agents"),
        ("update-ref", "refs/remotes/origin/main", "main"),
    ):
        subprocess.run(["git", *who, *step], cwd=folder, env=environ(), check=True)
    return folder


def environ() -> dict[str, str]:
    """The variables that the ten steps set, and the project's own command first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    keys = {"OPENAI_API_KEY": "sk-1", "OPENAI_WEBHOOK_SECRET": "whsec_bm90IGEgc2VjcmV0"}
    # Unbuffered, both outputs mix as they do on a terminal.
    return {**kept, **keys, "PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "110"}


MEANT = {
    "DIR": "agents/",
    "AGENT": "front-desk",
    "NUMBER": "+18005550142",
    "OLD": "main",
    "NEW": "agents/",
}
"""What stands for the words that a reader replaces."""


def command_lines() -> list[str]:
    """Every `phone-agents …` that the README shows, in code spans, in jobs and in shell blocks."""
    spans = re.findall(r"`(phone-agents [^`]+)`", README)
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    blocks = re.findall(r"^ *(?:- )?(?:.*\.venv/bin/)?(phone-agents [^:\n]+)$", shell + README, re.MULTILINE)
    return sorted({re.sub(r"\[(DIR)…?\]", r"\1", line) for line in spans + blocks})


def test_the_readme_shows_every_command() -> None:
    assert {line.split()[1] for line in command_lines()} == set(COMMANDS)


@pytest.mark.parametrize("line", [line for line in command_lines() if line.split()[1] != "run"])
def test_every_command_line_of_the_readme_works(line: str, project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    meant = MEANT if "init" not in line else {"DIR": "new"}
    words = [meant.get(word, word) for word in line.split()]
    if line == "phone-agents init":
        shutil.rmtree(tmp_path / "agents")
    done = subprocess.run(
        ["bash", "-c", " ".join(words)],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [line for line in command_lines() if line.split()[1] == "run"])
async def test_every_run_of_the_readme_starts_and_stops(line: str, project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    words = [{"DIR": "my-agents/"}.get(word, word) for word in line.split()]
    process = await asyncio.create_subprocess_exec(
        *words, "--port", "0", cwd=tmp_path, env=environ(), stderr=PIPE, stdout=DEVNULL
    )
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b'"ready"' not in (said := await process.stderr.readline()):
            assert said, "it has ended before it was ready"
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


SESSIONS = [textwrap.dedent(block) for block in re.findall(r"^ *```console\n(.*?)^ *```$", README, FLAGS)]


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.splitlines()[-1])
def test_what_the_readme_shows_of_a_terminal_is_what_is_printed(
    session: str, project: Path, tmp_path: Path
) -> None:
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    printed = []
    for line in re.findall(r"^\$ (.+)$", session, re.MULTILINE):
        command = ["bash", "-c", line]
        done = subprocess.run(
            command, cwd=tmp_path, env=environ(), stdout=PIPE, stderr=STDOUT, text=True, check=False
        )
        printed.append(f"$ {line}\n{done.stdout}")
    assert "".join(printed) == session


def parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command, as the program makes it."""
    made = argparse.ArgumentParser(prog=f"phone-agents {command}", exit_on_error=False)
    import_module(f"runner.cli.{command}").configure(made)
    return made


def table_row(command: str) -> str:
    """What the table of commands says of one command."""
    return next(line for line in README.splitlines() if line.startswith(f"| `phone-agents {command}"))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_names_every_command_with_every_option(command: str) -> None:
    known = {option for action in parser(command)._actions for option in action.option_strings}
    named = set(re.findall(r"--[a-z-]+", table_row(command)))
    assert named == known - {"-h", "--help", "--environment"}
    assert ("--environment" in known) == (command not in ("init", "schema"))


def test_the_table_names_every_exit_code() -> None:
    assert re.findall(r"^\| ([0-9]+) \|", README, re.MULTILINE) == [
        str(code) for code in (OK, PROBLEMS, USAGE, CANNOT)
    ]


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
