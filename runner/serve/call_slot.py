"""Keeps the slot of one call among the calls of its agent, here and in all runners together."""

from dataclasses import dataclass, field

from runner.call.machine.call_counts import CallCounts, Slot
from runner.model.action import ClaimCall
from runner.model.event import ClaimReplied, Limit
from runner.model.values import Instant
from runner.serve.fleet.hold import CallHold
from runner.serve.metrics import Metrics


@dataclass(slots=True, kw_only=True, eq=False)
class CallSlot:
    """Claims a call, and frees its slot when the claim fails or the call is over."""

    counts: CallCounts
    hold: CallHold
    metrics: Metrics
    created_at: Instant
    _slot: Slot | None = field(default=None, init=False)

    def claim_here(self, claim: ClaimCall) -> ClaimReplied | None:
        """Take a slot of this process; a reply where there is none.

        Never waits, so that calls that ring at the same moment cannot all take the same slot.
        """
        claimed = self.counts.claim(claim, self.created_at)
        if isinstance(claimed, Limit):
            return self._settled(ClaimReplied(agent=claim.agent, reached=claimed))
        self._slot = claimed
        return None

    async def claim_from_all(self, claim: ClaimCall) -> ClaimReplied:
        """Claim the call from all runners, once `claim_here` has taken a slot."""
        return self._settled(await self.hold.claim(claim))

    def take_over(self, agent: str) -> None:
        """Count a call that was answered by another process."""
        self._slot = self.counts.take(agent, self.created_at)
        self._slot.keep()

    def keep(self) -> None:
        """The call is answered: it counts for its day."""
        if self._slot is not None:
            self._slot.keep()

    def free(self, *, moved: bool = False) -> None:
        """Give the slot back, if there is one. A call that has `moved` counts for its day where it is served
        now: it may come back, and is one call all the same.
        """
        if self._slot is not None:
            self._slot.is_kept = self._slot.is_kept and not moved
            self._slot.free()
            self._slot = None

    def _settled(self, replied: ClaimReplied) -> ClaimReplied:
        if replied.reached is not None:
            self.metrics.busy.labels(agent=replied.agent, limit=replied.reached.value).inc()
        if replied.reached is not None or replied.taken:
            self.free()
        return replied
