"""The handlers of the log: one queues lines for a thread, one writes them from the thread that logs.

A reader of stderr that stops reading must not stop a call.
"""

import logging
import queue
import threading
import time
from typing import TextIO

from runner.serve.log_folding import Folding
from runner.serve.log_lines import call_id_of
from runner.serve.log_writer import prompt_writer, writer

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
        self._reported = 0
        self._write = writer(stream, lock)
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._folding = Folding()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's line. Never waits and never raises."""
        now = time.monotonic()
        self._report_folded(now)
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
            self._report_folded(float("inf"))
        self._closing.set()
        try:
            self._lines.put(None, timeout=FLUSH_S)
        except queue.Full:
            pass  # Nobody reads: the thread is a daemon and ends with the process.
        else:
            self._thread.join(FLUSH_S)
        super().close()

    def _report_folded(self, now: float) -> None:
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
            count = self.dropped - self._reported
            if count:
                lines.append(
                    self.format(_record(__name__, logging.WARNING, "log lines dropped", count=count))
                )
                self._reported += count
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
                    self._report_folded(time.monotonic())
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
    """Writes from the thread that logs, and waits only a moment: a process without a thread for its log has
    more to do than to log."""

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
