"""`phone-agents init`: writes a working agent, its scenarios and a CI file. Overwrites nothing, ever."""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from runner import __version__
from runner.cli.main import OK
from runner.cli.terminal import Style, Terminal, printable, stdout
from runner.errors import CannotRunError, UsageError

_STARTER = Path(__file__).parents[1] / "starter"
_AGENTS = Path("agents")
_GITIGNORE = Path(".gitignore")

FILES = {
    _AGENTS / "front-desk.yaml": "agents/front-desk.yaml",
    _AGENTS / "front-desk.test.yaml": "agents/front-desk.test.yaml",
    _AGENTS / "runner.yaml": "agents/runner.yaml",
}
"""The files of a project, and the package's file that each is a copy of."""
CI_FILES = {
    "github": (Path(".github", "workflows", "phone-agents.yml"), "workflow.yml"),
    "gitlab": (Path(".gitlab-ci.yml"), "gitlab-ci.yml"),
}
"""The same for the CI file of each service."""
INSTALLED = "REQUIREMENT"
"""Stands in a CI file for the requirement to install."""
_REQUIREMENT = re.compile(r"[A-Za-z0-9./][\w.~:/?#\[\]@!&()*+,;=<>%-]*( @ [\w.~:/?#\[\]@!&()*+,;=%-]+)?")
"""What pip installs, without anything that a shell or YAML would read otherwise."""

NEXT_STEPS = (
    ("phone-agents validate", "checks the files"),
    ("phone-agents test", "plays the scenarios"),
    ("phone-agents simulate", "shows a whole call, against a stand-in for the voice API"),
    ("phone-agents run --dev", "lets you speak with the agent in a browser"),
    ("phone-agents run", "answers calls, once OPENAI_API_KEY and OPENAI_WEBHOOK_SECRET are set"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "project",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the project's directory, created if necessary (default: this one)",
    )
    parser.add_argument(
        "--ci",
        choices=tuple(CI_FILES),
        default="github",
        help="the CI service to write a file for (default: github)",
    )
    parser.add_argument(
        "--from",
        dest="requirement",
        metavar="REQUIREMENT",
        help="what the CI file installs, in pip's notation: a repository such as git+https://…@v1 or a wheel "
        "(default: this version from the package index)",
    )


def run(options: argparse.Namespace) -> int:
    """Write the files. Where one of them is there already, CannotRunError is raised and nothing written.

    Raises UsageError for a requirement that cannot be written into a CI file.
    """
    project: Path = options.project
    requirement = _requirement(options.requirement)
    ci_path, ci_file = CI_FILES[options.ci]
    files = {**FILES, ci_path: ci_file, _GITIGNORE: "gitignore"}
    # Most projects have a .gitignore; it stays as it is.
    has_gitignore = _is_there(project / _GITIGNORE)
    if has_gitignore:
        del files[_GITIGNORE]
    _check(project, files)
    for path, source in files.items():
        text = (_STARTER / source).read_text(encoding="utf-8")
        _write(project / path, text.replace(INSTALLED, requirement) if path == ci_path else text)
    _show(project, files, is_ignored=not has_gitignore or _ignores_records(project), terminal=stdout())
    return OK


def _requirement(text: str | None) -> str:
    if text is None:
        major, minor, _ = __version__.split(".", 2)
        return f"phone-agents~={major}.{minor}.0"
    if _REQUIREMENT.fullmatch(text) is None:
        raise UsageError(
            f'--from: "{text}" cannot be written into a CI file; write one such as "git+https://git.example/us/'
            'phone-agents@v0.1.0" or "vendor/phone_agents-0.1.0-py3-none-any.whl"'
        )
    return text


def _check(project: Path, wanted: Iterable[Path]) -> None:
    there = [path for path in wanted if _is_there(project / path)]
    agents = project / _AGENTS
    if agents.is_dir():
        there += [path.relative_to(project) for path in sorted(agents.glob("*.y*ml"))]
    if there:
        raise CannotRunError(f'"{(project / there[0]).as_posix()}" exists already; init overwrites nothing')


def _is_there(path: Path) -> bool:
    """Whether anything has this name, including a link that leads nowhere."""
    return path.is_symlink() or path.exists()


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file that appeared since the check is not overwritten either.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CannotRunError(f'"{path.as_posix()}" cannot be written: {reason}') from error


def _ignores_records(project: Path) -> bool:
    try:
        lines = (project / _GITIGNORE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().lstrip("/") in ("calls.db", "calls.db*", "*.db") for line in lines)


def _show(project: Path, written: Iterable[Path], *, is_ignored: bool, terminal: Terminal) -> None:
    for path in written:
        terminal.line(printable(f"wrote {(project / path).as_posix()}"))
    terminal.line()
    terminal.line(terminal.styled("next", Style.BOLD))
    if project != Path():
        terminal.line(printable(f"  cd {project.as_posix()}"))
    width = max(len(command) for command, _ in NEXT_STEPS)
    for command, what in NEXT_STEPS:
        # Padded before it is styled, since a terminal's escapes have no width.
        terminal.line(f"  {terminal.styled(f'{command:{width}}', Style.NAME)}  {what}")
    terminal.line()
    terminal.line('Put your number and your words into "agents/front-desk.yaml".')
    if not is_ignored:
        terminal.line(
            'Add "calls.db*" to ".gitignore": it will hold the records of calls, with what was said.'
        )
