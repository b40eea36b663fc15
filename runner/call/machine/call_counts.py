"""Counts the calls of each agent, and decides whether it takes one more. Pure.

A call counts for the agent that answered it, from the claim to its end, also after a hand-off: an agent's
limits bound the calls that its own numbers bring in. It counts for the UTC day on which it began to ring.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from runner.model.action import ClaimCall
from runner.model.event import Limit
from runner.model.values import DAY_S, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The live calls of an agent, and all its calls of the day, live ones included."""

    live: int = 0
    today: int = 0


class Slot:
    """One call's place among the calls of its agent."""

    __slots__ = ("_call_counts", "_is_free", "_key", "is_kept")

    def __init__(self, call_counts: "CallCounts", agent: str, day: int) -> None:
        self._call_counts = call_counts
        self._key = (day, agent)
        self._is_free = False
        self.is_kept = False

    def keep(self) -> None:
        """The call was accepted: it counts for the day, however it ends."""
        self.is_kept = True

    def free(self) -> None:
        """The call is over or was never accepted. A second call of this changes nothing."""
        if not self._is_free:
            self._is_free = True
            self._call_counts.leave(self._key, counts_for_day=self.is_kept)


class CallCounts:
    """The calls of each agent: the live ones, and those of each day."""

    def __init__(self) -> None:
        self._live: Counter[str] = Counter()
        self._daily: Counter[tuple[int, str]] = Counter()

    def remember(self, calls: Mapping[str, int], now: Instant) -> None:
        """Count calls that were answered today before this process began, by agent."""
        for agent, number in calls.items():
            self._daily[day_of(now), agent] += number

    def load(self, agent: str, at: Instant) -> Load:
        """The load of an agent, for a call that began to ring at `at`."""
        return Load(live=self._live[agent], today=self._daily[day_of(at), agent])

    def claim(self, claim: ClaimCall, at: Instant) -> Slot | Limit:
        """Take a slot for a call that began to ring at `at`, or return the limit that its agent has
        reached."""
        load = self.load(claim.agent, at)
        if claim.concurrent_calls is not None and load.live >= claim.concurrent_calls:
            return Limit.CONCURRENT_CALLS
        if claim.calls_per_day is not None and load.today >= claim.calls_per_day:
            return Limit.CALLS_PER_DAY
        return self.take(claim.agent, at)

    def take(self, agent: str, at: Instant) -> Slot:
        """Take a slot for a call that began to ring at `at`, whatever the limits."""
        day = day_of(at)
        self._live[agent] += 1
        self._daily[day, agent] += 1
        for key in [key for key in self._daily if key[0] < day - 1]:
            del self._daily[key]
        return Slot(self, agent, day)

    def leave(self, key: tuple[int, str], *, counts_for_day: bool) -> None:
        """Remove a call of this day and agent from the live ones; `Slot.free` does this."""
        self._live[key[1]] -= 1
        if not counts_for_day:
            self._daily[key] -= 1


def day_of(instant: Instant) -> int:
    """Days since the epoch. Unix time has no leap seconds, so each day begins at midnight UTC."""
    return int(instant // DAY_S)
