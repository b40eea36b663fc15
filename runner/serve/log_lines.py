"""Formats log records: JSON for machines, text for people. A record is always one line."""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from runner.model.values import Json
from runner.wording import cut

MAX_TEXT = 300
"""The longest text of an exception, which may quote anything."""
MAX_FRAMES = 6
MAX_VALUE = 2000
"""The longest text of one field: it bounds the size of a line in the queue."""

call_id_of_task: ContextVar[str | None] = ContextVar("call_id", default=None)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `logger`, `event`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _cut(record.getMessage()),
            **_fields(record),
        }
        return _JSON.encode(line)


class TextLines(logging.Formatter):
    """The same for people: time, level, event, `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields = " ".join(f"{name}={_shown(value)}" for name, value in _fields(record).items())
        line = f"{_time(record)} {record.levelname.lower():7} {_one_line(_cut(record.getMessage()))}"
        return f"{line}  {fields}" if fields else line


def call_id_of(record: logging.LogRecord) -> str | None:
    """The call of a record: its own field, or the call of the task that logs."""
    return getattr(record, "call_id", None) or call_id_of_task.get()


def describe(error: BaseException) -> str:
    """An exception in one line: its text, its places (innermost first), and its causes."""
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
    call_id = call_id_of(record)
    fields: dict[str, Json] = {} if call_id is None else {"call_id": call_id}
    for name, value in record.__dict__.items():
        if name not in _STANDARD:
            fields[name] = _bounded(value)
    if record.exc_info and record.exc_info[1] is not None:
        fields["exception"] = _cut(describe(record.exc_info[1]))
    return fields


def _bounded(value: Json) -> Json:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, list | tuple | dict):
        text = json.dumps(value, default=_as_text)
        return value if len(text) <= MAX_VALUE else _cut(text)
    return value


def _cut(text: str) -> str:
    return cut(text, MAX_VALUE)


def _as_text(value: object) -> str:
    return _cut(str(value))


_JSON = json.JSONEncoder(default=_as_text)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: Json) -> str:
    if isinstance(value, str):
        plain = value.isprintable() and not set(value) & set(' "=')
        return value if plain and value else json.dumps(value)
    return json.dumps(value, default=_as_text)


def _one_line(text: str) -> str:
    """Text that can neither begin a line of its own nor control the terminal."""
    return text if text.isprintable() else json.dumps(text)
