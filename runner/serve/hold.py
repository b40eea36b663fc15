"""What a live call needs to know about other runners: whether it is theirs, and where its journal is kept."""

from typing import Protocol

from runner.model.action import ClaimCall
from runner.model.entry import Lived
from runner.model.event import ClaimReplied
from runner.model.live_call import Owner
from runner.model.values import Instant


class Hold(Protocol):
    """This process's hold on one call, among all runners. `runner.serve.fleet.hold` has the real one."""

    async def claim(self, claim: ClaimCall) -> ClaimReplied:
        """Claim the call before it is answered."""

    async def known(self) -> None:
        """Wait until the store has who rings, and who is to answer."""

    async def answered(self, api_call_id: str) -> None:
        """The API has answered the call for us, under this id."""

    async def may_act(self) -> None:
        """Wait until it is certain that no other runner acts for the call."""

    @property
    def fence(self) -> int:
        """Counts up whenever another runner takes the call; 0 where none can."""

    def lost(self) -> None:
        """Another runner acts for the call under a higher fence: drop it."""

    @property
    def was_paused(self) -> bool:
        """Whether another runner may have taken the call while this process stood still."""

    async def looked(self) -> None:
        """Wait until the store has said whose the call is."""

    @property
    def owner(self) -> Owner | None:
        """The runner and the fence under which the record is saved; None where no other could save it."""

    async def release(self, *, was_served: bool) -> None:
        """Give up the hold; a call that was not served may be claimed again."""

    def append(self, at: Instant, event: Lived) -> None:
        """Write the event soon, so that another process can take the call over. Never waits."""

    async def written(self) -> None:
        """Wait until the store has everything that was appended so far."""
