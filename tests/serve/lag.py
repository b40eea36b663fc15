"""Holds code under test to the event loop's lag."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

MOST_LAG_S = 0.1
"""What a neighbour's call may be held up by."""
EVERY_S = 0.002


@asynccontextmanager
async def no_lag(most_s: float = MOST_LAG_S) -> AsyncIterator[None]:
    """Fails when the event loop was ever later than `most_s`, other processes' turns not counted."""
    lags = [0.0]
    measured = asyncio.Event()

    async def watch() -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due, waited_s = clock() + EVERY_S, _waited_s()
            await asyncio.sleep(EVERY_S)
            lags.append(clock() - due - (_waited_s() - waited_s))
            measured.set()

    watching = asyncio.create_task(watch())
    await measured.wait()
    try:
        yield
        measured.clear()
        await measured.wait()
    finally:
        watching.cancel()
    assert max(lags) < most_s, f"the event loop was {max(lags):.3f} s late"


def _waited_s() -> float:
    """How long this thread was ready to run and others ran instead; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
