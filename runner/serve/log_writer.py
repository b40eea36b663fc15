"""Writes the log in a thread of its own: a reader of stderr that stops reading must not stop a call."""

import fcntl
import logging
import os
import queue
import select
import threading
import time
from collections.abc import Callable
from io import UnsupportedOperation
from typing import TextIO

from runner.serve.log_folding import Folding
from runner.serve.log_lines import call_id_of

MOST_WAITING = 10_000
"""Lines that wait for a slow reader. Beyond that lines are dropped, and their number is logged."""
BATCH = 100
"""Lines written together."""
GATHER_S = 0.05
"""After a batch, before the next: waking the thread for each line costs the event loop more than the line."""
TICK_S = 1.0
"""Between two looks for windows of repeated lines that are over."""
FLUSH_S = 1.0
"""How long the end of the process waits for a reader that may never read again."""
_MOMENT_S = 0.2
"""How long a process that writes without a thread waits for a reader."""


class QueuedHandler(logging.Handler):
    """Formats each record where it is logged, and leaves the writing to its thread.

    Similar lines are folded. `close`, which Python calls at exit, writes the last lines.
    """

    def __init__(self, stream: TextIO, formatter: logging.Formatter, lock: int | None = None) -> None:
        """`lock`: see `writer`."""
        super().__init__()
        self.setFormatter(formatter)
        self.dropped = 0
        """Lines dropped since the start, because nobody read."""
        self._told = 0
        self._write = writer(stream, lock)
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._folding = Folding()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's line. Never waits and never raises."""
        now = time.monotonic()
        self._tell_folded(now)
        call_id = call_id_of(record)
        if call_id is not None:
            record.call_id = call_id
        if self._folding.passes((record.name, record.levelno, str(record.msg), call_id), now):
            self._queue(record)

    def createLock(self) -> None:  # noqa: N802 - the name is logging's
        """The lock that `emit` is called under."""
        self._lock = threading.RLock()
        self.lock = self._lock

    def close(self) -> None:
        """Write what is waiting, for at most `FLUSH_S`, and end the thread."""
        with self._lock:
            self._tell_folded(float("inf"))
        self._closing.set()
        try:
            self._lines.put(None, timeout=FLUSH_S)
        except queue.Full:
            pass  # Nobody reads: the thread is a daemon and ends with the process.
        else:
            self._thread.join(FLUSH_S)
        super().close()

    def _tell_folded(self, now: float) -> None:
        """Needs the handler's lock."""
        for folded in self._folding.due(now):
            name, level, event, call_id = folded.key
            call = {} if call_id is None else {"call_id": call_id}
            self._queue(_record(name, level, event, **call, repeated=folded.held_back))

    def _queue(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # a value that cannot be formatted costs its line, never a call
            event, why = "log line cannot be written", type(error).__name__
            line = self.format(_record(record.name, record.levelno, event, why=why))
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def _write_all(self) -> None:
        """The thread: writes in batches, and reports folded lines each second."""
        while True:
            batch = self._next_batch()
            is_last = None in batch
            lines = [line for line in batch if line is not None]
            count = self.dropped - self._told
            if count:
                lines.append(
                    self.format(_record(__name__, logging.WARNING, "log lines dropped", count=count))
                )
                self._told += count
            if lines:
                self._write("".join(f"{line}\n" for line in lines))
            if is_last:
                return
            if lines and len(batch) < BATCH:
                self._closing.wait(GATHER_S)

    def _next_batch(self) -> list[str | None]:
        try:
            batch: list[str | None] = [self._lines.get(timeout=TICK_S)]
        except queue.Empty:
            # The thread that closes the handler holds the lock and waits for this one.
            if self._lock.acquire(blocking=False):
                try:
                    self._tell_folded(time.monotonic())
                finally:
                    self._lock.release()
            return []
        while len(batch) < BATCH and batch[-1] is not None:
            try:
                batch.append(self._lines.get_nowait())
            except queue.Empty:
                break
        return batch


class DirectHandler(logging.Handler):
    """Writes from the thread that logs, and waits only a moment: whoever has no other thread has more to do
    than to log."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter, lock: int | None) -> None:
        """`lock`: see `writer`."""
        super().__init__()
        self.setFormatter(formatter)
        self._dropped = 0
        self._write = prompt_writer(stream, lock)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line, or drop it."""
        records = [record]
        if self._dropped:
            records.insert(0, _record(__name__, logging.WARNING, "log lines dropped", count=self._dropped))
        if self._write("".join(f"{self.format(each)}\n" for each in records)):
            self._dropped = 0
        else:
            self._dropped += 1


def _record(name: str, level: int, event: str, **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": name, "levelno": level, "levelname": logging.getLevelName(level), "msg": event, **fields}
    )


def writer(stream: TextIO, lock: int | None = None) -> Callable[[str], None]:
    """What writes text to the stream, below Python's buffers where there is a file: the lock of a buffer
    that a stuck thread holds would keep the interpreter from ending.

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
                select.select([], [number], [], TICK_S)
            except OSError:
                return  # The reader has gone: nobody can be told.

    if lock is None:
        return write
    # The last lines are written at exit, when whoever made the lock has closed it.
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
    """As `writer`, but what cannot be written within a moment is left out: False reports that."""
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
    """Whether the lock could be taken by then: whoever holds it may wait for a reader."""
    while True:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.01)
        else:
            return True
