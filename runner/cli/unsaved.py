"""Reads an editor's file from stdin, and finds the directory that it belongs to."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.config.reading.files import SETTINGS_FILE, USUAL_DIRECTORY
from runner.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaved:
    """A text that stands for the content of a file, saved or not."""

    directory: Path
    name: str
    """The file as places name it: the directory, then the path in it."""
    content: bytes = field(repr=False)
    is_alone: bool = False
    """The file is in no configuration directory, so no other file is read."""


def read_unsaved(filename: Path, directories: Sequence[Path]) -> Unsaved:
    """The text on stdin for this file of one of the directories; without any, its own directory is searched.

    Raises UsageError when the file is in none of them.
    """
    holder = _holder(filename, directories) if directories else _nearest_directory(filename)
    directory = holder or filename.parent
    inside = _whole(filename).relative_to(_whole(directory))
    name = (directory / inside).as_posix()
    content = sys.stdin.buffer.read()
    return Unsaved(directory=directory, name=name, content=content, is_alone=holder is None)


def _holder(filename: Path, directories: Sequence[Path]) -> Path:
    for directory in directories:
        if _whole(filename).is_relative_to(_whole(directory)):
            return directory
    names = " or ".join(f'"{directory}"' for directory in directories)
    raise UsageError(f'"{filename}" is not in {names}; name the directory that holds it')


def _nearest_directory(filename: Path) -> Path | None:
    """The nearest folder above with a runner.yaml, or one named agents, but none outside of the working
    directory.

    None where there is no such folder: the file's own may be a home directory.
    """
    above = [folder for folder in Path(os.path.normpath(filename)).parents if _is_here(folder)]
    for folder in above:
        if (folder / SETTINGS_FILE).is_file():
            return folder
    return next((folder for folder in above if folder.name == USUAL_DIRECTORY), None)


def _is_here(folder: Path) -> bool:
    return _whole(folder).is_relative_to(Path.cwd())


def _whole(path: Path) -> Path:
    """From the root on, without resolving links: an editor names the file as its user does."""
    return Path(os.path.normpath(path.absolute()))
