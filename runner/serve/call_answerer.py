"""Answers ringing calls: from then on they are served. Decides nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runner.model.call import Ringing
from runner.model.reception import RingResult
from runner.serve.live_call import LiveCall
from runner.serve.logs import name_call


@dataclass(slots=True, kw_only=True, eq=False)
class CallAnswerer:
    """Answers the calls that webhooks announce."""

    ring: Callable[[Ringing], Awaitable[LiveCall]]
    """Serves the call from now on."""
    has_call: Callable[[str], Awaitable[bool]]
    """Whether this process has taken the call over."""
    is_open: Callable[[], bool]

    async def answer(self, ringing: Ringing) -> RingResult:
        """Answer or reject a ringing call; returns once that is done.

        Needs a task of its own: every line that the task logs from here on names the call.
        """
        name_call(ringing.call_id)
        if not self.is_open():
            return RingResult.CLOSED
        if await self.has_call(ringing.call_id):
            # The previous process did not reply to its webhook. As a new call it would count twice.
            return RingResult.TAKEN
        call = await self.ring(ringing)
        return await call.ring_result()
