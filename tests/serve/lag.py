"""Holds code under test to the event loop's lag."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from tests.cpu import stolen_s, took_at_most

Given = ParamSpec("Given")

MOST_LAG_S = 0.1
"""What a neighbour's call may be held up by."""
EVERY_S = 0.002
ATTEMPTS = 4


class LoopLateError(AssertionError):
    """The event loop was later than it may be."""


def again_if_late(
    test: Callable[Given, Coroutine[Any, Any, None]],
) -> Callable[Given, Coroutine[Any, Any, None]]:
    """Declare a test that is played again where the loop was late: code holds it up each time, and a busy
    machine now and then."""

    @wraps(test)
    async def played(*given: Given.args, **fixtures: Given.kwargs) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await test(*given, **fixtures)
                return
            except LoopLateError:
                if attempt == ATTEMPTS - 1:
                    raise
            log: Any = fixtures.get("caplog")
            if log is not None:
                log.clear()

    return played


@asynccontextmanager
async def no_lag(most_s: float = MOST_LAG_S) -> AsyncIterator[None]:
    """Raises LoopLateError when the event loop was ever later than `most_s`.

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
    if not took_at_most(max(lags), most_s):
        raise LoopLateError(f"the event loop was {max(lags):.3f} s late")


def _waited_s() -> float:
    """How long this thread was ready to run and others ran instead; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
