"""What was got at one moment of a call, under the names that expectations use."""

import json
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlsplit

from runner.call.machine.session import Session
from runner.call.records.record_json import encode
from runner.model.http import HttpRequest
from runner.model.values import Json, JsonObject
from runner.scenario.happened import Ended, Given, HandedOver, Happened, Referred, Said, Sent, Told


def facts_of_call(session: Session, accept: JsonObject) -> dict[str, Json]:
    """What holds of a call that was answered, as it stands now."""
    record = json.loads(encode(session.record()))
    return {
        "agent": session.agent.id,
        "rejected": None,
        "accept": accept,
        "vars": dict(session.variables),
        "ended": record["ended"] or None,
        "cost": record["cost_usd"],
        "max_cost": record["cost_usd"],
        "record": record,
    }


def facts_of_rejection(status: int) -> dict[str, Json]:
    """What holds of a call that was turned away."""
    return {
        **dict.fromkeys(("agent", "accept", "vars", "ended", "cost", "max_cost", "record")),
        "rejected": status,
    }


def facts_of_span(happened: Sequence[Happened]) -> dict[str, Json]:
    """What has happened between two moments."""
    return {
        "says": [one.text for one in happened if isinstance(one, Said)],
        "tells": [one.text for one in happened if isinstance(one, Told)],
        "requests": _requests(one for one in happened if isinstance(one, Sent)),
        "output": {one.tool: _read(one.output) for one in happened if isinstance(one, Given)},
        "handoffs": [one.agent for one in happened if isinstance(one, HandedOver)],
        "transfers": [one.target for one in happened if isinstance(one, Referred)],
        "order": [event(one) for one in happened],
    }


def event(one: Happened) -> dict[str, str]:
    """One thing that happened, as `order` names it."""
    match one:
        case Said(text=text):
            return {"says": text}
        case Told(text=text):
            return {"tells": text}
        case Sent(tool=tool):
            return {"request": tool}
        case Given(tool=tool):
            return {"output": tool}
        case HandedOver(agent=agent):
            return {"handoff": agent}
        case Referred(target=target):
            return {"transfer": target}
        case Ended(reason=reason):
            return {"ended": reason}


def _requests(attempts: Iterable[Sent]) -> list[Json]:
    """Each request once, where its first attempt was made."""
    found: dict[str, dict[str, Json]] = {}
    for sent in attempts:
        if sent.key in found:
            found[sent.key]["attempts"] += 1
        else:
            found[sent.key] = {"tool": sent.tool, **_request(sent.request), "attempts": 1}
    return list(found.values())


def _request(request: HttpRequest) -> dict[str, Json]:
    parts = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers}
    found: dict[str, Json] = {
        "method": request.method,
        "host": parts.netloc,
        "path": parts.path or "/",
        "query": _pairs(parts.query),
        "headers": headers,
    }
    if request.body is None:
        return found
    text, kind = request.body.decode(), headers.get("content-type", "")
    if kind == "application/json":
        return {**found, "json": _read(text)}
    if kind == "application/x-www-form-urlencoded":
        return {**found, "form": _pairs(text)}
    return {**found, "text": text}


def _pairs(text: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def _read(text: str) -> Json:
    """JSON as its value, and anything else as the text that it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


SPAN_FACTS = ("tells", "requests", "output", "handoffs", "transfers")
"""What is worth to be expected of a span where there is any of it."""
