"""Sums up many calls from their records: how many, how they ended, how long callers waited.

A record may be older than this program: fields that it lacks, or has in another form, are skipped.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from runner.model.values import Instant, Json, JsonObject

HOUR_S = 3600.0
MOST_NAMES = 200
"""The most agents, ends and tools that are counted separately; a record names what its configuration did."""


class Day:
    """The sums. `add` each record, and then read `as_json`."""

    def __init__(self, since: Instant, until: Instant) -> None:
        self._since = since
        self._until = until
        self._calls = 0
        self._priced = 0
        self._cost = 0.0
        self._waits: list[float] = []
        self._hours: dict[float, _Hour] = {}
        self._ended: Counter[str] = Counter()
        self._agents: Counter[str] = Counter()
        self._tools: dict[str, _Tool] = defaultdict(_Tool)

    def add(self, record: JsonObject) -> None:
        """Count one call."""
        created_at = _number(record.get("created_at"))
        if created_at is None:
            return
        hour = self._hours.setdefault(created_at // HOUR_S * HOUR_S, _Hour())
        known_cost = _number(record.get("cost_usd"))
        cost = known_cost or 0.0
        waits = [
            wait
            for turn in _objects(record.get("turns"))
            if (wait := _number(turn.get("waited_s"))) is not None
        ]
        self._calls += 1
        self._priced += known_cost is not None
        self._cost += cost
        self._waits += waits
        hour.calls += 1
        hour.cost += cost
        hour.waits += waits
        self._ended[_name(self._ended, record.get("ended"))] += 1
        self._agents[_name(self._agents, record.get("agent"))] += 1
        for use in _objects(record.get("tools")):
            self._tools[_name(self._tools, use.get("name"))].add(use)

    def as_json(self, *, is_whole: bool) -> dict[str, Json]:
        """The sums. `is_whole`: every call of the window was added."""
        return {
            "from": self._since,
            "to": self._until,
            "calls": self._calls,
            "priced": self._priced,
            "cost_usd": round(self._cost, 6),
            "response_s": percentiles(self._waits),
            "hours": [{"from": begins, **self._hours[begins].as_json()} for begins in sorted(self._hours)],
            "ended": dict(self._ended.most_common()),
            "agents": dict(self._agents.most_common()),
            "tools": {name: self._tools[name].as_json() for name in sorted(self._tools)},
            "is_whole": is_whole,
        }


class _Hour:
    def __init__(self) -> None:
        self.calls = 0
        self.cost = 0.0
        self.waits: list[float] = []

    def as_json(self) -> dict[str, Json]:
        return {"calls": self.calls, "cost_usd": round(self.cost, 6), "response_s": percentiles(self.waits)}


class _Tool:
    def __init__(self) -> None:
        self._calls = 0
        self._failed = 0
        self._times: list[float] = []

    def add(self, use: JsonObject) -> None:
        self._calls += 1
        self._failed += use.get("status") in {"error", "unfinished", "not_completed"}
        if (took_s := _number(use.get("took_s"))) is not None:
            self._times.append(took_s)

    def as_json(self) -> dict[str, Json]:
        return {"calls": self._calls, "failed": self._failed, "took_s": percentiles(self._times)}


def percentiles(values: Sequence[float]) -> dict[str, Json]:
    """The smallest values that this many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    ranks = {
        f"p{part}": ordered[-(-part * len(ordered) // 100) - 1] if ordered else None for part in (50, 90, 99)
    }
    return {"count": len(ordered), **ranks}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_number else None


def _objects(value: Any) -> Iterable[JsonObject]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _name(known: Mapping[str, Any], value: Any) -> str:
    name = value if isinstance(value, str) else ""
    return name if name in known or len(known) < MOST_NAMES else "others"
