"""Measures how late the event loop is: whatever blocks it delays every call."""

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger("runner.serve.loop_lag")

EVERY_S = 0.1
STALLED_S = 0.5
"""A lag that callers hear. It is logged; smaller ones are only measured."""


async def watch_loop(observe: Callable[[float], None], every_s: float = EVERY_S) -> None:
    """Call `observe` for ever with the seconds by which a timer of `every_s` was late."""
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()
    timer: asyncio.TimerHandle

    def wait() -> None:
        nonlocal timer
        timer = loop.call_later(every_s, look, loop.time() + every_s)

    def look(due: float) -> None:
        lag_s = max(loop.time() - due, 0.0)
        try:
            observe(lag_s)
        except Exception as error:
            failed.set_exception(error)
            return
        if lag_s >= STALLED_S:
            log.warning("event loop stalled", extra={"lag_s": round(lag_s, 3)})
        wait()

    # A task that sleeps would take twice as long, ten times a second in a process that has little to do.
    wait()
    try:
        await failed
    finally:
        timer.cancel()
