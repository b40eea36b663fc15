"""Many tasks that want to go on at once do so a few at a time."""

import asyncio

from runner.serve.pace import LoopPace
from tests.patience import PATIENCE_S


async def turns_of(tasks: int, pace: LoopPace) -> list[int]:
    """The turn of the event loop in which each of so many tasks went on."""
    turn, went_on = 0, []

    async def go_on() -> None:
        await pace.turn()
        went_on.append(turn)

    waiting = [asyncio.create_task(go_on()) for _ in range(tasks)]
    while not all(task.done() for task in waiting):
        turn += 1
        await asyncio.sleep(0)
    return went_on


async def test_few_go_on_at_once_and_many_a_few_in_each_turn() -> None:
    pace = LoopPace(3)
    few, many = await turns_of(3, pace), await turns_of(10, pace)
    assert few == [1, 1, 1]
    assert sorted(many) == many
    assert max(many.count(turn) for turn in many) == 3
    assert await turns_of(3, pace) == [1, 1, 1]


async def test_one_that_waits_no_more_takes_nobodys_turn() -> None:
    pace = LoopPace(1)
    await pace.turn()
    gone, stays = asyncio.create_task(pace.turn()), asyncio.create_task(pace.turn())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    async with asyncio.timeout(PATIENCE_S):
        await stays
