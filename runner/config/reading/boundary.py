"""Keeps what is read inside of one directory, wherever a link leads."""

import os
import stat
from pathlib import Path

from runner.errors import CannotRunError


class LeadsOutError(Exception):
    """A link takes this path out of the directory. The text continues after the name of the path."""


class Boundary:
    """The boundary of one directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.real = _real(path)
        """The directory without links."""

    def resolved(self, path: Path) -> str:
        """The final target of a path. Raises LeadsOutError where that is outside, and OSError."""
        self.check(path)
        return os.path.realpath(path, strict=True)

    def check(self, path: Path) -> None:
        """Raise LeadsOutError for a path outside, which need not exist."""
        if not _is_inside(os.path.realpath(path), self.real):
            name = self._path.as_posix()
            raise LeadsOutError(
                f'leads out of the directory "{name}"; replace the link with what it leads to'
            )

    def check_is_here(self) -> None:
        """Raise CannotRunError if a relative path leads out of the working directory by a link.

        A pull request could replace the directory by one. Whoever means another place names it.
        """
        is_elsewhere = self._path.is_absolute() or Path(os.path.normpath(self._path)).parts[:1] == ("..",)
        if is_elsewhere or _is_inside(self.real, os.path.realpath(os.curdir)):
            return
        raise CannotRunError(
            f'"{self._path}" leads out of the working directory; name what it leads to, "{self.real}"'
        )


def _real(path: Path) -> str:
    """The final target of a path; the path itself where a link in it must not be followed."""
    try:
        return os.path.realpath(path)
    except OSError:
        return os.path.abspath(path)  # noqa: PTH100 - as above, a text


def _is_inside(path: str, folder: str) -> bool:
    """Whether a path is that of a folder or below it; both without links."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def may_be_folder(path: Path) -> bool:
    """Whether it is a folder, or a link that must not be followed."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        return True
    except OSError:
        return False
