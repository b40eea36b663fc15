"""Drains a runner that is to stop: its live calls may end by themselves, until time is up."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from runner.serve.service import Service

log = logging.getLogger("runner.serve.drain")

LOOK_S = 1.0
"""Between two looks for another runner."""


async def drain(
    service: Service, hurry: asyncio.Event, drain_timeout_s: float, *, after_call_s: float
) -> None:
    """Hand the live calls over; if no other runner stays, give them `drain_timeout_s`, or until `hurry`, and
    hand them over to one that comes meanwhile. So are those of runners that end at the same moment.

    Calls that no other runner takes are ended. The jobs after calls get `after_call_s`; the rest of them stay
    in the store.
    """
    live_calls, clock = service.live_calls, asyncio.get_running_loop().time
    log.info("draining", extra={"live_calls": len(live_calls)})
    until = clock() + drain_timeout_s
    await service.fleet.hand_over()
    while True:
        is_fine = await _unless(hurry, _until_quiet_or_others(service), max(0.0, until - clock()))
        # An answer that is still being sent may yet begin a call.
        await service.webhooks.settle()
        if len(live_calls):
            await service.fleet.hand_over()
        await service.fleet.take_back()
        if not (is_fine and len(live_calls)) or hurry.is_set() or clock() >= until:
            break
    if len(live_calls):
        log.warning("live calls are ended", extra={"live_calls": len(live_calls)})
    await live_calls.end("shutdown")
    await _unless(hurry, service.jobs.settle(), after_call_s)


async def _until_quiet_or_others(service: Service) -> None:
    await service.webhooks.settle()
    idle = asyncio.create_task(service.live_calls.idle())
    try:
        while not (await asyncio.wait((idle,), timeout=LOOK_S))[0]:
            if await service.fleet.has_others():
                return
        await idle
    finally:
        idle.cancel()


async def _unless(hurry: asyncio.Event, work: Coroutine[Any, Any, None], longest_s: float) -> bool:
    """Wait for the work, but at most this long, and not when there is a hurry; False when it has failed."""
    waits = (asyncio.create_task(work), asyncio.create_task(hurry.wait()))
    await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    results = await asyncio.gather(*waits, return_exceptions=True)
    bugs = [result for result in results if isinstance(result, Exception)]
    for bug in bugs:
        log.error("task failed during shutdown", exc_info=bug)
    return not bugs
