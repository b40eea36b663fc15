"""A store that is away, or does not answer: callers notice nothing of it."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from tests.patience import PATIENCE_S
from tests.serve.bounds.lowered import FOREVER_S, LOWERED
from tests.serve.bounds.service import Service
from tests.serve.bounds.serving import serving
from tests.serve.bounds.table import alone_beyond

pytestmark = pytest.mark.chaos


BRIEF = {
    **LOWERED,
    "call.afterwards.jobs.LONGEST_S": 60.0,
    "serve.call_orders.WRITTEN_S": 0.2,
    "serve.fleet.journal_writer.APPEND_S": 0.4,
    "serve.fleet.member.CLAIM_S": 0.3,
    "store.record_saver.ATTEMPT_S": 0.3,
    "store.record_saver.FIRST_RETRY_S": 0.1,
    "store.record_saver.LONGEST_RETRY_S": 0.2,
}
KEY = '{"type":"input_audio_buffer.dtmf_event_received","event":"1","received_at":1}'


@contextmanager
def locked(service: Service) -> Iterator[sqlite3.Connection]:
    """Nobody else can use the store meanwhile."""
    with closing(sqlite3.connect(service.directory / "calls.db", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        yield store


async def pressed(service: Service, call: PlacedCall) -> list[int]:
    """The caller presses a key: the numbers of the first entries of the journal's pieces in the log, once the
    key is there."""
    with closing(sqlite3.connect(service.directory / "calls.db")) as store:

        def pieces() -> list[int]:
            rows = store.execute("SELECT pieces FROM journal_log ORDER BY upto").fetchall()
            return [seq for row in rows for call_id, seq, *_ in json.loads(row[0]) if call_id == call.id]

        before = pieces()
        await service.wire.sidebands[call.id].say(KEY)
        await service.until(lambda: len(pieces()) > len(before))
        return pieces()


@alone_beyond(
    "serve.call_orders.WRITTEN_S",
    "serve.fleet.call_journal.MOST_KEPT",
    "serve.fleet.journal_writer.MOST_WAITING",
    "store.record_saver.LONGEST_RETRY_S",
    "store.record_saver.MOST_AT_ONCE",
    "store.record_saver.MOST_IN_MEMORY",
    "store.spool.MOST_BYTES",
)
async def test_a_store_that_is_away_harms_no_neighbour(tmp_path: Path) -> None:
    lowered = {
        **BRIEF,
        "serve.fleet.call_journal.MOST_KEPT": 2,
        "serve.fleet.journal_writer.MOST_WAITING": 20,
        "store.record_saver.MOST_AT_ONCE": 2,
        "store.record_saver.MOST_IN_MEMORY": 2,
        "store.spool.MOST_BYTES": 20_000,
        "store.sqlite.database.BUSY_S": 0.2,
    }
    # Attempts after the first are told at DEBUG.
    told = ("--log-level", "debug")
    async with serving(tmp_path, lowered, *told) as service, service.serves_neighbour():
        with locked(service):
            stays, _ = await service.ring(greets())
            talk = [step for _ in range(4) for step in (CallerSays(text="On and on."), says("x" * 1000))]
            await asyncio.gather(*(service.play(greets(), *talk, CallerHangsUp()) for _ in range(12)))
            await service.neighbour.is_served()
            await service.logged("record was not saved")
            await service.logged("record is lost")
            await service.logged("journal entries are lost")
            # With waits that doubled without an end these would take most of a minute.
            attempts = 10
            await service.until(
                lambda: sum(line["event"] == "record was not saved" for line in service.log) >= attempts
            )
        late = await service.logged("record was saved late")
        assert late["call_id"]
        await service.logged("calls were claimed again")
        # Once its claim is confirmed, what was kept until then is not written again with each key.
        pieces = await pressed(service, stays)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                before, pieces = pieces, await pressed(service, stays)
                if pieces[:-1] == before and pieces[-1] not in before:
                    break


@alone_beyond(
    "serve.fleet.journal_writer.APPEND_S", "serve.fleet.member.CLAIM_S", "store.record_saver.ATTEMPT_S"
)
async def test_a_store_that_does_not_answer_harms_no_neighbour(tmp_path: Path) -> None:
    lowered = {**BRIEF, "store.sqlite.database.BUSY_S": FOREVER_S}
    async with serving(tmp_path, lowered) as service, service.serves_neighbour():
        with locked(service):
            call = await service.play(greets(), CallerHangsUp())
            limit = lowered["store.record_saver.ATTEMPT_S"]
            error = f"no answer within {limit:g} s"
            await service.logged("record was not saved", call_id=call.id, error=error)
            limit = lowered["serve.fleet.journal_writer.APPEND_S"]
            await service.logged("journal cannot be written", error=f"no answer within {limit:g} s")
            await service.neighbour.is_served()
        assert (await service.record(call))["ended"] == "caller_hung_up"
