"""Evaluates the conditions of a route for a call: how specific they are together, or which one failed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from runner.call.routes.explain import fails, holds
from runner.call.routes.matcher import NOTHING, CompiledLists, CompiledMatcher, Specificity, Subject, leaves
from runner.call.routes.schedule import is_open
from runner.model.call import IncomingCall, Transport, WebRtcOrigin
from runner.model.route import AnyOf, Conditions, ExactAddress, Glob, Matcher, Regex
from runner.model.schedule import Schedule
from runner.model.values import Instant


class Rank(NamedTuple):
    """Orders the routes that match a call; the greatest wins. The fields are in order of comparison."""

    priority: int
    called: Specificity
    caller: Specificity
    headers: tuple[Specificity, ...]
    """The most specific header first; more headers beat fewer."""
    during: bool
    transport: bool
    share: float
    """Zero without a share; the smaller a share, the more specific it is."""


def rank(
    conditions: Conditions,
    priority: int,
    *,
    called: Specificity,
    caller: Specificity,
    headers: Iterable[Specificity],
) -> Rank:
    """The rank of a route whose parties and headers match with this specificity."""
    return Rank(
        priority=priority,
        called=called,
        caller=caller,
        headers=tuple(sorted(headers, reverse=True)),
        during=conditions.during is not None,
        transport=conditions.transport is not None,
        share=0.0 if conditions.share is None else 2.0 - conditions.share,
    )


class Facts:
    """A call at an instant, as conditions see it. Each fact is computed once."""

    def __init__(
        self,
        call: IncomingCall,
        now: Instant,
        *,
        schedules: Mapping[str, Schedule],
        default_country: str | None,
    ) -> None:
        self.call = call
        self.now = now
        self.called = (Subject.party(call.called),)
        self.transport = call.transport
        self.agent = call.origin.agent if isinstance(call.origin, WebRtcOrigin) else None
        """The agent that a browser requests."""
        self.caller = (Subject.party(call.caller),)
        self._schedules = schedules
        self._default_country = default_country
        self._open: dict[str, bool] = {}

    @cached_property
    def headers(self) -> Mapping[str, list[Subject]]:
        """The values of each header, by its name in lower case."""
        subjects: dict[str, list[Subject]] = {}
        for name, value in self.call.headers:
            subjects.setdefault(name.lower(), []).append(Subject.header(value.strip(), self._default_country))
        return subjects

    def is_open(self, schedule: str) -> bool:
        """Whether the schedule of this name is open now."""
        if schedule not in self._open:
            self._open[schedule] = is_open(self._schedules[schedule], self.now)
        return self._open[schedule]

    def wall_clock(self, schedule: str) -> str:
        """Now, in the time zone of this schedule, e.g. `Monday at 20:15 (America/New_York)`."""
        zone = self._schedules[schedule].timezone
        return f"{datetime.fromtimestamp(self.now, zone):%A at %H:%M} ({zone})"

    def position(self, owner: str) -> float:
        """The caller's position among all callers, from 0 up to 1, evenly spread.

        The same caller always has the same position for the same owner, so a share that grows keeps its
        callers; different owners shuffle differently. Withheld callers cannot be told apart, so each such
        call has a position of its own.
        """
        caller = self.call.caller
        who = self.call.id if caller.anonymous or not caller.uri else caller.number or self.caller[0].text
        digest = blake2b(f"{owner}\0{who}".encode(errors="replace"), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


class CompiledConditions:
    """Conditions, ready to be evaluated."""

    def __init__(
        self, conditions: Conditions, *, priority: int, agent: str | None, lists: CompiledLists | None = None
    ) -> None:
        """`agent` is the route's agent; None for a reject rule. `lists` are the files of entries compiled so
        far.
        """
        lists = {} if lists is None else lists
        self.conditions = conditions
        self._priority = priority
        self._agent = agent
        self._owner = agent or "reject"
        """Whose share `share` is."""
        self._called = _compiled(conditions.called, lists)
        self._caller = _compiled(conditions.caller, lists)
        self._headers = [
            (name, name.lower(), CompiledMatcher(matcher, lists)) for name, matcher in conditions.headers
        ]

    def ask(self, facts: Facts) -> Rank | str:
        """The rank of the route for this call; where it does not match, the name of the condition that
        failed, for `explain`.

        That name is `agent`, `to`, `from`, a header's name after `headers.`, `during`, `transport` or
        `share`. A route without `transport` is for telephones: browsers reach only routes that say so.
        """
        conditions = self.conditions
        if facts.transport is Transport.WEBRTC and self._agent is not None:
            if conditions.transport is not Transport.WEBRTC:
                return "transport"
            if facts.agent not in (None, self._agent):
                return "agent"
        if (called := _specificity(self._called, facts.called)) is None:
            return "to"
        if (caller := _specificity(self._caller, facts.caller)) is None:
            return "from"
        headers: list[Specificity] = []
        for name, key, matcher in self._headers:
            hit = matcher.find(facts.headers.get(key, ()))
            if hit is None:
                return f"headers.{name}"
            headers.append(hit.specificity)
        if conditions.during is not None and not facts.is_open(conditions.during):
            return "during"
        if conditions.transport is not None and conditions.transport is not facts.transport:
            return "transport"
        if conditions.share is not None and facts.position(self._owner) >= conditions.share:
            return "share"
        return rank(conditions, self._priority, called=called, caller=caller, headers=headers)

    def why(self, facts: Facts) -> str:
        """All conditions of a route that matches, in words."""
        conditions = self.conditions
        parts = [f"to {words}" for words in _held(self._called, facts.called)]
        parts += [f"from {words}" for words in _held(self._caller, facts.caller)]
        for name, key, matcher in self._headers:
            parts += [f"header {name} {words}" for words in _held(matcher, facts.headers.get(key, ()))]
        if conditions.during is not None:
            parts.append(f"{conditions.during} is open")
        if conditions.transport is not None:
            parts.append(f"the call came over {conditions.transport.value}")
        if conditions.share is not None:
            parts.append(f"the caller is within the first {100 * conditions.share:g}%")
        return ", ".join(parts) or "it has no conditions"

    def why_not(self, failed: str, facts: Facts) -> str:
        """Why the condition of this name failed, in words."""
        conditions = self.conditions
        match failed:
            case "to":
                return f"to: {_refused(facts.called[0], conditions.called)}"
            case "from":
                return f"from: {_refused(facts.caller[0], conditions.caller)}"
            case "during":
                name = conditions.during or ""
                return f"during: {name} is closed on {facts.wall_clock(name)}"
            case "agent":
                return f'agent: the browser asks for "{facts.agent}"'
            case "transport" if conditions.transport is None:
                return "transport: the call came over webrtc, which the route does not name"
            case "transport":
                transport = conditions.transport.value if conditions.transport else ""
                return f"transport: the call came over {facts.transport.value}, not over {transport}"
            case "share":
                at, share = facts.position(self._owner), conditions.share or 0.0
                return f"share: the caller is at {at:.1%}, not within the first {100 * share:g}%"
            case _:
                return self._header_why_not(failed.removeprefix("headers."), facts)

    def _header_why_not(self, name: str, facts: Facts) -> str:
        matcher = next(matcher for header, _, matcher in self._headers if header == name)
        values = facts.headers.get(name.lower(), ())
        if not values:
            return f"header {name}: the call has none"
        shown = ", ".join(f'"{value.text}"' for value in values)
        return f"header {name}: {shown} {fails(matcher.matcher)}"


def _compiled(matcher: Matcher | None, lists: CompiledLists) -> CompiledMatcher | None:
    return CompiledMatcher(matcher, lists) if matcher is not None else None


def _specificity(matcher: CompiledMatcher | None, subjects: Sequence[Subject]) -> Specificity | None:
    """None when it does not match. A missing condition matches everything, with no specificity."""
    if matcher is None:
        return NOTHING
    hit = matcher.find(subjects)
    return hit.specificity if hit else None


def _held(matcher: CompiledMatcher | None, subjects: Sequence[Subject]) -> list[str]:
    if matcher is None or (hit := matcher.find(subjects)) is None:
        return []
    listed = isinstance(matcher.matcher, AnyOf) and matcher.matcher.listed_in is not None
    return [holds(matcher.matcher if listed else hit.matcher)]


def _refused(party: Subject, matcher: Matcher | None) -> str:
    return f"{_shown(party, matcher)} {fails(matcher)}" if matcher is not None else ""


def _shown(party: Subject, matcher: Matcher) -> str:
    """The party as the matcher sees it: its number, or its whole address."""
    address = party.address
    if address.anonymous:
        return "a withheld caller"
    by_address = any(isinstance(leaf, ExactAddress | Glob | Regex) for leaf in leaves(matcher))
    return (None if by_address else address.number) or party.text or "an unknown party"
