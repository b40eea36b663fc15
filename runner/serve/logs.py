"""How the process writes its log: one line an event, with fields. It decides nothing about what is logged."""

import json as json_text
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from runner.model.values import Json

MAX_TEXT = 300
"""Longest text of an exception: it may quote whatever could not be handled."""
MAX_FRAMES = 6

_call_id: ContextVar[str | None] = ContextVar("call_id", default=None)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(stream: TextIO, *, json: bool | None = None, level: int = logging.INFO) -> None:
    """Write to `stream` from now on: JSON lines, or text for people when `json` is False.

    `json` None asks the stream: a terminal gets text. `level` is for our own modules. Of others only
    warnings pass, whatever the level is: aiohttp logs paths at INFO, websockets whole frames at DEBUG.
    """
    handler = _OurHandler(stream)
    handler.setFormatter(TextLines() if json is False or (json is None and stream.isatty()) else JsonLines())
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, _OurHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("runner").setLevel(level)


def name_call(call_id: str) -> None:
    """Put this call's id on every line that the current task, and every task it starts, logs from now on."""
    _call_id.set(call_id)


class _OurHandler(logging.StreamHandler[TextIO]):
    """Told apart from handlers that others have added."""


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `logger`, `event`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        return json_text.dumps(line, default=str)


class TextLines(logging.Formatter):
    """The same for people: time, level, event, `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields = " ".join(f"{name}={_shown(value)}" for name, value in _fields(record).items())
        line = f"{_time(record)} {record.levelname.lower():7} {_one_line(record.getMessage())}"
        return f"{line}  {fields}" if fields else line


def describe(error: BaseException) -> str:
    """An exception in one line: what, where (innermost place first), and what caused it."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
    parts = [f"{type(error).__name__}: {str(error)[:MAX_TEXT]}"]
    if places:
        parts.append(f"at {' < '.join(places)}")
    if isinstance(error, BaseExceptionGroup):
        parts.append(f"of [{'; '.join(describe(part) for part in error.exceptions)}]")
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        parts.append(f"after {describe(cause)}")
    return " ".join(parts)


def _fields(record: logging.LogRecord) -> dict[str, Json]:
    call_id = _call_id.get()
    fields: dict[str, Json] = {} if call_id is None else {"call_id": call_id}
    fields.update((name, value) for name, value in record.__dict__.items() if name not in _STANDARD)
    if record.exc_info and record.exc_info[1] is not None:
        fields["exception"] = describe(record.exc_info[1])
    return fields


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: Json) -> str:
    if isinstance(value, str):
        plain = value.isprintable() and not set(value) & set(' "=')
        return value if plain and value else json_text.dumps(value)
    return json_text.dumps(value, default=str)


def _one_line(text: str) -> str:
    """Text that can neither begin a line of its own nor speak to the terminal."""
    return text if text.isprintable() else json_text.dumps(text)
