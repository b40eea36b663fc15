"""What the parts of one serving process share."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp

from runner.model.values import Instant
from runner.serve.descriptors import DescriptorShares
from runner.serve.metrics import Metrics
from runner.serve.readiness import Readiness
from runner.serve.timeouts import Timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Passed to whatever opens a part."""

    owner: AsyncExitStack
    """Closes the parts, last in first out."""
    metrics: Metrics
    timeouts: Timeouts
    clock: Callable[[], Instant]
    """For routes, templates and records."""
    shares: DescriptorShares
    readiness: Readiness

    async def peer_session(self) -> aiohttp.ClientSession:
        """A session for requests to other runners."""
        return await self.owner.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        )
