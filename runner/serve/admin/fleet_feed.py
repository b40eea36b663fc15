"""The list of live calls of the fleet that readers follow: those of this process, and of other runners."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from runner.model.values import Instant
from runner.serve.admin.call_rows import CallRows
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.other_runners import OtherRunners
from runner.serve.admin.peers import AdminPeers

LOOK_S = 0.2
"""Between two reads of the calls of this process, for all readers together."""
FIRST_S = 1.0
"""For other runners to send their calls; then the first snapshot goes out without the late ones."""


class FleetFeed:
    """The list, as long as it has readers."""

    def __init__(
        self, followed: FollowedCalls, peers: AdminPeers | None, clock: Callable[[], Instant]
    ) -> None:
        """Without `peers` it has only the calls of this process."""
        self.calls = CallRows(clock)
        self.readers: list[Mapping[str, str]] = []
        """The headers of each reader; requests to other runners use those of the newest."""
        self._followed = followed
        self._looked_at = float("-inf")
        self._others = OtherRunners(peers, self.calls, lambda: self.readers[-1])

    @property
    def runners(self) -> list[str]:
        """The runners of the fleet, this one first."""
        return [self._followed.runner, *self._others.runners]

    @property
    def missing(self) -> list[str]:
        """The runners that cannot be reached: their calls are shown as they last were, if at all."""
        return self._others.missing

    def look(self) -> None:
        """Read the calls of this process."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self.calls.replace(self._followed.runner, self._followed.rows(), self._followed.end_of)

    async def look_for_runners(self) -> None:
        """Follow the current other runners."""
        await self._others.look()

    async def wait_for_others(self) -> None:
        """Wait until the other runners have sent their calls, for at most `FIRST_S`."""
        await self._others.look()
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await self._others.wait()

    async def pause(self) -> None:
        """Stop following while there are no readers."""
        await self._others.close()
