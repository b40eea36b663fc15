"""A bounded queue of lines in a file, for what the store cannot take now. It outlives the process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 256 * 1024 * 1024
"""The largest size of the file. A call's record takes some kilobytes, that of a long call some hundred."""
MOST_FILES = 64
"""How many processes may have a file each beside one store."""
_CHUNK = 256 * 1024


class Spool:
    """First in, first out. A line is text without line breaks; only we may read the file.

    Every method blocks as files do, and raises OSError. Processes that name the same path have a file each
    (`PATH`, `PATH.2`, …); the next to `open` adopts what an ended process has left in its own.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._base = path
        self._most_bytes = most_bytes
        self._file: int | None = None
        self._first_at = 0
        self._end = 0
        self._lines = 0
        self.path = path
        """The file, once there is one."""

    def __len__(self) -> int:
        return self._lines

    @property
    def waiting_bytes(self) -> int:
        return self._end - self._first_at

    def open(self) -> None:
        """Adopt what ended processes have left. Creates no file."""
        for path in _paths(self._base):
            left = _claimed(path) if path.exists() else None
            if left is None:
                continue
            if self._file is None:
                self._use(left, path)
                continue
            try:
                self._write(_whole_lines(left))
                path.unlink()
            finally:
                os.close(left)

    def append(self, line: str) -> bool:
        """Append a line. False when the file is full."""
        data = line.encode() + b"\n"
        if self._end + len(data) > self._most_bytes:
            return False
        if self._file is None:
            self._make()
        self._write(data)
        return True

    def first(self, most: int) -> list[str]:
        """The lines that have waited longest, at most this many."""
        return [line.decode(errors="replace") for line in self._first_lines(most)]

    def drop(self, count: int) -> None:
        """Remove this many of the lines that have waited longest."""
        self._first_at += sum(len(line) + 1 for line in self._first_lines(count))
        self._lines -= count
        if not self._lines:
            os.ftruncate(self._opened(), 0)
            self._first_at = self._end = 0

    def close(self) -> None:
        """Close the file, and delete it when nothing waits in it."""
        if self._file is not None:
            if not self._lines:
                self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None
            self._first_at = self._end = self._lines = 0

    def _make(self) -> None:
        for path in _paths(self._base):
            if (made := _claimed(path)) is not None:
                self._use(made, path)
                return
        raise OSError(f'"{self._base}" and {MOST_FILES - 1} more files are all in use')

    def _use(self, file: int, path: Path) -> None:
        self._file, self.path = file, path
        content = _whole_lines(file)
        self._first_at, self._end, self._lines = 0, len(content), content.count(b"\n")

    def _opened(self) -> int:
        assert self._file is not None  # noqa: S101 - whoever has a line has a file
        return self._file

    def _write(self, data: bytes) -> None:
        written = 0
        while written < len(data):
            written += os.pwrite(self._opened(), data[written:], self._end + written)
        # Only now does the line count: one that a full disk has cut off is overwritten, and skipped by
        # `open`.
        self._end += len(data)
        self._lines += data.count(b"\n")

    def _first_lines(self, most: int) -> list[bytes]:
        count, content = min(most, self._lines), b""
        while content.count(b"\n") < count:
            chunk = os.pread(self._opened(), _CHUNK, self._first_at + len(content))
            if not chunk:
                self._lines = 0
                raise OSError(f'"{self.path}" was cut short by somebody else')
            content += chunk
        return content.split(b"\n", count)[:count]


def spooled_lines(base: Path) -> Iterator[tuple[Path, bytes]]:
    """What stands in the files of this path, whichever processes have them; a file that cannot be read is
    passed over.

    A line stays in its file for a while after it was dropped.
    """
    for path in _paths(base):
        with suppress(OSError), path.open("rb") as file:
            yield from ((path, line) for line in file if line.endswith(b"\n"))


def _paths(base: Path) -> list[Path]:
    return [base, *(Path(f"{base}.{number}") for number in range(2, MOST_FILES + 1))]


def _claimed(path: Path) -> int | None:
    """The file, created if necessary, for this process alone; None when another has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)  # another process has it, or has just deleted it
    return None


def _whole_lines(file: int) -> bytes:
    """The content, without an unfinished last line."""
    content = b""
    while chunk := os.pread(file, 16 * 1024 * 1024, len(content)):
        content += chunk
    return content[: content.rfind(b"\n") + 1]
