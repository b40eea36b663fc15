"""How many calls an agent has, whether it takes one more, and who gets the call when it does not. Pure.

A call counts for the agent that answered it, from the decision to its end, also after a hand-off: limits
bound what an agent's own numbers can bring in. It counts for the day (UTC) on which it began to ring.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from runner.call.reception.admission import Admit, TurnAway
from runner.model.agent import BUSY_HERE, Agent
from runner.model.route import Reject
from runner.model.values import Instant

DAY_S = 86400


class Limit(Enum):
    """The limits of an agent over all its calls. The value is the language's key."""

    CONCURRENT_CALLS = "concurrent_calls"
    CALLS_PER_DAY = "calls_per_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The calls that an agent has at this moment, and has had this day, those included."""

    live: int = 0
    today: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached:
    """An agent that could not take the call."""

    agent: str
    limit: Limit
    most: int

    def __str__(self) -> str:
        number = f"{self.most} call" if self.most == 1 else f"{self.most} calls"
        when = "at once" if self.limit is Limit.CONCURRENT_CALLS else "a day"
        return f'"{self.agent}" is busy ({number} {when})'


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Who takes a call, or how it is turned away, and the agents that were asked before in vain."""

    decision: Admit | TurnAway
    full: tuple[LimitReached, ...] = ()


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


def place_call(admitted: Admit, agents: Mapping[str, Agent], call_counts: CallCounts) -> Placement:
    """The admitted call with the first agent that has room, or turned away as the last asked declares."""
    full: list[LimitReached] = []
    agent = agents[admitted.agent]
    while reached := _reached(agent, call_counts.load(agent.id, admitted.call.created_at)):
        full.append(reached)
        busy = agent.busy
        asked = {one.agent for one in full}
        if isinstance(busy, Reject) or busy.agent in asked:
            # `validate` refuses circles; one that was made otherwise ends here.
            status = busy.status if isinstance(busy, Reject) else BUSY_HERE
            why = "; ".join([admitted.why, *map(str, full), f"the call is rejected with {status}"])
            return Placement(decision=TurnAway(call=admitted.call, status=status, why=why), full=tuple(full))
        agent = agents[busy.agent]
    if not full:
        return Placement(decision=admitted)
    why = "; ".join([admitted.why, *map(str, full), f'the call is given to "{agent.id}"'])
    return Placement(decision=replace(admitted, agent=agent.id, why=why), full=tuple(full))


def _reached(agent: Agent, load: Load) -> LimitReached | None:
    limits = agent.limits
    if limits.concurrent_calls is not None and load.live >= limits.concurrent_calls:
        return LimitReached(agent=agent.id, limit=Limit.CONCURRENT_CALLS, most=limits.concurrent_calls)
    if limits.calls_per_day is not None and load.today >= limits.calls_per_day:
        return LimitReached(agent=agent.id, limit=Limit.CALLS_PER_DAY, most=limits.calls_per_day)
    return None
