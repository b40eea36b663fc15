"""A runner that is killed while the database is away: what its calls lived through is in its files."""

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from runner.model.conversation_event import PlaybackEnded
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.server import StandIn
from runner.store.journal.entries import decode
from runner.store.journal.journal import opened
from runner.store.journal.piece_spool import held_piece
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import SealedEntries
from runner.store.opening import open_store
from tests.patience import PATIENCE_S
from tests.serving import SECRET, Desk
from tests.store.postgresql.server import PostgresqlServer

pytestmark = pytest.mark.chaos

ROOT = str(Path(__file__).parents[2])
SEAL = Seal(lambda: [SECRET])


@pytest.fixture
def postgresql() -> Iterator[PostgresqlServer]:
    server = PostgresqlServer()
    yield server
    server.delete()


async def test_the_next_process_goes_on_with_what_the_store_never_got(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    url = postgresql.new_database()
    async with StandIn() as api:
        desk = Desk(api, tmp_path)
        desk.program = (sys.executable, "-m", "tests.chaos.planted", "nothing")
        desk.environ |= {"DATABASE_URL": url, "PYTHONPATH": ROOT}
        desk.settings(store="{env: DATABASE_URL}")
        async with desk.run() as runner:
            address = await runner.started()
            before, _ = await desk.ring(address, greets())
            await api.until(lambda: "output_audio_buffer.stopped" in before.sent_types())
            keys = {before.id: await key_of(before, url)}
            await asyncio.to_thread(postgresql.stop)
            before.play(CallerSays(text="I am Ann."), says("Hello Ann."))
            api.wake(before)
            during, _ = await desk.ring(address, greets())
            await in_file(desk, {before.id: 1, during.id: 1}, keys)
            runner.tell(signal.SIGKILL)
            await runner.ended()
        await asyncio.to_thread(postgresql.start)
        async with desk.run() as runner:
            await runner.started()
            for call in (before, during):
                await api.until(partial(_is_attached_again, call), PATIENCE_S)
                call.play(CallerSays(text="Are you there?"), says("Yes."), CallerHangsUp())
                api.wake(call)
                await api.until_over(call, PATIENCE_S)
                assert call.violations == []
                assert greetings(call) == 1
            runner.tell(signal.SIGTERM)
            await runner.ended()
    store = await open_store(url)
    try:
        ends = [stored.record for call in (before, during) if (stored := await store.read(call.id))]
    finally:
        await store.close()
    assert [record["ended"] for record in ends] == ["caller_hung_up"] * 2
    assert "without its journal" not in json.dumps(ends)
    assert "Hello Ann." in json.dumps(ends[0])


async def key_of(call: PlacedCall, url: str) -> JournalKey:
    """The key of a call's journal, which is in the store with the first that it has lived through."""
    store = await open_store(url)
    try:
        return opened((await store.journals([call.id]))[call.id], SEAL)[0]
    finally:
        await store.close()


async def in_file(desk: Desk, ends: dict[str, int], keys: dict[str, JournalKey]) -> None:
    """Wait until the file beside the agents tells of so many responses that were heard, by call.

    `keys` are those of the journals that do not begin in the file.
    """
    async with asyncio.timeout(PATIENCE_S):
        while True:
            heard = dict.fromkeys(ends, 0)
            for file in desk.directory.glob("*.journal"):
                for line in file.read_text().splitlines():
                    if (held := held_piece(line)) is not None:
                        call_id, first_seq, entries = held.piece
                        if first_seq:
                            (text,) = keys[call_id].open_all([SealedEntries(call_id, first_seq, entries)])
                        else:
                            keys[call_id], text = SEAL.open(entries, call_id)
                        heard[call_id] += sum(
                            isinstance(entry.event, PlaybackEnded) for entry in decode(text)
                        )
            if all(heard[call] >= count for call, count in ends.items()):
                return
            await asyncio.sleep(0.05)


def _is_attached_again(call: PlacedCall) -> bool:
    return call.attached == 2


def greetings(call: PlacedCall) -> int:
    asked = [event["response"] for event in call.received if event["type"] == "response.create"]
    return sum("instructions" in response for response in asked)
