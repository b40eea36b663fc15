"""Lists calls that are over: pages of a time window, as JSON, CSV or NDJSON."""

import base64
import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from runner.model.stored_call import CallFilter, CallSummary, StoredCall
from runner.model.values import DAY_S, Instant, Json, JsonObject
from runner.serve.admin.problem import AdminProblem

DEFAULT_WINDOW_S = 7 * DAY_S
LONGEST_WINDOW_S = 366 * DAY_S
LONGEST_SEARCH_S = 92 * DAY_S
"""For a text search, which no index supports."""
DEFAULT_DAY_S = DAY_S
LONGEST_DAY_S = 8 * DAY_S

FORMATS = {"json": "application/json", "csv": "text/csv", "ndjson": "application/x-ndjson"}
_FORMULA = ("=", "@", "+", "-", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The range of times at which calls began to ring."""

    since: Instant
    until: Instant

    @classmethod
    def of(
        cls, arguments: Mapping[str, Json], now: Instant, *, default_s: float, longest_s: float
    ) -> "Window":
        """The window of `from` and `to`. Raises AdminProblem."""
        until = _instant("to", arguments.get("to"), now)
        since = _instant("from", arguments.get("from"), until - default_s)
        if since > until:
            raise _invalid("from", '"from" is after "to"')
        if until - since > longest_s:
            raise _invalid(
                "from", f"the window is longer than {longest_s / DAY_S:.0f} days; ask for a part of it"
            )
        return cls(since=since, until=until)


def filter_of(arguments: Mapping[str, Json], now: Instant) -> CallFilter:
    """The filter of a request. Raises AdminProblem."""
    text = arguments.get("q")
    longest_s = LONGEST_WINDOW_S if text is None else LONGEST_SEARCH_S
    window = Window.of(arguments, now, default_s=DEFAULT_WINDOW_S, longest_s=longest_s)
    return CallFilter(
        agent=arguments.get("agent"),
        ended=arguments.get("ended"),
        since=window.since,
        until=window.until,
        text=text,
        before=_cursor(arguments.get("cursor")),
    )


def cursor_after(call: CallSummary) -> str:
    """The start of the page after one that ends with this call."""
    return base64.urlsafe_b64encode(json.dumps([call.started_at, call.id]).encode()).decode().rstrip("=")


def format_of(arguments: Mapping[str, Json], accept: str) -> str:
    """The format of the reply: `format`, else the first that `Accept` names."""
    if (chosen := arguments.get("format")) is not None:
        return str(chosen)
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        for name, content_type in FORMATS.items():
            if kind == content_type:
                return name
    return "json"


def as_csv(calls: list[CallSummary]) -> str:
    """A line for each call, for a spreadsheet. Text from callers never acts as a formula there."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(field.name for field in fields(CallSummary))
    for call in calls:
        writer.writerow(_cell(name, value) for name, value in asdict(call).items())
    return text.getvalue()


def stored_call_json(call: StoredCall) -> dict[str, Json]:
    """A record with its jobs' results."""
    jobs = [{**asdict(job), "state": job.state.value} for job in call.jobs]
    for job in jobs:
        del job["call_id"]
    return {"record": _shown(call.record), "outcome": call.outcome, "jobs": jobs}


def _shown(record: JsonObject) -> JsonObject:
    """The record with its tools in the form of a live call: `attempts` is a number, and `tries` the list."""
    tools = record.get("tools")
    if not isinstance(tools, list):
        return record
    return {**record, "tools": [_tool(use) if isinstance(use, dict) else use for use in tools]}


def _tool(use: JsonObject) -> JsonObject:
    return {
        **{name: value for name, value in use.items() if name != "tries"},
        "attempts": use.get("tries") or [],
    }


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in {"started_at", "ended_at"}:
        try:
            return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
        except (OverflowError, OSError, ValueError):
            return str(value)
    text = str(value)
    is_number = text.startswith("+") and text[1:].isdecimal()
    return f"'{text}" if text.startswith(_FORMULA) and not is_number else text


def _instant(name: str, text: Json, default: Instant) -> Instant:
    if text is None:
        return default
    try:
        instant = datetime.fromisoformat(str(text).upper())
        return (instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise _invalid(name, f'"{name}" is not an instant; write one such as 2026-11-25T09:00:00Z') from None


def _cursor(text: Json) -> tuple[Instant, str] | None:
    if text is None:
        return None
    try:
        padded = str(text) + "=" * (-len(str(text)) % 4)
        started_at, call_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if isinstance(call_id, str) and isinstance(started_at, int | float) and abs(started_at) < 1e12:
            return float(started_at), call_id
    except (ValueError, TypeError, RecursionError):
        pass
    raise _invalid("cursor", '"cursor" is not the "next" of a page')


def _invalid(at: str, message: str) -> AdminProblem:
    return AdminProblem(
        400, "invalid-request", message, errors=[{"in": "query", "at": at, "message": message}]
    )
