"""Finds one side of a comparison: a directory, or a directory at a git revision. Changes no repository."""

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from runner.config.load import load
from runner.config.loaded import Loaded
from runner.errors import CannotRunError
from runner.model.values import Place

_DIRECTORY = "agents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A configuration directory, possibly a copy from git."""

    label: str
    """As a person would name it, e.g. `agents` or `main:agents`."""
    path: Path

    def load(self, environment: str | None) -> Loaded:
        """Load it. Problems name the files as `shown` does."""
        loaded = load(self.path, environment)
        problems = (
            replace(
                problem,
                place=problem.place._replace(file=self.shown(problem.place.file)),
                message=self.shown(problem.message),
            )
            for problem in loaded.problems
        )
        sources = {self.shown(name): text for name, text in loaded.sources.items()}
        return replace(loaded, problems=tuple(problems), sources=sources)

    def shown(self, text: str) -> str:
        """A text in which the label names the files of this side."""
        path = self.path.as_posix()
        inside = self.label if self.label.endswith(":") else f"{self.label}/"
        return text.replace(f"{path}/", inside).replace(path, self.label)

    def place(self, place: Place) -> str:
        """A place in this side's files."""
        return self.shown(str(place))


def open_side(argument: str, beside: str, folder: Path) -> Side:
    """The directory that a command's argument names; one from git is copied into `folder`.

    An argument is a directory, or a git revision (`main`), or one with a path from the top of the repository
    (`main:path/to/agents`). Without a path it is that of the directory `beside` it, or else `agents`. Raises
    CannotRunError when there is neither such a directory nor such a revision.
    """
    if Path(argument).is_dir():
        return Side(label=Path(argument).as_posix(), path=Path(argument))
    revision, colon, path = argument.partition(":")
    where = Path(beside) if Path(beside).is_dir() else Path()
    top = _git(where, "rev-parse", "--show-toplevel")
    if top is None:
        raise CannotRunError(
            f'there is no directory "{argument}", and no git repository here that could have such a revision'
        )
    if _git(where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") is None:
        hint = "; a revision that this clone does not hold has to be fetched first"
        hint = hint if colon or "/" in revision else ""
        raise CannotRunError(f'"{argument}" is neither a directory nor a git revision{hint}')
    inside = PurePosixPath(path if colon else _path_beside(beside, where))
    tree = _git(
        where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}:{_written(inside)}"
    )
    if tree is None or _git(where, "cat-file", "-t", tree) != "tree":
        raise CannotRunError(f'there is no directory "{inside}" at revision "{revision}"')
    _check_out(Path(top), tree, folder)
    return Side(label=f"{revision}:{_written(inside)}", path=folder)


def _path_beside(beside: str, where: Path) -> str:
    """The default path, from the top of the repository."""
    _, colon, path = beside.partition(":")
    if where != Path() or Path(beside).is_dir():
        return _git(where, "rev-parse", "--show-prefix") or "."
    return path if colon else f"{_git(where, 'rev-parse', '--show-prefix')}{_DIRECTORY}"


def _written(path: PurePosixPath) -> str:
    """In git's form: the top itself is the empty path."""
    return "" if path == PurePosixPath() else path.as_posix()


def _check_out(top: Path, tree: str, folder: Path) -> None:
    """Write the files of a tree as a checkout would, with an index of our own."""
    folder.mkdir()
    index = {"GIT_INDEX_FILE": str(folder.with_suffix(".index"))}
    for command in (["read-tree", tree], ["checkout-index", "--all", "--quiet"]):
        arguments = [
            f"--work-tree={folder.resolve()}",
            f"--git-dir={_git(top, 'rev-parse', '--absolute-git-dir')}",
        ]
        if _git(folder, *arguments, *command, environ=index) is None:
            raise CannotRunError(f'git cannot read the files of "{tree}"')


def _git(where: Path, *arguments: str, environ: dict[str, str] | None = None) -> str | None:
    """git's output; None when it fails. Raises CannotRunError without git."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and revisions follow `--end-of-options`
            ["git", "-C", str(where), *arguments],  # noqa: S607 - the git of the user's path
            capture_output=True,
            check=False,
            env={**os.environ, **(environ or {})},
            text=True,
        )
    except FileNotFoundError:
        raise CannotRunError("git is not installed; name two directories") from None
    return done.stdout.strip() if done.returncode == 0 else None
