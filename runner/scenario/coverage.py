"""What of a configuration the scenarios have touched, and what not."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from runner.model.action import TimerKind
from runner.model.scenario import Declared, Kind
from runner.model.values import Place


@dataclass(frozen=True, slots=True)
class Touch:
    """A scenario has used one thing that is declared. A route or reject rule is named by its place."""

    kind: Kind
    agent: str
    name: str


LIMITS_BY_CLOCK: Mapping[TimerKind, str] = {
    TimerKind.MAX_DURATION: "max_duration",
    TimerKind.WIND_DOWN: "wind_down",
    TimerKind.SILENCE: "silence",
    TimerKind.GHOST: "ghost_after",
}
"""The limits that show themselves when their timer fires."""

LIMITS_BY_END: Mapping[str, str] = {
    "max_cost": "max_cost",
    "max_tool_calls": "max_tool_calls",
}
"""The limits that show themselves as the reason of the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what is declared was touched."""

    declared: int
    untouched: tuple[Declared, ...]
    """By file and line."""

    @property
    def percent(self) -> float:
        """100 where nothing is declared."""
        return 100.0 if not self.declared else 100.0 * (self.declared - len(self.untouched)) / self.declared


def coverage(declared: Iterable[Declared], touched: Collection[Touch]) -> Coverage:
    """What is declared at one place counts once, however many agents share it."""
    by_place: dict[tuple[Place, Kind, str], list[Declared]] = {}
    for one in declared:
        by_place.setdefault((one.place, one.kind, one.name), []).append(one)
    untouched = [
        same[0]
        for same in by_place.values()
        if not any(Touch(one.kind, one.agent, one.name or str(one.place)) in touched for one in same)
    ]
    return Coverage(
        declared=len(by_place), untouched=tuple(sorted(untouched, key=lambda one: (one.place, one.name)))
    )
