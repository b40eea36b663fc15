"""The loop that serves calls, and what the garbage collector leaves alone."""

import asyncio
import gc

import uvloop

from runner.serve import event_loop


def test_calls_are_served_on_uvloop_where_there_is_one() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())

    event_loop.run(main())
    assert isinstance(loops[0], uvloop.Loop)


def test_what_the_process_has_loaded_is_never_looked_at_again() -> None:
    thresholds = gc.get_threshold()
    try:
        event_loop.tame_garbage_collector()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == (event_loop.YOUNG, event_loop.MIDDLE, event_loop.OLD)
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
