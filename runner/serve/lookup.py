"""Asks the lookup's endpoint, with one deadline over all attempts. Decides nothing about the answer."""

import asyncio
from dataclasses import replace
from typing import Protocol

from runner.call.tool_request import next_delay
from runner.model.agent import Lookup
from runner.model.http import Failure, HttpReply, HttpRequest


class Sender(Protocol):
    """Sends one attempt of a request. Never raises but for cancellation."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """The reply, or why there is none."""


async def ask(lookup: Lookup, request: HttpRequest, sender: Sender) -> HttpReply:
    """The last attempt's reply; `took_s` is what all of them took together, at most `lookup.timeout_s`.

    An attempt that could only begin after the deadline is not waited for.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    attempt, reply = 1, HttpReply(failure=Failure.TIMEOUT)
    try:
        async with asyncio.timeout(lookup.timeout_s) as deadline:
            while True:
                reply = await sender.send(request)
                delay_s = next_delay(lookup.http.retries, attempt, reply)
                if delay_s is None or clock() + delay_s >= (deadline.when() or 0.0):
                    break
                await asyncio.sleep(delay_s)
                attempt += 1
    except TimeoutError:
        reply = HttpReply(failure=Failure.TIMEOUT, detail=f"no reply within {lookup.timeout_s:g} s")
    return replace(reply, took_s=clock() - began)
