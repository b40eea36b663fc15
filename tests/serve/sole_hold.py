"""The hold of a process without others, for tests of one call."""

from runner.model.action import ClaimCall
from runner.model.entry import Lived
from runner.model.event import ClaimReplied
from runner.model.live_call import Owner
from runner.model.values import Instant
from runner.serve.fleet.hold import CallHold


class SoleHold(CallHold):
    """The hold of a process without others: nothing is kept, and the call ends with the process."""

    def __init__(self) -> None:
        """Nothing is needed for it."""

    async def claim(self, claim: ClaimCall) -> ClaimReplied:
        """It is ours."""
        return ClaimReplied(agent=claim.agent)

    async def known(self, within_s: float) -> None:
        """Nobody else needs to know."""

    async def answered(self, api_call_id: str) -> None:
        """Nobody needs to know."""

    async def may_act(self) -> None:
        """Always."""

    @property
    def fence(self) -> int:
        """No other could take it."""
        return 0

    def lost(self) -> None:
        """Nobody else could have it."""

    @property
    def was_paused(self) -> bool:
        """There is no other."""
        return False

    async def looked(self) -> None:
        """There is nobody to ask."""

    @property
    def owner(self) -> Owner | None:
        """Nobody else could have it."""
        return None

    async def release(self, *, was_served: bool) -> None:
        """Nobody needs to know."""

    def append(self, at: Instant, event: Lived) -> None:
        """Nothing."""

    async def written(self) -> None:
        """Nothing is waited for."""
