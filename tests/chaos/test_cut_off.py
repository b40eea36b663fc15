"""A runner that alone loses the database, as it answers a call or as a tool is called."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from runner.model.conversation_event import PlaybackEnded
from runner.model.values import Json
from runner.standin.placed_call import PlacedCall, RestReply
from runner.standin.script import CallerHangsUp, CallerSays, calls, greets, says
from runner.standin.server import StandIn
from runner.store.opening import open_store
from tests.chaos.backend import Backend
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


@asynccontextmanager
async def two_runners(
    directory: Path, postgresql: PostgresqlServer, *, agent: str | None = None
) -> AsyncIterator[tuple[Desk, DatabaseLine, str]]:
    """The first of them has a line of its own to the database; its address is the last of the three."""
    url = postgresql.new_database()
    async with StandIn() as api, AsyncExitStack() as stack:
        desk = Desk(api, directory)
        desk.url = url
        if agent is not None:
            (desk.agents / "front-desk.yaml").write_text(agent)
        desk.program = (sys.executable, "-m", "tests.chaos.planted", "nothing")
        desk.environ |= {"DATABASE_URL": url, "PYTHONPATH": ROOT}
        desk.settings("egress: {private_networks: allow}", store="{env: DATABASE_URL}")
        line = DatabaseLine(url)
        line_url = await stack.enter_async_context(line.serving())
        first = await stack.enter_async_context(desk.run(environ={**desk.environ, "DATABASE_URL": line_url}))
        second = await stack.enter_async_context(desk.run())
        address = await first.started()
        await second.started()
        yield desk, line, address


async def test_a_call_that_two_runners_answer_is_greeted_once(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    async with two_runners(tmp_path, postgresql) as (desk, line, address):
        api = desk.api
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
        store = await open_store(desk.url)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (stored := await store.read(call.id)) is None:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
        finally:
            await store.close()
        assert stored.record["ended"] == "caller_hung_up"


NOTES = """\
agent: front-desk
routes: [{{to: "+18005551212"}}]
model: gpt-realtime-2.1
instructions: Be kind.
greeting: Hello.
tools:
  - {{name: note, description: Note, idempotent: true, http: {{url: "{url}/note", timeout: 60s}}}}
"""


async def test_a_tool_call_that_only_the_lost_runner_knows_of_is_carried_out_by_the_next(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    async with (
        Backend().serving() as backend,
        two_runners(tmp_path, postgresql, agent=NOTES.format(url=backend.url)) as (desk, line, address),
    ):
        api = desk.api
        call, _ = await desk.ring(address, greets())
        await desk.journalled(call.id, PlaybackEnded)

        async def hold(_: str) -> None:
            await api.until(lambda: call.attached == 2, PATIENCE_S)
            line.mend()
            await api.until(call.outputs, PATIENCE_S)

        backend.before_reply = hold
        line.fail(LineFault.CUT)
        call.play(CallerSays(text="Note that, please."), calls("note", {}), says("It is noted."))
        api.wake(call)
        await api.until(call.outputs, PATIENCE_S)
        [key] = call.outputs()
        assert backend.asked["/note"] == {key: 2}, "by each runner once, under one key"
        call.play(CallerHangsUp())
        api.wake(call)
        await api.until_over(call, PATIENCE_S)
        assert [item for item in call.received_types() if item == "conversation.item.create"] == [
            "conversation.item.create"
        ]
