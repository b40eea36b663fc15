"""Says what keeps this process from using a database file at a path, before SQLite says less of it."""

import os
from typing import NamedTuple

_WRITABLE = os.R_OK | os.W_OK


class Obstacle(NamedTuple):
    """What is in the way, and what would help."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


def obstacle_of(path: str) -> Obstacle | None:
    """What is in the way of reading and writing this file, or of creating it; None where nothing is known.

    SQLite makes files of its own beside it, and the runner its lock: the directory must be writable as well.
    """
    # Where a folder may not be searched, pathlib's questions raise an error and these answer no.
    if not os.path.isdir(folder := os.path.dirname(path) or "."):  # noqa: PTH112, PTH120
        if _is_hidden(folder):
            return Obstacle(
                f'"{folder}" cannot be reached', "let the runner's user search the directories above"
            )
        return Obstacle(f'"{folder}" is not a directory', "create it, or name another file")
    if os.path.isdir(path):  # noqa: PTH112
        return Obstacle("it is a directory", "name a file in it")
    path = os.path.realpath(path)
    folder = os.path.dirname(path)  # noqa: PTH120
    for place in (folder, path):
        if _is_read_only(place):
            return Obstacle(
                f'"{place}" is on a read-only file system', "mount it writable, or name a file elsewhere"
            )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Obstacle(
            f'no file can be created in "{folder}", and SQLite needs some beside its own',
            "let the runner's user write there, or name a file elsewhere",
        )
    for file in (path, f"{path}-wal", f"{path}-shm"):
        if os.access(file, os.F_OK) and not os.access(file, _WRITABLE):
            return Obstacle(
                f'this user may not read and write "{file}"', "let the runner's user read and write it"
            )
    return None


def _is_hidden(folder: str) -> bool:
    """Whether a directory above it may not be searched."""
    try:
        os.stat(folder)  # noqa: PTH116
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _is_read_only(place: str) -> bool:
    try:
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except OSError:
        return False
