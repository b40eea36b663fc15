"""What a live call asks of its hold, and when: before it acts, not after."""

import asyncio

from runner.model.entry import Lived
from runner.model.event import AnswerReplied, SidebandOpened
from runner.model.values import Instant
from runner.serve.hold import SoleHold
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, calls, greets
from tests.call.machine.playing import END_CALL
from tests.serve.stage import Stage, creates, greeting


class WatchedHold(SoleHold):
    """Notes how far the call has come at the API, each time that it is asked."""

    def __init__(self, call: PlacedCall) -> None:
        self._call = call
        self.kept: list[Lived] = []
        self.kept_at: list[tuple[type[Lived], list[str], int]] = []
        self.acted_after: list[list[str]] = []
        self.looked_after: list[int] = []
        self.pauses_after: type[Lived] | None = None
        self._was_paused = False

    def _requests(self) -> list[str]:
        return [request.action for request in self._call.requests]

    def append(self, at: Instant, event: Lived) -> None:
        self.kept.append(event)
        if type(event) is self.pauses_after:
            self._was_paused = True

    async def written(self) -> None:
        await asyncio.sleep(0)
        self.kept_at.append((type(self.kept[-1]), self._requests(), creates(self._call)))

    async def may_act(self) -> None:
        await asyncio.sleep(0)
        self.acted_after.append(self._requests())

    @property
    def was_paused(self) -> bool:
        return self._was_paused

    async def looked(self) -> None:
        if self._was_paused:
            await asyncio.sleep(0)
            self.looked_after.append(creates(self._call))
            self._was_paused = False


async def played(
    stage: Stage, *, pauses_after: type[Lived] | None = None, hangs_up: bool = False
) -> WatchedHold:
    """The hold of a call that is greeted and ended, by the agent or else by the caller."""
    holds: list[WatchedHold] = []

    def hold_of(call: PlacedCall) -> WatchedHold:
        hold = WatchedHold(call)
        hold.pauses_after = pauses_after
        holds.append(hold)
        return hold

    end = (CallerSays(text="Bye."), calls("end_call")) if hangs_up else (CallerHangsUp(),)
    live, call = stage.ringing(greeting(END_CALL), greets(), *end, hold_of=hold_of)
    async with asyncio.timeout(20):
        assert await live.run() is not None
    assert call.violations == []
    assert creates(call) >= 1
    return holds[0]


async def test_a_call_is_hung_up_only_after_it_is_certain_whose_it_is(stage: Stage) -> None:
    hold = await played(stage, hangs_up=True)
    assert hold.acted_after == [["accept"]]


async def test_the_ring_is_written_down_before_the_call_is_answered(stage: Stage) -> None:
    hold = await played(stage)
    assert hold.kept_at[0][1:] == ([], 0)


async def test_the_opening_is_written_down_before_the_caller_is_greeted(stage: Stage) -> None:
    hold = await played(stage)
    assert (SidebandOpened, ["accept"], 0) in hold.kept_at


async def test_after_a_pause_the_store_is_asked_before_the_caller_is_greeted(
    stage: Stage,
) -> None:
    hold = await played(stage, pauses_after=AnswerReplied)
    assert hold.looked_after == [0]
    assert sum(isinstance(event, SidebandOpened) for event in hold.kept) == 1
