"""Holds code under test to the event loop's lag."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.cpu import stolen_s, took_at_most

MOST_LAG_S = 0.1
"""What a neighbour's call may be held up by."""
EVERY_S = 0.002


@asynccontextmanager
async def no_lag(most_s: float = MOST_LAG_S) -> AsyncIterator[None]:
    """Fails when the event loop was ever later than `most_s`.

    The turns of other processes do not count, nor those of other machines on this host.
    """
    lags = [0.0]
    measured = asyncio.Event()

    async def watch() -> None:
        clock = asyncio.get_running_loop().time
        before_s = stolen_s()
        while True:
            due, waited_s = clock() + EVERY_S, _waited_s()
            await asyncio.sleep(EVERY_S)
            lag_s = clock() - due - (_waited_s() - waited_s)
            lags.append(lag_s if lag_s < most_s else lag_s - (stolen_s() - before_s))
            measured.set()

    watching = asyncio.create_task(watch())
    await measured.wait()
    # The collector is tamed in service, and looks at all tests here.
    gc.disable()
    try:
        yield
        measured.clear()
        await measured.wait()
    finally:
        gc.enable()
        watching.cancel()
    assert took_at_most(max(lags), most_s), f"the event loop was {max(lags):.3f} s late"


def _waited_s() -> float:
    """How long this thread was ready to run and others ran instead; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
