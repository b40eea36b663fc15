"""What one call asks of the API and of its tools' endpoints, each as soon as its hold allows it."""

import asyncio
from collections.abc import Callable

from runner.api.port import Order
from runner.model.action import AnswerCall, HangUp, Refer, SendRequest
from runner.model.event import CallEvent, HangUpFailed, ReferAnswered, Replied
from runner.model.http import Failure, HttpReply
from runner.serve import call_log
from runner.serve.api_client import ApiClient
from runner.serve.hold import Hold
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import Sender

WRITTEN_S = 0.5
"""For the store to write down what is about to be done; then the caller has waited enough."""


class CallOrders:
    """The requests of one call."""

    def __init__(
        self,
        *,
        api_call_id: Callable[[], str],
        api: ApiClient,
        tools: Sender,
        hold: Hold,
        timeouts: Timeouts,
    ) -> None:
        """`api_call_id` is what the API calls the call, which it says of a browser's when it answers."""
        self._api_call_id = api_call_id
        self._api = api
        self._tools = tools
        self._hold = hold
        self._timeouts = timeouts

    def let_go(self) -> None:
        """The call is over: know nobody any more, who know this."""
        del self._api_call_id

    async def carry_out(self, order: Order) -> CallEvent:
        """Carry out an order to the API, and what came of it.

        A transfer and a hang-up wait until no other runner can be serving the call, and fail when that stays
        unknown.
        """
        if isinstance(order, Refer | HangUp):
            try:
                async with asyncio.timeout(self._timeouts.hangup_s):
                    await self._hold.may_act()
            except TimeoutError:
                detail = "it is unknown whether another runner serves the call"
                if isinstance(order, Refer):
                    return ReferAnswered(ok=False, detail=detail)
                return HangUpFailed(detail=detail)
        if isinstance(order, AnswerCall):
            # A call whose ring nobody has written down could be answered, and then be unknown to all.
            await self.is_written(WRITTEN_S)
            # After a pause another may be answering it.
            await self._hold.looked()
        return await self._api.carry_out(order, self._api_call_id())

    async def request(self, send: SendRequest) -> Replied:
        """Send a tool's request. Whoever takes the call up must know of it: it is written down before.

        One that may be sent twice waits for that only a little.
        """
        within_s = WRITTEN_S if send.is_repeatable else send.request.timeout_s
        if await self.is_written(within_s) or send.is_repeatable:
            reply = await self._tools.send(send.request)
        else:
            detail = "not sent: the store did not take down that it is about to be"
            reply = HttpReply(failure=Failure.TIMEOUT, detail=detail)
        call_log.replied(send, reply)
        return Replied(call_id=send.call_id, attempt=send.attempt, reply=reply)

    async def is_written(self, within_s: float) -> bool:
        """Whether the store has, in this time, written down what the call has lived through."""
        try:
            async with asyncio.timeout(within_s):
                await self._hold.written()
        except TimeoutError:
            return False
        return True
