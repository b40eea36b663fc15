"""Writes the log's text to a stream, below Python's buffers, and alone among the processes that share it.

The lock of a buffer that a stuck thread holds would keep the interpreter from ending.
"""

import fcntl
import os
import select
import time
from collections.abc import Callable
from io import UnsupportedOperation
from typing import TextIO

BLOCKED_S = 1.0
"""Between two attempts to write to a stream that takes nothing without blocking."""
_MOMENT_S = 0.2
"""How long a process that writes without a thread waits for a reader."""


def writer(stream: TextIO, lock: int | None = None) -> Callable[[str], None]:
    """A function that writes text to the stream, and waits for its reader.

    `lock` is the descriptor of a file that processes with one stream lock while they write: a pipe takes
    four kilobytes of one process at a time, and lines are longer.
    """
    number = _descriptor(stream)
    if number is None:

        def write_text(text: str) -> None:
            stream.write(text)

        return write_text

    def write(text: str) -> None:
        rest = memoryview(text.encode(errors="backslashreplace"))
        while rest:
            try:
                rest = rest[os.write(number, rest) :]
            except BlockingIOError:
                select.select([], [number], [], BLOCKED_S)
            except OSError:
                return  # The reader has gone: nobody can be told.

    if lock is None:
        return write
    # The last lines are written at exit, when the owner of the lock has closed it.
    shared = os.dup(lock)

    def write_alone(text: str) -> None:
        # The kernel releases the lock of a process that is killed in between.
        fcntl.lockf(shared, fcntl.LOCK_EX)
        try:
            write(text)
        finally:
            fcntl.lockf(shared, fcntl.LOCK_UN)

    return write_alone


def prompt_writer(stream: TextIO, lock: int | None = None) -> Callable[[str], bool]:
    """As `writer`, but a text that cannot be written within a moment is dropped, and False returned."""
    number = _descriptor(stream)
    if number is None:
        return lambda text: stream.write(text) >= 0

    def write(text: str) -> bool:
        until = time.monotonic() + _MOMENT_S
        if lock is not None and not _is_locked(lock, until):
            return False
        try:
            rest = memoryview(text.encode(errors="backslashreplace"))
            while rest:
                left_s = max(until - time.monotonic(), 0.0)
                if not select.select([], [number], [], left_s)[1]:
                    return False
                # A pipe that takes anything takes as much without blocking.
                rest = rest[os.write(number, rest[: select.PIPE_BUF]) :]
        except OSError:
            pass  # The reader has gone: nobody can be told.
        finally:
            if lock is not None:
                fcntl.lockf(lock, fcntl.LOCK_UN)
        return True

    return write


def _descriptor(stream: TextIO) -> int | None:
    """The descriptor of the stream's file, with nothing left in its buffer; None where there is no file."""
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, UnsupportedOperation):
        return None


def _is_locked(lock: int, until: float) -> bool:
    """Whether the lock could be taken by then: its holder may wait for a reader."""
    while True:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.01)
        else:
            return True
