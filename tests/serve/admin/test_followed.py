"""A followed call is looked at a step at a time."""

import asyncio
from collections.abc import Iterator
from typing import cast

from runner.call.view.call_view import CallView, ViewChange
from runner.model.values import Instant, Json
from runner.serve.admin.followed import FollowedCall
from runner.serve.live_call import LiveCall
from tests.patience import PATIENCE_S


class SlowView:
    """A view of a call with three long replies."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def mask_ahead(self) -> Iterator[None]:
        for _ in range(3):
            self.done.append("masked")
            yield

    def whole(self, _: Instant) -> dict[str, Json]:
        self.done.append("whole")
        return {}

    def changes(self, _: Instant) -> Iterator[ViewChange]:
        self.done.append("changes")
        yield from ()


async def test_each_reply_is_masked_in_a_turn_of_its_own() -> None:
    view = SlowView()
    followed = FollowedCall(cast(LiveCall, None), cast(CallView, view), lambda: 1000.0)
    followed.changed()
    async with asyncio.timeout(PATIENCE_S):
        while "changes" not in view.done:
            before = len(view.done)
            await asyncio.sleep(0)
            assert view.done[before:] in ([], ["masked"], ["whole", "changes"])
    assert view.done == [*["masked"] * 3, "whole", "changes"]
    followed.stop()


async def test_a_snapshot_is_made_when_everything_is_masked() -> None:
    view = SlowView()
    followed = FollowedCall(cast(LiveCall, None), cast(CallView, view), lambda: 1000.0)
    assert await followed.snapshot() == (0, {})
    assert view.done == [*["masked"] * 3, "whole", "changes", "whole"]
    followed.stop()
