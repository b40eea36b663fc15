"""Measures how late the event loop is: whatever blocks it delays every call."""

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger("runner.serve.loop_lag")

EVERY_S = 0.05
STALLED_S = 0.5
"""A lag that callers hear. It is logged; smaller ones are only measured."""


async def watch_loop(observe: Callable[[float], None], every_s: float = EVERY_S) -> None:
    """Call `observe` for ever with the seconds by which a sleep of `every_s` was too long."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + every_s
        await asyncio.sleep(every_s)
        lag_s = max(clock() - due, 0.0)
        observe(lag_s)
        if lag_s >= STALLED_S:
            log.warning("event loop stalled", extra={"lag_s": round(lag_s, 3)})
