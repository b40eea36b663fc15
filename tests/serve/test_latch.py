"""A latch is set once, and wakes everybody who waits for it."""

import asyncio

from runner.serve.latch import Latch


async def test_everybody_who_waits_is_woken_and_nobody_waits_after_that() -> None:
    latch = Latch()
    waits = [asyncio.create_task(latch.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waits[1].cancel()
    assert (latch.is_set, [wait.done() for wait in waits]) == (False, [False, False, False])
    latch.set()
    ended = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(one) for one in ended] == [type(None), asyncio.CancelledError, type(None)]
    await latch.wait()
    assert latch.is_set
