"""Several runners over one PostgreSQL, as real processes: a call goes on whichever of them is lost."""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runner.model.conversation_event import PlaybackEnded
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.server import StandIn
from runner.store.opening import open_store
from tests.serve.fleet.test_workers import LONG_LEASES
from tests.serving import Desk, Process
from tests.store.postgresql.server import PostgresqlServer


@pytest.fixture
async def desk(tmp_path: Path, postgresql: PostgresqlServer) -> AsyncIterator[Desk]:
    async with StandIn() as api:
        desk = Desk(api, tmp_path)
        desk.url = postgresql.new_database()
        desk.settings(store="{env: DATABASE_URL}")
        desk.environ["DATABASE_URL"] = desk.url
        yield desk


async def ended(desk: Desk, call: PlacedCall) -> str:
    store = await open_store(desk.url)
    try:
        stored = await store.read(call.id)
        assert stored is not None
        return str(stored.record["ended"])
    finally:
        await store.close()


async def goes_on(desk: Desk, call: PlacedCall) -> None:
    """The call is served to its end, and nobody was greeted twice."""
    call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
    desk.api.wake(call)
    await desk.api.until_over(call)
    assert call.violations == []
    asked = [event for event in call.received if event["type"] == "response.create"]
    fences = [event["response"]["metadata"]["fence"] for event in asked]
    # Whatever the second runner asks for tells everybody who still hears the call that it is not theirs.
    assert fences == ["1", *["2"] * (len(asked) - 1)]
    assert ["instructions" in event["response"] for event in asked].count(True) == 1


async def test_a_runner_that_is_killed_loses_no_call(desk: Desk) -> None:
    async with desk.run() as first, desk.run() as second:
        url = await first.started()
        await second.started()
        call, _ = await desk.ring(url, greets())
        await desk.journalled(call.id, PlaybackEnded)
        first.tell(signal.SIGKILL)
        await desk.api.until(lambda: call.attached == 2)
        await goes_on(desk, call)
        await second.logged("call has ended")
        second.tell(signal.SIGTERM)
        await second.ended()
    assert await ended(desk, call) == "caller_hung_up"


@pytest.mark.parametrize("stays", [True, False], ids=["to who stays", "to who comes while it drains"])
async def test_a_runner_that_is_told_to_end_hands_its_calls_over(desk: Desk, stays: bool) -> None:
    desk.settings("server: {drain_timeout: 1h}", store="{env: DATABASE_URL}")
    # Nobody waits for a lease to end.
    desk.program = (sys.executable, "-c", LONG_LEASES)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(desk.run())
        url = await first.started()
        second = await second_of(desk, stack) if stays else None
        call, _ = await desk.ring(url, greets())
        await desk.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        first.tell(signal.SIGTERM)
        if second is None:
            await first.logged("draining")
            second = await second_of(desk, stack)
        await desk.api.until(lambda: call.attached == 2)
        code, _, _ = await first.ended()
        assert code == 0
        await goes_on(desk, call)
        await second.logged("call has ended")
        second.tell(signal.SIGTERM)
        await second.ended()
    assert await ended(desk, call) == "caller_hung_up"


async def second_of(desk: Desk, stack: AsyncExitStack) -> Process:
    """Another runner, which has started."""
    second = await stack.enter_async_context(desk.run())
    await second.started()
    return second


async def test_a_webhook_that_reaches_two_runners_is_answered_once(desk: Desk) -> None:
    async with desk.run() as first, desk.run() as second:
        urls = [await first.started(), await second.started()]
        call, status = await desk.ring(urls[0], greets())
        assert status == 200
        assert await desk.announce(urls[1], call) == 200
        assert [request.action for request in call.requests] == ["accept"]
