"""Three runners over one PostgreSQL: whichever is asked, every call is seen and steered."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.server import StandIn
from tests.patience import PATIENCE_S
from tests.serve.admin.lab import LEAD, PAGER, AdminClient, Event, EventStream
from tests.serving import Desk, Process
from tests.store.postgresql.server import PostgresqlServer

ADMIN = "server: {admin: {port: 0, tokens: {lead: {env: LEAD}, pager: {env: PAGER, may: watch}}}}"


async def greeted(asked: AdminClient, call: PlacedCall) -> None:
    """Wait until the runner of this call has read what its caller has heard."""
    async with asyncio.timeout(PATIENCE_S):
        while not (turns := (await asked.get(f"/admin/calls/{call.id}"))["turns"]):
            pass
    assert turns[0]["text"] == "Hello."


async def listed(asked: AdminClient) -> Any:
    """The calls of all runners, once none of them is late."""
    async with asyncio.timeout(PATIENCE_S):
        while (calls := await asked.get("/admin/calls"))["missing"]:
            pass
    return calls


@asynccontextmanager
async def following(asked: AdminClient) -> AsyncIterator[tuple[EventStream, Event]]:
    """A stream of all calls whose snapshot was sent without any runner being late."""
    while True:
        async with asked.follow() as stream:
            snapshot = await stream.next("snapshot")
            if not snapshot.data["missing"]:
                yield stream, snapshot
                return


async def saved(asked: AdminClient, call: PlacedCall) -> Any:
    """The record of a call, once it is in the store."""
    async with asyncio.timeout(PATIENCE_S):
        while (reply := await asked.ask("GET", f"/admin/records/{call.id}")).status != 200:
            pass
    return reply.json["record"]


class Fleet:
    """The runners, each with somebody who asks it."""

    def __init__(self, desk: Desk, runners: list[Process], urls: list[str], asked: list[AdminClient]) -> None:
        self.desk = desk
        self.runners = runners
        self.urls = urls
        self.asked = asked

    async def ring(self, runner: int) -> PlacedCall:
        """A call that this runner answers, whose caller has heard the greeting."""
        call, status = await self.desk.ring(self.urls[runner], greets())
        assert status == 200
        await self.desk.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        return call


@pytest.fixture
def pace() -> float:
    """Real seconds for each second of a call."""
    return 0.0


@pytest.fixture
async def fleet(tmp_path: Path, postgresql: PostgresqlServer, pace: float) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(StandIn(pace=pace))
        desk = Desk(api, tmp_path)
        desk.url = postgresql.new_database()
        desk.settings(ADMIN, store="{env: DATABASE_URL}")
        desk.environ |= {"DATABASE_URL": desk.url, "LEAD": LEAD, "PAGER": PAGER}
        runners = [await stack.enter_async_context(desk.run()) for _ in range(3)]
        urls = [await runner.started() for runner in runners]
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        yield Fleet(desk, runners, urls, [AdminClient(session, runner.admin_url) for runner in runners])


async def test_every_call_is_seen_and_steered_at_every_runner_also_across_a_takeover(fleet: Fleet) -> None:
    call, other = await fleet.ring(0), await fleet.ring(1)
    for asked in fleet.asked:
        # In any order: a call whose webhook is handled a second late is as old as whole seconds say.
        assert {row["id"] for row in (await listed(asked))["calls"]} == {call.id, other.id}
        await greeted(asked, call)
        missing = await asked.ask("GET", "/admin/calls/rtc_nobody")
        assert missing.status == 404

    third = fleet.asked[2]
    path = f"/admin/calls/{call.id}/note"
    for asked in (third, fleet.asked[0]):
        reply = await asked.ask("POST", path, body={"text": "x"}, headers={"Idempotency-Key": "n1"})
        assert (reply.status, reply.json) == (202, {"deed": "n1", "result": "done"})
    reply = await third.ask("POST", f"/admin/calls/{call.id}/handoff", body={"agent": "nobody"})
    assert (reply.status, reply.json["detail"]) == (409, 'no "handoff" now: there is no agent "nobody"')
    assert reply.json["deed"]["by"] == "lead"
    assert (await third.ask("POST", path, token=PAGER, body={"text": "x"})).status == 403

    async with third.follow(f"/admin/events?call={call.id}") as one, following(third) as (every, snapshot):
        first = await one.next("snapshot")
        assert first.data["call"]["deeds"][0]["id"] == "n1"
        assert {row["id"] for row in snapshot.data["calls"]} == {call.id, other.id}
        assert len(snapshot.data["runners"]) == 3
        lost = first.data["call"]["runner"]
        fleet.runners[0].tell(signal.SIGKILL)
        while (await every.next("runners")).data["missing"] != [lost]:
            pass
        again = await one.next("snapshot")
        assert again.data["call"]["id"] == call.id
        assert again.data["call"]["runner"] != first.data["call"]["runner"]
        assert again.data["call"]["deeds"][0]["id"] == "n1"
        reply = await third.ask("POST", path, body={"text": "y"}, headers={"Idempotency-Key": "n2"})
        assert reply.status == 202
        call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
        fleet.desk.api.wake(call)
        rest = await one.to_the_end()
        assert rest[-1].name == "ended"
        assert "Yes." in [event.data["text"] for event in rest if event.name == "turn"]
        while (await every.next("gone")).data["id"] != call.id:
            pass
    # A runner that is told to end hands its calls over, and nobody waits for a lease.
    async with third.follow(f"/admin/events?call={other.id}") as one:
        first = await one.next("snapshot")
        fleet.runners[1].tell(signal.SIGTERM)
        again = await one.next("snapshot")
        assert again.data["call"]["runner"] != first.data["call"]["runner"]
        assert again.data["call"]["turns"] == first.data["call"]["turns"]
        other.play(CallerHangsUp())
        fleet.desk.api.wake(other)
        assert (await one.to_the_end())[-1].data["ended"] == "caller_hung_up"
    deeds = (await saved(third, call))["deeds"]
    assert [deed["id"] for deed in deeds if deed["what"] == "note"] == ["n1", "n2"]


@pytest.mark.chaos
@pytest.mark.parametrize("pace", [1.0])
async def test_an_act_is_done_once_though_its_owner_is_killed_as_soon_as_it_has_accepted_it(
    fleet: Fleet,
) -> None:
    call = await fleet.ring(0)
    third, text = fleet.asked[2], "A colleague is on the way to you."
    path, key = f"/admin/calls/{call.id}/say", {"Idempotency-Key": "s1"}

    def asked() -> int:
        return [text in json.dumps(event) for event in call.received].count(True)

    async with third.follow(f"/admin/events?call={call.id}") as watched:
        first = await watched.next("snapshot")
        reply = await third.ask("POST", path, body={"say": text}, headers=key)
        fleet.runners[0].tell(signal.SIGKILL)
        assert (reply.status, reply.json) == (202, {"deed": "s1", "result": "waiting"})
        again = await watched.next("snapshot")
        assert again.data["call"]["runner"] != first.data["call"]["runner"]
        [deed] = again.data["call"]["deeds"]
        while deed["result"] == "waiting":
            deed = (await watched.next("deed")).data
        assert (deed["id"], deed["by"], deed["result"]) == ("s1", "lead", "interrupted")
        assert (
            deed["detail"] == "the sideband was lost meanwhile; how much of it the caller heard is not known"
        )
        # Whoever does not trust this and asks again has it done once all the same.
        reply = await third.ask("POST", path, body={"say": text}, headers=key)
        assert (reply.status, reply.json) == (202, {"deed": "s1", "result": "interrupted"})
        reply = await third.ask("POST", path, body={"say": "Here I am."})
        assert reply.status == 202
        while (await watched.next("turn")).data["text"] != "Here I am.":
            pass
        assert asked() == 1
