"""Drains a runner that is to stop: its live calls may end by themselves, until time is up."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.service import Service
from runner.serve.webhooks import Webhooks

log = logging.getLogger("runner.serve.drain")


async def drain(
    service: Service, hurry: asyncio.Event, drain_timeout_s: float, *, after_call_s: float
) -> None:
    """Hand the live calls over; if no other runner stays, give them `drain_timeout_s`, or until `hurry`.

    Calls that no other runner takes then are ended. The jobs after calls get `after_call_s`; the rest of them
    stay in the store.
    """
    live_calls = service.live_calls
    log.info("draining", extra={"live_calls": len(live_calls)})
    await service.fleet.hand_over()
    await _unless(hurry, _until_quiet(service.webhooks, live_calls), drain_timeout_s)
    # An answer that is still being sent may yet begin a call.
    await service.webhooks.settle()
    if len(live_calls):
        # Another runner may be there by now, or the store may be back.
        await service.fleet.hand_over()
    if len(live_calls):
        log.warning("live calls are ended", extra={"live_calls": len(live_calls)})
    await live_calls.end("shutdown")
    await _unless(hurry, service.jobs.settle(), after_call_s)


async def _until_quiet(webhooks: Webhooks, live_calls: LiveCalls[LiveCall]) -> None:
    await webhooks.settle()
    await live_calls.idle()


async def _unless(hurry: asyncio.Event, work: Coroutine[Any, Any, None], longest_s: float) -> None:
    """Wait for the work, but at most this long, and not when there is a hurry."""
    waits = (asyncio.create_task(work), asyncio.create_task(hurry.wait()))
    await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    for result in await asyncio.gather(*waits, return_exceptions=True):
        if isinstance(result, Exception):
            log.error("task failed during shutdown", exc_info=result)
