"""A reader's machine: a project in git, the variables that are set, and a shell."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, read

_GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@maple.example")


def make_project(folder: Path) -> None:
    """What somebody has who follows the README: the example agents, the first agent, all of it in git."""
    shutil.copytree(ROOT / "agents", folder / "agents")
    (folder / "my-agents").mkdir()
    first = read("README.md").blocks("yaml")[0]
    (folder / "my-agents" / "hello.yaml").write_text(first.text, encoding="utf-8")
    for step in (
        ("init", "-q", "-b", "main"),
        ("add", "--all"),
        ("commit", "-q", "-m", "Agents"),
        ("update-ref", "refs/remotes/origin/main", "main"),
    ):
        subprocess.run([*_GIT, *step], cwd=folder, env=environ(), check=True)


def environ() -> dict[str, str]:
    """The variables that a reader sets, and the project's own command first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = (ROOT / "agents" / "runner.yaml").read_text(encoding="utf-8")
    names = {*re.findall(r"{env: (\w+)}", settings), "OPENAI_WEBHOOK_SECRET"}
    return {
        **kept,
        **dict.fromkeys(names, "whsec_bm90IGEgc2VjcmV0LCBub3QgYXQgYWxs"),
        "OPENAI_API_KEY": "sk-1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        # Unbuffered, both outputs mix as they do on a terminal.
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "110",
    }


def bash(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a reader's shell does; both outputs are one text."""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def played(session: str, project: Path, folder: Path) -> str:
    """A session of a terminal as it goes now, in a copy of the project."""
    shutil.copytree(project, folder, dirs_exist_ok=True)
    lines = re.findall(r"^\$ (.+)$", session, re.M)
    return "".join(f"$ {line}\n{bash(line, folder).stdout}" for line in lines)
