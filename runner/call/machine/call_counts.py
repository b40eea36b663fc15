"""How many calls an agent has, and whether it takes one more. Pure.

A call counts for the agent that answered it, from the claim to its end, also after a hand-off: limits bound
what an agent's own numbers can bring in. It counts for the day (UTC) on which it began to ring.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from runner.model.action import ClaimCall
from runner.model.event import Limit
from runner.model.values import Instant

DAY_S = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The calls that an agent has at this moment, and has had this day, those included."""

    live: int = 0
    today: int = 0


class Slot:
    """The place of one call among an agent's calls."""

    def __init__(self, call_counts: "CallCounts", agent: str, day: int) -> None:
        self._call_counts = call_counts
        self._key = (day, agent)
        self._is_free = False
        self.is_kept = False

    def keep(self) -> None:
        """The call was accepted: it counts for the day, whatever becomes of it."""
        self.is_kept = True

    def free(self) -> None:
        """The call is over or was never accepted. A second time changes nothing."""
        if not self._is_free:
            self._is_free = True
            self._call_counts.leave(self._key, counts_for_day=self.is_kept)


class CallCounts:
    """The calls of each agent: those that are there now, and those of each day."""

    def __init__(self) -> None:
        self._live: Counter[str] = Counter()
        self._daily: Counter[tuple[int, str]] = Counter()

    def remember(self, calls: Mapping[str, int], now: Instant) -> None:
        """These calls, by agent, were already taken today, before this process began."""
        for agent, number in calls.items():
            self._daily[day_of(now), agent] += number

    def load(self, agent: str, at: Instant) -> Load:
        """What an agent has, seen from a call that began to ring at `at`."""
        return Load(live=self._live[agent], today=self._daily[day_of(at), agent])

    def claim(self, claim: ClaimCall, at: Instant) -> Slot | Limit:
        """A slot for a call that began to ring at `at`, or the limit that its agent has reached."""
        load = self.load(claim.agent, at)
        if claim.concurrent_calls is not None and load.live >= claim.concurrent_calls:
            return Limit.CONCURRENT_CALLS
        if claim.calls_per_day is not None and load.today >= claim.calls_per_day:
            return Limit.CALLS_PER_DAY
        return self.take(claim.agent, at)

    def take(self, agent: str, at: Instant) -> Slot:
        """A slot for a call that began to ring at `at`. It counts from now on."""
        day = day_of(at)
        self._live[agent] += 1
        self._daily[day, agent] += 1
        for key in [key for key in self._daily if key[0] < day - 1]:
            del self._daily[key]
        return Slot(self, agent, day)

    def leave(self, key: tuple[int, str], *, counts_for_day: bool) -> None:
        """Take a call of this day and agent out of those that are there; `Slot.free` does this."""
        self._live[key[1]] -= 1
        if not counts_for_day:
            self._daily[key] -= 1


def day_of(instant: Instant) -> int:
    """Days since the epoch. Unix time has no leap seconds, so that each begins at midnight UTC."""
    return int(instant // DAY_S)
