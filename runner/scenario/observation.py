"""What can be observed of a call, under the names that expectations use."""

import json
from collections.abc import Iterable, Sequence
from typing import assert_never
from urllib.parse import parse_qsl, urlsplit

from runner.call.machine.session import Session
from runner.call.records.record_json import encode
from runner.model.http import HttpRequest
from runner.model.values import Json, JsonObject
from runner.scenario.call_log import LogEntry, LoggedAttempt, LogKind, Noted, Output


def answered_call(session: Session, accept: JsonObject, *, is_over: bool) -> dict[str, Json]:
    """The observations of an answered call, as it stands now."""
    record = json.loads(encode(session.record()))
    return {
        "agent": session.agent.id,
        "rejected": None,
        "accept": accept,
        "vars": dict(session.texts.variables),
        # A call has ended when it is over, not when the end was decided.
        "ended": record["ended"] if is_over else None,
        "cost": record["cost_usd"],
        "max_cost": record["cost_usd"],
        "record": record,
    }


def rejected_call(status: int, why: str) -> dict[str, Json]:
    """The observations of a rejected call. `why` is empty where the routes say so."""
    return {
        **dict.fromkeys(("agent", "accept", "vars", "ended", "cost", "max_cost", "record")),
        "rejected": status,
        "why_rejected": why,
    }


def logged(entries: Sequence[LogEntry]) -> dict[str, Json]:
    """The log of a call, or a part of it."""
    texts = {
        kind: [each.text for each in entries if isinstance(each, Noted) and each.kind is kind]
        for kind in LogKind
    }
    return {
        "says": texts[LogKind.SENTENCE],
        "tells": texts[LogKind.INSTRUCTION],
        "requests": _requests(entry for entry in entries if isinstance(entry, LoggedAttempt)),
        "output": _outputs(entry for entry in entries if isinstance(entry, Output)),
        "handoffs": texts[LogKind.HANDOFF],
        "transfers": texts[LogKind.TRANSFER],
        "order": [_named(entry) for entry in entries],
    }


def _outputs(outputs: Iterable[Output]) -> dict[str, Json]:
    """What each tool answered; of several calls the last, in whichever order they were answered."""
    in_order = sorted(outputs, key=lambda output: output.call)
    return {output.tool: _read(output.text) for output in in_order}


def _named(entry: LogEntry) -> dict[str, str]:
    """An entry as `order` names it."""
    match entry:
        case Noted(kind=kind, text=text):
            return {kind.value: text}
        case LoggedAttempt(tool=tool):
            return {"request": tool}
        case Output(tool=tool):
            return {"output": tool}
        case _:
            assert_never(entry)


def _requests(attempts: Iterable[LoggedAttempt]) -> list[Json]:
    """Each request once, at its first attempt."""
    requests: dict[str, dict[str, Json]] = {}
    for attempt in attempts:
        if attempt.key in requests:
            requests[attempt.key]["attempts"] += 1
        else:
            requests[attempt.key] = {"tool": attempt.tool, **_request(attempt.request), "attempts": 1}
    return list(requests.values())


def _request(request: HttpRequest) -> dict[str, Json]:
    parts = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers}
    fields: dict[str, Json] = {
        "method": request.method,
        "host": parts.netloc,
        "path": parts.path or "/",
        "query": _pairs(parts.query),
        "headers": headers,
    }
    if request.body is None:
        return fields
    text, kind = request.body.decode(), headers.get("content-type", "")
    if kind == "application/json":
        return {**fields, "json": _read(text)}
    if kind == "application/x-www-form-urlencoded":
        return {**fields, "form": _pairs(text)}
    return {**fields, "text": text}


def _pairs(text: str) -> dict[str, Json]:
    values: dict[str, Json] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in values:
            values[name] = value
        elif isinstance(values[name], list):
            values[name].append(value)
        else:
            values[name] = [values[name], value]
    return values


def _read(text: str) -> Json:
    """JSON as its value, and any other text unchanged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


LOGGED = ("tells", "requests", "output", "handoffs", "transfers")
"""The parts of the log that deserve an expectation where they are not empty."""
