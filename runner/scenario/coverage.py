"""Measures which parts of a configuration the scenarios use."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.call.regex import compile_regex
from runner.call.routes.routing import Match
from runner.model.action import Action, SetTimer, TimerKind
from runner.model.agent import Agent
from runner.model.conversation_event import ToolCalled, Transcribed
from runner.model.declaration import Declaration, DeclarationKind
from runner.model.event import CallEvent, Limit, TimerFired
from runner.model.values import Place


@dataclass(frozen=True, slots=True)
class Use:
    """A scenario uses a declared part. A route or reject rule is named by its place."""

    kind: DeclarationKind
    agent: str
    name: str


LIMITS_BY_TIMER: Mapping[TimerKind, str] = {
    TimerKind.MAX_DURATION: "max_duration",
    TimerKind.WIND_DOWN: "wind_down",
    TimerKind.SILENCE: "silence",
    TimerKind.GHOST: "ghost_after",
}
"""The limits that are used when their timer fires."""

LIMITS_AS_ENDS = frozenset({"max_cost", "max_tool_calls"})
"""The limits that are used when the call ends for the reason of that name."""


class UseRecorder:
    """Notes what one call uses."""

    def __init__(self) -> None:
        self.uses: set[Use] = set()

    def matched(self, match: Match) -> None:
        """The call has found its route, or a rule that rejects it."""
        if match.rule is not None:
            self.uses.add(Use(DeclarationKind.REJECT_RULE, "", str(match.rule.place)))
        if match.route is not None and match.agent is not None:
            self.uses.add(Use(DeclarationKind.ROUTE, match.agent, str(match.route.place)))

    def no_room(self, agent: str, limit: Limit) -> None:
        """The agent has reached its limit of calls."""
        self.uses.add(Use(DeclarationKind.LIMIT, agent, limit.value))

    def handled(self, event: CallEvent, agent: Agent, actions: Sequence[Action]) -> None:
        """The machine has handled this event with these actions, while `agent` served the call."""
        match event:
            case ToolCalled(name=name):
                tool = agent.tool(name)
                # A tool that transfers is used when the transfer is requested.
                if tool is not None and not tool.binding.choices:
                    self.uses.add(Use(tool.binding.declares, agent.id, name))
            case Transcribed(role=role, text=text):
                for guardrail in agent.guardrails:
                    if guardrail.on is role and compile_regex(guardrail.pattern).search(text):
                        self.uses.add(Use(DeclarationKind.GUARDRAIL, agent.id, guardrail.name))
            case TimerFired(timer=timer) if timer.kind in LIMITS_BY_TIMER:
                # A timer that is only set again had nothing to do.
                if any(not isinstance(action, SetTimer) for action in actions):
                    self.uses.add(Use(DeclarationKind.LIMIT, agent.id, LIMITS_BY_TIMER[timer.kind]))
            case _:
                pass

    def referred(self, agent: Agent, tool: str, destination: str) -> None:
        """A tool's transfer to this destination was requested."""
        self.uses.add(Use(DeclarationKind.TRANSFER, agent.id, f"{tool}: {destination}"))

    def ended(self, agent: Agent, reason: str) -> None:
        """The call has ended."""
        if reason in LIMITS_AS_ENDS:
            self.uses.add(Use(DeclarationKind.LIMIT, agent.id, reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The share of declared parts that are used."""

    declared: int
    untouched: tuple[Declaration, ...]
    """By file and line."""

    @property
    def percent(self) -> float:
        """100 where nothing is declared."""
        return 100.0 if not self.declared else 100.0 * (self.declared - len(self.untouched)) / self.declared


def coverage(declared: Iterable[Declaration], uses: Collection[Use]) -> Coverage:
    """A part declared at one place counts once, however many agents share it."""
    by_place: dict[tuple[Place, DeclarationKind, str], list[Declaration]] = {}
    for one in declared:
        by_place.setdefault((one.place, one.kind, one.name), []).append(one)
    untouched = [
        same[0]
        for same in by_place.values()
        if not any(Use(one.kind, one.agent, one.name or str(one.place)) in uses for one in same)
    ]
    return Coverage(
        declared=len(by_place), untouched=tuple(sorted(untouched, key=lambda one: (one.place, one.name)))
    )
