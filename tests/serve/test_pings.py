"""Sockets are pinged in turn, and one that fails stops no other."""

import asyncio
from functools import partial
from typing import Any

from runner.serve.pings import Pings


async def test_each_is_pinged_again_and_again_in_turn() -> None:
    pings, pinged, enough = Pings(0.01), [], asyncio.Event()

    def ping(name: str) -> None:
        pinged.append(name)
        if len(pinged) < 6:
            pings.expect(partial(ping, name))
        else:
            enough.set()

    for name in "abc":
        pings.expect(partial(ping, name))
    assert pinged == []
    await asyncio.wait_for(enough.wait(), 30)
    assert pinged == ["a", "b", "c", "a", "b", "c"]


async def test_one_that_fails_stops_no_other() -> None:
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
    pings, last = Pings(0.01), asyncio.Event()
    failure = RuntimeError("a bug of ours")

    def fail() -> None:
        raise failure

    pings.expect(fail)
    pings.expect(last.set)
    await asyncio.wait_for(last.wait(), 30)
    assert failures == [failure]
