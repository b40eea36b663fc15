"""A runner that alone loses the database in the moment in which it answers a call."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runner.model.values import Json
from runner.standin.placed_call import PlacedCall, RestReply
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.server import StandIn
from runner.store.opening import open_store
from tests.chaos.test_outage import ROOT, greetings
from tests.patience import PATIENCE_S
from tests.serving import Desk
from tests.store.postgresql.database_line import DatabaseLine, LineFault
from tests.store.postgresql.server import PostgresqlServer

pytestmark = pytest.mark.chaos


class CutsOff:
    """A call that cuts its runner off from the database as it is answered."""

    def __init__(self, call: PlacedCall, line: DatabaseLine) -> None:
        self._call, self._line = call, line
        self._answer = call.answer
        call.answer = self  # type: ignore[method-assign] # it stands in for it

    def __call__(self, action: str, body: Json, now: float) -> RestReply:
        self._line.fail(LineFault.CUT)
        return self._answer(action, body, now)


async def test_a_call_that_two_runners_answer_is_greeted_once(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    url = postgresql.new_database()
    async with StandIn() as api, AsyncExitStack() as stack:
        desk = Desk(api, tmp_path)
        desk.program = (sys.executable, "-m", "tests.chaos.planted", "nothing")
        desk.environ |= {"DATABASE_URL": url, "PYTHONPATH": ROOT}
        desk.settings(store="{env: DATABASE_URL}")
        line = DatabaseLine(url)
        line_url = await stack.enter_async_context(line.serving())
        first = await stack.enter_async_context(desk.run(environ={**desk.environ, "DATABASE_URL": line_url}))
        second = await stack.enter_async_context(desk.run())
        address = await first.started()
        await second.started()
        call = api.place_call(greets())
        CutsOff(call, line)
        await desk.announce(address, call)
        await api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        await api.until(lambda: call.attached == 2, PATIENCE_S)
        # Each of them asks for a response: the first one greets, and the second one lets the model go on.
        await api.until(lambda: call.received_types().count("response.create") == 2, PATIENCE_S)
        call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
        api.wake(call)
        await api.until_over(call, PATIENCE_S)
        assert greetings(call) == 1
        store = await open_store(url)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (stored := await store.read(call.id)) is None:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
        finally:
            await store.close()
        assert stored.record["ended"] == "caller_hung_up"
