"""Keeps a second process from serving calls over the same file."""

import fcntl
import os
from pathlib import Path

from runner.errors import CannotRunError
from runner.store.sqlite.database import MEMORY


def lock_of(path: str) -> Path:
    """The file of the lock of the database at this path, the same by whatever links it is reached."""
    return Path(f"{os.path.realpath(path)}.lock")


class ProcessLock:
    """A lock on a file beside the database, which names the process. It ends with the process."""

    def __init__(self, path: str) -> None:
        self._store = path
        self._path = lock_of(path)
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock; once taken it stays so. Raises CannotRunError when another process has it."""
        if self._store == MEMORY:
            return
        while self._file is None:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_there = os.path.samestat(os.fstat(file), self._path.stat())
            except FileNotFoundError:
                is_there = False
            except BlockingIOError:
                owner = os.pread(file, 20, 0).decode(errors="replace").strip()
                os.close(file)
                raise CannotRunError(
                    f'store "sqlite:{self._store}" is in use by another runner (process {owner}); '
                    "stop that one, name another file, or share a postgresql:// store"
                ) from None
            if not is_there:  # the process before has just deleted it
                os.close(file)
                continue
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
            self._file = file

    def release(self) -> None:
        """Release the lock, and delete its file."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None
