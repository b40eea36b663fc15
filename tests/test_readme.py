"""The README cannot lie: its YAML loads, its command lines parse, its commands are those that there are."""

import argparse
import re
import shlex
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from runner.cli.main import COMMANDS, main
from runner.config.load import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = [
    textwrap.dedent(indent + text)
    for indent, text in re.findall(r"^ *```yaml\n( *)(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)
]
AGENTS = [block for block in BLOCKS if re.search(r"^agent:", block, re.MULTILINE)]
SCENARIOS = [block for block in BLOCKS if block.startswith("- name:")]
PIPELINES = [block for block in BLOCKS if re.search(r"^(jobs|phone-agents|repos):", block, re.MULTILINE)]
"""Held by tests/test_pipelines.py."""
SETTINGS = [block for block in BLOCKS if block not in AGENTS + SCENARIOS + PIPELINES]


def test_the_readme_has_agents_and_one_runner_yaml() -> None:
    assert len(AGENTS) == 5
    assert len(SETTINGS) == 1
    assert len(SCENARIOS) == 1
    assert len(PIPELINES) == 3


@pytest.mark.parametrize(
    "agent", AGENTS, ids=lambda block: re.findall(r"^agent: (\S+)", block, re.MULTILINE)[0]
)
def test_every_agent_of_the_readme_loads_beside_its_runner_yaml(agent: str, tmp_path: Path) -> None:
    (tmp_path / "_prompts").mkdir()
    (tmp_path / "_prompts" / "front-desk.md").write_text("You are the receptionist.\n", encoding="utf-8")
    (tmp_path / "runner.yaml").write_text(SETTINGS[0], encoding="utf-8")
    (tmp_path / "agent.yaml").write_text(agent, encoding="utf-8")
    loaded = load(tmp_path)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.configuration is not None
    assert len(loaded.configuration.agents) == 1


def test_the_scenarios_of_the_readme_pass_for_the_agent_above_them(tmp_path: Path, capsys) -> None:
    (tmp_path / "_prompts").mkdir()
    (tmp_path / "_prompts" / "front-desk.md").write_text("You are the receptionist.\n", encoding="utf-8")
    (tmp_path / "runner.yaml").write_text(SETTINGS[0], encoding="utf-8")
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


def command_lines() -> list[str]:
    """Every `phone-agents …` in the README, in code spans and in blocks, with the brackets resolved."""
    spans = re.findall(r"`(?:\.venv/bin/)?(phone-agents [^`]+)`", README)
    shell = re.findall(r"phone-agents [^\n&`]+", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)))
    return sorted({re.sub(r"\[(DIR)…?\]", r"\1", line) for line in spans + shell})


def test_the_readme_shows_command_lines() -> None:
    assert len(command_lines()) >= 8


def parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command, as the program makes it."""
    made = argparse.ArgumentParser(prog=f"phone-agents {command}", exit_on_error=False)
    import_module(f"runner.cli.{command}").configure(made)
    return made


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_of_the_readme_parses(line: str) -> None:
    _, command, *arguments = shlex.split(line)
    assert command in COMMANDS
    _, unknown = parser(command).parse_known_args(arguments)
    assert unknown == []


def table_row(command: str) -> str:
    """What the table of commands says of one command."""
    return next(line for line in README.splitlines() if line.startswith(f"| `phone-agents {command}"))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_names_every_command_and_only_options_that_there_are(command: str) -> None:
    known = {option for action in parser(command)._actions for option in action.option_strings}
    named = set(re.findall(r"--[a-z-]+", table_row(command)))
    assert named <= known


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
