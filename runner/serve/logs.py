"""Sets up the log of the process: one line for each event, with fields."""

import logging
from typing import TextIO

from runner.serve.log_handlers import DirectHandler, QueuedHandler
from runner.serve.log_lines import JsonLines, TextLines, call_id_of_task


def configure(
    stream: TextIO, *, json: bool | None = None, level: int = logging.INFO, lock: int | None = None
) -> QueuedHandler:
    """Write to `stream` from now on: JSON lines, or text for people when `json` is False.

    `json` None depends on the stream: a terminal gets text. `level` is for our own modules. Others only log
    warnings, whatever the level: aiohttp logs paths at INFO, websockets whole frames at DEBUG. `lock` is for
    processes that share the stream, see `writer`. Close the result at the end of the process, which writes
    the last lines.
    """
    handler = QueuedHandler(stream, _formatter(stream, json), lock)
    _use(handler, level)
    return handler


def configure_without_thread(
    stream: TextIO, *, json: bool | None = None, level: int = logging.INFO, lock: int | None = None
) -> None:
    """Write the same lines without a thread: for a process that forks. A line that nobody takes soon is
    dropped."""
    _use(DirectHandler(stream, _formatter(stream, json), lock), level)


def _formatter(stream: TextIO, json: bool | None) -> logging.Formatter:
    is_text = json is False or (json is None and stream.isatty())
    return TextLines() if is_text else JsonLines()


def _use(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, QueuedHandler | DirectHandler)]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    # No line names the code, thread or process that wrote it, and finding these out costs more than the line.
    # https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root.setLevel(logging.WARNING)
    logging.getLogger("runner").setLevel(level)


def name_call(call_id: str) -> None:
    """Put this call's id on every line that the current task, and every task it starts, logs from now on."""
    call_id_of_task.set(call_id)
