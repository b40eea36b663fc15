"""Sends the requests of one call, to the API and to its tools' endpoints, as soon as its hold allows."""

import asyncio
from dataclasses import dataclass

from runner.api.port import Order
from runner.model.action import AnswerCall, HangUp, Refer, SendRequest
from runner.model.event import CallEvent, HangUpFailed, ReferAnswered, Replied
from runner.model.http import Failure, HttpReply
from runner.serve.api_client import ApiClient
from runner.serve.fleet.hold import CallHold
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import Sender

WRITTEN_S = 0.5
"""For the store to write down what is about to be done; then the caller has waited enough."""


@dataclass(slots=True, kw_only=True, eq=False)
class CallOrders:
    """The requests of one call."""

    api: ApiClient
    tools: Sender
    hold: CallHold
    timeouts: Timeouts

    async def carry_out(self, order: Order, api_call_id: str) -> CallEvent:
        """Carry out an order to the API, and return the result. `api_call_id` is the API's id of the call.

        A transfer and a hang-up wait until no other runner can be serving the call, and fail when that stays
        unknown.
        """
        if isinstance(order, Refer | HangUp):
            try:
                async with asyncio.timeout(self.timeouts.hangup_s):
                    await self.hold.may_act()
            except TimeoutError:
                detail = "it is unknown whether another runner serves the call"
                if isinstance(order, Refer):
                    return ReferAnswered(ok=False, detail=detail)
                return HangUpFailed(detail=detail)
        if isinstance(order, AnswerCall):
            # A call whose ring is not in the store could be answered, and then be unknown to all runners.
            await self.hold.known(WRITTEN_S)
            # After a pause another may be answering it.
            await self.hold.looked()
        return await self.api.carry_out(order, api_call_id)

    async def request(self, send: SendRequest) -> Replied:
        """Send a tool's request, once it is in the store: a runner that takes the call over must know of it.

        A request that may be sent twice waits only a little for that.
        """
        within_s = WRITTEN_S if send.is_repeatable else send.request.timeout_s
        is_written = await self.is_written(within_s)
        # After a pause another may be serving the call.
        await self.hold.looked()
        if is_written or send.is_repeatable:
            reply = await self.tools.send(send.request)
        else:
            detail = "not sent: the store has not confirmed that it knows of it"
            reply = HttpReply(failure=Failure.TIMEOUT, detail=detail)
        return Replied(call_id=send.call_id, attempt=send.attempt, reply=reply)

    async def is_written(self, within_s: float) -> bool:
        """Whether the store has, in this time, written down what the call has lived through."""
        try:
            async with asyncio.timeout(within_s):
                await self.hold.written()
        except TimeoutError:
            return False
        return True
