"""Writes values of the model as JSON trees with the names of the configuration language.

Works on the fields of any dataclass: a field that is added to the model is compared without a change here.
The tables below list fields that are left out or have another name than in the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, time
from enum import Enum
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from runner.model.agent import Agent, ModelOpens, Say, Tell, Wait
from runner.model.price import PriceList
from runner.model.route import Reject, ToAgent
from runner.model.schedule import OpenHours, Schedule
from runner.model.settings import Provider, Server, Settings
from runner.model.tool import (
    ApiKey,
    Basic,
    Bearer,
    Body,
    ClientCredentials,
    HandoffBinding,
    HangupBinding,
    HttpBinding,
    ResultSpec,
    StaticBinding,
    TransferBinding,
)
from runner.model.values import DAY_S, Json, Place

NOT_FOR_CALLERS: Mapping[type, frozenset[str]] = {
    Agent: frozenset({"description"}),
    # Examples for simulate and scenarios; no call ever meets them.
    ResultSpec: frozenset({"example", "has_example"}),
    # Where the runner finds its keys, listens and keeps its records.
    Settings: frozenset({"secrets", "store"}),
    Provider: frozenset({"api_key", "key_header", "webhook_secrets"}),
    Server: frozenset({"host", "port"}),
}
"""Fields that no caller can notice. Every other field is compared."""

NAMES = {"max_cost_usd": "max_cost", "max_keys": "max", "pattern": "matches", "sets": "set"}
"""Fields with another name in the language. An ending `_s` is dropped, and the value written as a
duration."""

KINDS: Mapping[type, str] = {
    ApiKey: "api_key",
    Basic: "basic",
    Bearer: "bearer",
    ClientCredentials: "oauth2",
    HandoffBinding: "handoff",
    HangupBinding: "hangup",
    HttpBinding: "http",
    StaticBinding: "static",
    TransferBinding: "transfer",
}
"""Values of which a mapping of the language holds exactly one, under its own key."""

_IN_DAYS = frozenset({"keep_s"})
"""Fields that the language counts in days."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = ((3600.0, "h"), (60.0, "m"), (1.0, "s"))


def outline(value: object) -> Json:
    """The value as a JSON tree, without places, fields without a value and what no caller can notice."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(key): outline(inner) for key, inner in value.items()}
        case frozenset():
            return sorted((outline(inner) for inner in value), key=str)
        case Sequence():
            return [outline(inner) for inner in value]
        case time():
            return f"{value:%H:%M}"
        case date():
            return value.isoformat()
        case ZoneInfo():
            return value.key
        case PriceList():
            return outline(value.by_model)
        case _ if isinstance(source := getattr(value, "source", None), str):
            return source  # a template
        case _ if is_dataclass(value):
            return _of_its_own(value)
        case _:
            raise TypeError(f"{value!r} cannot be compared")


def fields_of(value: Any, *, without: frozenset[str] = frozenset()) -> dict[str, Json]:
    """The fields of a dataclass by their names in the language, except those to keep as in the model."""
    passed_over = without | NOT_FOR_CALLERS.get(type(value), frozenset())
    tree: dict[str, Json] = {}
    for field in fields(value):
        inner = getattr(value, field.name)
        is_left_out = field.name in passed_over or not field.compare
        if is_left_out or isinstance(inner, Place) or _is_unsaid(inner, field):
            continue
        name = NAMES.get(field.name, field.name)
        if name.endswith("_s"):
            tree[name.removesuffix("_s")] = f"{inner / DAY_S:g}d" if name in _IN_DAYS else duration(inner)
        elif name == "binding":
            tree |= outline(inner)
        else:
            written = outline(inner)
            # A field that is named after its only kind, such as a lookup's `http`, is not named twice.
            tree[name] = written[name] if KINDS.get(type(inner)) == name else written
    return tree


def _is_unsaid(value: object, field: Field[Any]) -> bool:
    """Whether it is None, or empty or false by default."""
    if value is None:
        return True
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return not value and value == default


def duration(seconds: float) -> str:
    """Seconds in the largest unit that leaves a whole number, e.g. `15m`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    unit, name = next((one for one in _UNITS if seconds and seconds % one[0] == 0), _UNITS[-1])
    return f"{seconds / unit:.10g}{name}"


def _of_its_own(value: Any) -> Json:
    """Dataclasses that the language writes in their own way; all others by their fields."""
    match value:
        case Say(text=text):
            return {"say": text.source}
        case Tell(text=text):
            return {"tell": text.source}
        case Wait():
            return {"wait": True}
        case ModelOpens():
            return "the model opens"
        case Reject(status=status):
            return {"reject": status}
        case ToAgent(agent=agent):
            return {"agent": agent}
        case Body(kind=kind, content=content, is_arguments=is_arguments):
            carried = "what it carries by default" if is_arguments else outline(content)
            more = fields_of(value, without=frozenset({"kind", "content", "is_arguments"}))
            return {kind.value: carried, **more}
        case Schedule():
            return _schedule(value)
        case _:
            fields = fields_of(value)
            kind_name = KINDS.get(type(value))
            return fields if kind_name is None else {kind_name: fields}


def _schedule(schedule: Schedule) -> Json:
    return {
        "timezone": schedule.timezone.key,
        "open": ", ".join(_week(schedule)),
        "closed": sorted(map(str, schedule.closed)),
    }


def _week(schedule: Schedule) -> Iterator[str]:
    """`mon-fri 09:00-17:00`: adjacent days with the same hours are written together."""
    for hours, group in groupby(range(7), lambda day: schedule.week[day]):
        days = list(group)
        name = _DAYS[days[0]] if len(days) == 1 else f"{_DAYS[days[0]]}-{_DAYS[days[-1]]}"
        if hours:
            yield f"{name} {' and '.join(map(_hours, hours))}"


def _hours(hours: OpenHours) -> str:
    return f"{hours.start:%H:%M}-{hours.end:%H:%M}"
