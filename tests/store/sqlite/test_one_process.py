"""An SQLite file is for one process at a time, which finds again what the one before it has left."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runner.errors import CannotRunError, LeaseLostError, StoreError
from runner.model.live_call import CallState
from runner.store.journal.sealed import HeldPiece
from runner.store.opening import open_store
from tests.store.engines import SqliteEngine
from tests.store.members import joined, journal, piece, ringing


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "calls.db.lock"


async def test_a_second_runner_is_refused_with_one_sentence(engine: SqliteEngine, lock: Path) -> None:
    one = await joined(engine, "one")
    with pytest.raises(CannotRunError) as caught:
        await joined(engine, "two")
    assert str(caught.value) == (
        f'store "sqlite:{engine.path}" is in use by another runner (process {os.getpid()}); '
        "stop that one, name another file, or share a postgresql:// store"
    )
    await one.store.close()
    assert not lock.exists()
    await joined(engine, "two")


@pytest.mark.parametrize("links_to", ["file", "folder"])
async def test_so_is_one_that_reaches_the_file_by_a_link(
    engine: SqliteEngine, tmp_path: Path, links_to: str
) -> None:
    await joined(engine, "one")
    folder = tmp_path / "other"
    if links_to == "folder":
        folder.symlink_to(tmp_path)
    else:
        folder.mkdir()
        (folder / "calls.db").symlink_to(engine.path)
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotRunError, match="is in use by another runner"):
            await joined(SqliteEngine(folder, stack), "two")


async def test_others_may_look_into_the_file_meanwhile(engine: SqliteEngine) -> None:
    one = await joined(engine, "one")
    await one.holds()
    looking = await engine.open()
    assert [found.call for found in await looking.live_calls()] == [ringing()]


SERVING = """
import asyncio, sys
from runner.model.live_call import *
from runner.store.journal.sealed import SealedEntries
from runner.store.opening import open_store

async def main():
    store = await open_store(sys.argv[1])
    lease = await store.join(RunnerInfo(id="killed", version="1", configuration="c1"), 10.0)
    call = HeldCall(id="rtc_1", agent="desk", configuration="c1", began_at=1000.0)
    await store.claim(lease, call, ClaimLimits())
    await store.append(lease, [SealedEntries(call_id="rtc_1", first_seq=0, entries=b"sealed")])
    print("serving", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_next_process_takes_all_calls_of_one_that_was_killed_at_once(engine: SqliteEngine) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVING, engine.url], stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline() == "serving\n"
        with pytest.raises(CannotRunError, match=f"process {serving.pid}"):
            await joined(engine, "next")
        os.kill(serving.pid, signal.SIGKILL)
    one = await joined(engine, "next")
    assert await one.take_over() == [ringing(fence=2, state=CallState.RINGING)]
    assert await journal(one, "rtc_1") == [piece()]


async def test_a_file_that_was_deleted_meanwhile_is_told_the_calls_again(
    engine: SqliteEngine,
) -> None:
    one = await joined(engine, "one")
    call = await one.holds()
    engine.path.unlink()
    with pytest.raises(StoreError):
        await one.append(piece())
    with pytest.raises(LeaseLostError):
        await one.append(piece())
    assert not await one.store.renew(one.lease)
    assert await one.assert_calls([call]) == set()
    assert await one.store.renew(one.lease)
    assert await one.append(piece(first_seq=7)) == set()
    assert await journal(one, "rtc_1") == [], "without the first piece nobody can read the others"


async def test_the_calls_in_a_file_that_takes_the_place_of_another_are_taken_over(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    """A backup is put back, say. There is nobody left who could say that its calls are free."""
    folder = tmp_path / "backup"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        backup = SqliteEngine(folder, stack)
        lost = await joined(backup, "lost")
        call = await lost.holds()
        await lost.append(piece())
    one = await joined(engine, "one")
    assert await one.take_over() == await one.take_over() == []
    for file in tmp_path.glob(f"{engine.path.name}-*"):
        file.unlink()
    backup.path.replace(engine.path)
    with pytest.raises(StoreError):
        await one.append(piece())
    assert not await one.store.renew(one.lease)
    with pytest.raises(LeaseLostError):
        await one.take_over()
    assert await one.assert_calls([]) == set()
    assert await one.take_over() == [ringing(call.id, fence=2, state=CallState.RINGING)]
    assert await journal(one, call.id) == [piece()]
    assert await one.take_over() == []


async def test_processes_that_come_and_go_never_have_it_together(tmp_path: Path) -> None:
    """Each deletes the lock's file when it goes, under the others' hands."""
    script = (
        "import os, sys, time; from runner.store.sqlite.lock import ProcessLock\n"
        "from runner.errors import CannotRunError\n"
        "for _ in range(200):\n"
        "    lock = ProcessLock(sys.argv[1])\n"
        "    try: lock.take()\n"
        "    except CannotRunError: continue\n"
        "    alone = os.open(sys.argv[1] + '.alone', os.O_CREAT | os.O_EXCL)\n"
        "    os.close(alone); os.unlink(sys.argv[1] + '.alone')\n"
        "    lock.release()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "calls.db")]
    processes = [await asyncio.create_subprocess_exec(*command) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]


async def test_memory_needs_no_lock() -> None:
    store = await open_store("sqlite::memory:")
    await store.close()


async def test_a_call_that_becomes_free_after_a_look_in_vain_is_taken(engine: SqliteEngine) -> None:
    one = await joined(engine, "one")
    await one.holds()
    assert await one.take_over() == []
    await one.store.hand_over(one.lease, ["rtc_1"])
    assert await one.take_over() == [ringing(fence=2)]
    assert await one.take_over() == []
    await one.store.append_late([HeldPiece(piece=piece("rtc_2"), call=ringing("rtc_2"))])
    assert await one.take_over() == [ringing("rtc_2", fence=2)]
