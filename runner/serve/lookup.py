"""Asks the lookup's endpoint, with one deadline over all attempts. There is always an answer in the end."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from runner.call.reception.lookup import LookedUp, default_answer, lookup_request, next_attempt_s, read_answer
from runner.call.templates.template import TemplateFailure
from runner.model.agent import Agent, Lookup
from runner.model.call import IncomingCall
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.values import Instant
from runner.serve.live_call import Sender

log = logging.getLogger("runner.serve.lookup")


async def look_up(
    lookup: Lookup,
    *,
    call: IncomingCall,
    agent: Agent,
    secrets: Mapping[str, str],
    sender: Sender,
    now: Instant,
) -> LookedUp:
    """What the endpoint says of this call, or the declared default, within `lookup.timeout_s`."""
    try:
        request = lookup_request(lookup, call=call, agent=agent, secrets=secrets, now=now)
    except TemplateFailure as failure:
        return _told(default_answer(lookup, str(failure), 0.0), agent, HttpReply())
    reply = await ask(lookup, request, sender)
    return _told(read_answer(lookup, reply), agent, reply)


async def ask(lookup: Lookup, request: HttpRequest, sender: Sender) -> HttpReply:
    """The last attempt's reply; `took_s` is what all of them took together, at most `lookup.timeout_s`."""
    clock = asyncio.get_running_loop().time
    began = clock()
    attempt = 1
    try:
        async with asyncio.timeout(lookup.timeout_s):
            while True:
                reply = await sender.send(request)
                delay_s = next_attempt_s(lookup, attempt, reply, clock() - began)
                if delay_s is None:
                    break
                await asyncio.sleep(delay_s)
                attempt += 1
    except TimeoutError:
        reply = HttpReply(failure=Failure.TIMEOUT, detail=f"no reply within {lookup.timeout_s:g} s")
    return replace(reply, took_s=clock() - began)


def _told(answer: LookedUp, agent: Agent, reply: HttpReply) -> LookedUp:
    extra = {"agent": agent.id, "took_s": round(answer.took_s, 3), "status": reply.status}
    if answer.fault is None:
        log.info("lookup was answered", extra=extra)
    else:
        log.warning("lookup gave its default", extra={**extra, "detail": reply.detail})
    return answer
