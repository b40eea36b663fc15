"""What calls live through is written in order, off their path; it waits in a file while the store is away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.errors import LeaseLostError, StoreError, StoreRefusedError
from runner.model.conversation_event import KeyPressed, ToolCalled
from runner.model.live_call import HeldCall, Lease
from runner.serve.fleet import call_journal, journal_writer
from runner.serve.fleet.call_journal import CallJournal
from runner.serve.fleet.journal_writer import JournalWriter
from runner.store.journal.entries import decode
from runner.store.journal.piece_spool import PieceSpool
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import HeldPiece, SealedEntries
from tests.patience import PATIENCE_S

LEASE = Lease(runner="one", epoch=1)
SEAL, KEY = Seal(lambda: ["whsec_x"]), JournalKey()
TOOL = ToolCalled(response_id="r", call_id="c", name="f", arguments="{}")


class Shelf:
    """Takes pieces, or raises `trouble`."""

    def __init__(self) -> None:
        self.batches: list[list[SealedEntries]] = []
        self.late: list[HeldPiece] = []
        self.lost: set[str] = set()
        self.were_lost = False
        self.trouble: Exception | None = None
        self.before_late: Callable[[], Awaitable[object]] | None = None

    async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
        assert lease == LEASE
        if self.trouble is not None:
            raise self.trouble
        self.batches.append([piece for piece in pieces if piece.call_id not in self.lost])
        return self.lost

    async def append_late(self, pieces: Sequence[HeldPiece], *, were_lost: bool = False) -> set[str]:
        self.were_lost = were_lost
        if self.before_late is not None:
            await self.before_late()
        if self.trouble is not None:
            raise self.trouble
        self.late += [held for held in pieces if held.call.id not in self.lost]
        return self.lost

    def keys(self, call_id: str = "rtc_1") -> str:
        """The keys that were pressed in this call, as written."""
        return "".join(
            entry.event.key
            for batch in self.batches
            for piece in batch
            if piece.call_id == call_id
            for entry in decode(text_of(piece))
            if isinstance(entry.event, KeyPressed)
        )


def text_of(piece: SealedEntries) -> bytes:
    """What a piece of a journal says, all of which have the same key here."""
    if piece.first_seq:
        return KEY.open_all([piece])[0]
    return SEAL.open(piece.entries, piece.call_id)[1]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.001)
    monkeypatch.setattr(journal_writer, "SOON_S", 0.001)
    monkeypatch.setattr(journal_writer, "APPEND_S", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db.journal"


def held(call_id: str, fence: int = 1) -> HeldCall:
    return HeldCall(id=call_id, agent="desk", configuration="c1", began_at=1000.0, fence=fence)


class Claims:
    """All calls are this process's, under one fence, unless only some are."""

    def __init__(self, fence: int = 1, only: dict[str, HeldCall] | None = None) -> None:
        self.fence = fence
        self.are_confirmed = True
        self.lost: set[str] = set()
        self._only = only

    def held(self, call_id: str) -> HeldCall | None:
        return held(call_id, self.fence) if self._only is None else self._only.get(call_id)

    def is_confirmed(self, call_id: str) -> bool:
        return self.are_confirmed

    def was_lost(self, call_id: str) -> bool:
        return call_id in self.lost


def made(shelf: Shelf, path: Path | None = None, most_bytes: int = 10**6, fence: int = 1) -> JournalWriter:
    spool = PieceSpool(path, most_bytes) if path is not None else None
    return JournalWriter(shelf, SEAL, lambda: LEASE, spool=spool, claims=Claims(fence))


def journal_of(writer: JournalWriter, call_id: str, next_seq: int = 0) -> CallJournal:
    return CallJournal(writer, call_id, next_seq, KEY)


def presses(journal: CallJournal, keys: str) -> None:
    for key in keys:
        journal.append(1.0, KeyPressed(key=key))


@asynccontextmanager
async def running(writer: JournalWriter) -> AsyncIterator[None]:
    task = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_entries_of_all_calls_go_in_one_batch_with_a_piece_for_each_call() -> None:
    shelf = Shelf()
    writer = made(shelf)
    one, two = journal_of(writer, "rtc_1"), journal_of(writer, "rtc_2", next_seq=7)
    presses(one, "12")
    presses(two, "9")
    presses(one, "3")
    assert await writer.flush()
    [batch] = shelf.batches
    assert [(piece.call_id, piece.first_seq) for piece in batch] == [("rtc_1", 0), ("rtc_2", 7)]
    assert (shelf.keys("rtc_1"), shelf.keys("rtc_2"), writer.behind_bytes) == ("123", "9", 0)
    presses(one, "4")
    await writer.flush()
    assert shelf.batches[1][0].first_seq == 3
    await writer.flush()
    assert len(shelf.batches) == 2


async def test_the_lag_is_the_wait_of_the_oldest_entry_that_the_store_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("runner.serve.fleet.journal_writer.time.monotonic", lambda: now[0])
    shelf = Shelf()
    writer = made(shelf)
    journal = journal_of(writer, "rtc_1")
    assert writer.lag_s == 0
    presses(journal, "1")
    now[0] = 102.0
    presses(journal, "2")
    assert writer.lag_s == 2
    shelf.trouble = StoreError("no answer")
    assert not await writer.flush()
    now[0] = 105.0
    assert writer.lag_s == 5
    shelf.trouble = None
    assert await writer.flush()
    assert writer.lag_s == 0


async def test_what_a_tool_call_waits_for_is_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "BATCH_S", 1000.0)
    shelf = Shelf()
    writer = made(shelf)
    journal = journal_of(writer, "rtc_1")
    async with running(writer), asyncio.timeout(PATIENCE_S):
        presses(journal, "1")
        await journal.written()
        assert shelf.keys() == "1"
        journal.append(2.0, TOOL)
        while len(shelf.batches) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def test_entries_are_gathered_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "BATCH_S", 0.5)
    shelf = Shelf()
    writer = made(shelf)
    journal = journal_of(writer, "rtc_1")
    async with running(writer):
        for key in "123":
            presses(journal, key)
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            while not shelf.batches:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
    assert (shelf.keys(), len(shelf.batches)) == ("123", 1)


async def test_while_the_store_is_away_entries_wait_in_a_file_and_are_sent_in_their_order(path: Path) -> None:
    shelf = Shelf()
    writer = made(shelf, path)
    journal = journal_of(writer, "rtc_1")
    shelf.trouble = StoreError("no answer")
    for key in "123":
        presses(journal, key)
        assert not await writer.flush()
    assert writer.trouble == "no answer"
    assert writer.behind_bytes == path.stat().st_size > 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"Key" not in path.read_bytes()
    waiting = asyncio.create_task(journal.written())
    await asyncio.sleep(0)
    shelf.trouble = None
    presses(journal, "4")
    async with running(writer), asyncio.timeout(PATIENCE_S):
        await waiting
    assert (shelf.keys(), writer.behind_bytes) == ("1234", 0)


async def test_who_rings_before_the_call_is_claimed_is_kept_until_it_is(path: Path) -> None:
    shelf = Shelf()
    shelf.trouble = StoreError("no answer")
    claimed: dict[str, HeldCall] = {}
    writer = JournalWriter(shelf, SEAL, lambda: LEASE, spool=PieceSpool(path), claims=Claims(only=claimed))
    journal = journal_of(writer, "rtc_1")
    presses(journal, "1")
    assert not await writer.flush()
    claimed["rtc_1"] = held("rtc_1")
    presses(journal, "2")
    assert not await writer.flush()
    assert writer.behind_bytes == path.stat().st_size, "all of it outlives the process"
    shelf.trouble = None
    assert await writer.flush()
    assert shelf.keys() == "12"


async def test_a_store_that_hangs_is_away(path: Path) -> None:
    class Stuck(Shelf):
        async def append(self, lease: Lease, pieces: Sequence[SealedEntries]) -> set[str]:
            await asyncio.Future()
            return set()

    writer = made(Stuck(), path)
    presses(journal_of(writer, "rtc_1"), "1")
    assert not await writer.flush()
    assert writer.trouble == "no answer within 0.05 s"


@pytest.mark.parametrize(
    "trouble", [LeaseLostError("the lease is over"), StoreError("it hiccups"), TimeoutError()]
)
async def test_what_fails_once_or_lacks_a_lease_is_written_soon(
    monkeypatch: pytest.MonkeyPatch, path: Path, trouble: Exception
) -> None:
    monkeypatch.setattr(journal_writer, "RETRY_S", 1000.0)
    monkeypatch.setattr(journal_writer, "SOON_S", 0.001)
    shelf = Shelf()
    writer = made(shelf, path)
    journal = journal_of(writer, "rtc_1")
    shelf.trouble = trouble
    presses(journal, "1")
    async with running(writer), asyncio.timeout(PATIENCE_S):
        while writer.trouble is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        shelf.trouble = None
        await journal.written()
    assert shelf.keys() == "1"


async def test_a_lease_that_is_over_keeps_entries_in_memory_for_the_next(path: Path) -> None:
    shelf = Shelf()
    writer = made(shelf, path)
    journal = journal_of(writer, "rtc_1")
    shelf.trouble = LeaseLostError("the lease is over")
    presses(journal, "1")
    assert not await writer.flush()
    assert not path.exists()
    shelf.trouble = None
    assert await writer.flush()
    assert shelf.keys() == "1"


async def test_a_call_that_is_over_is_not_written_any_more() -> None:
    shelf = Shelf()
    writer = made(shelf)
    over, live = journal_of(writer, "rtc_1"), journal_of(writer, "rtc_2")
    shelf.trouble = StoreError("no answer")
    presses(over, "1")
    presses(live, "2")
    await writer.flush()
    over.close()
    presses(over, "3")
    shelf.trouble = None
    await writer.flush()
    assert (shelf.keys("rtc_1"), shelf.keys("rtc_2")) == ("", "2")


async def test_what_waits_for_a_call_that_was_lost_is_for_who_has_it_now(path: Path) -> None:
    shelf, claims = Shelf(), Claims()
    writer = JournalWriter(shelf, SEAL, lambda: LEASE, spool=PieceSpool(path), claims=claims)
    shelf.trouble = StoreError("no answer")
    presses(journal_of(writer, "rtc_1"), "1")
    presses(journal_of(writer, "rtc_2"), "2")
    await writer.flush()
    claims.fence, claims.lost = 3, {"rtc_1"}
    shelf.trouble = None
    presses(journal_of(writer, "rtc_1", next_seq=9), "9")
    assert await writer.flush()
    assert shelf.keys() == "9"
    assert [late.call for late in shelf.late] == [held("rtc_1")], "the other one is over"
    assert shelf.were_lost


@pytest.mark.parametrize("trouble", [StoreError("no answer"), StoreRefusedError("too large")])
async def test_what_others_cannot_be_given_waits_for_the_store(path: Path, trouble: StoreError) -> None:
    shelf, claims = Shelf(), Claims()
    writer = JournalWriter(shelf, SEAL, lambda: LEASE, spool=PieceSpool(path), claims=claims)
    shelf.trouble = StoreError("no answer")
    presses(journal_of(writer, "rtc_1"), "1")
    await writer.flush()
    claims.fence, claims.lost = 3, {"rtc_1"}
    shelf.trouble = None

    async def fails() -> None:
        raise trouble

    shelf.before_late = fails
    is_refused = isinstance(trouble, StoreRefusedError)
    assert await writer.flush() is is_refused
    assert writer.trouble == (None if is_refused else "no answer")
    shelf.before_late = None
    assert await writer.flush()
    assert len(shelf.late) == (0 if is_refused else 1)
    await writer.close()


async def test_calls_that_another_has_are_told_and_stop_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "runner")
    shelf = Shelf()
    shelf.lost = {"rtc_1"}
    writer = made(shelf)
    presses(journal_of(writer, "rtc_1"), "1")
    presses(journal_of(writer, "rtc_2"), "2")
    assert await writer.flush()
    assert (shelf.keys("rtc_1"), shelf.keys("rtc_2")) == ("", "2")
    assert [entry.message for entry in caplog.records] == ["stale journal entries were dropped"]


async def test_what_the_store_refuses_for_ever_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    shelf.trouble = StoreRefusedError("out of range")
    writer = made(shelf)
    presses(journal_of(writer, "rtc_1"), "1")
    assert await writer.flush()
    assert [entry.message for entry in caplog.records] == ["journal entries are refused"]


async def test_the_next_process_writes_what_this_one_could_not(path: Path) -> None:
    shelf = Shelf()
    writer = made(shelf, path, fence=4)
    shelf.trouble = StoreError("no answer")
    presses(journal_of(writer, "rtc_1"), "1")
    presses(journal_of(writer, "rtc_2"), "2")
    await writer.close()
    path.write_text(path.read_text() + "no JSON\n")
    shelf = Shelf()
    writer = made(shelf, path)
    await writer.recover()
    assert [late.call for late in shelf.late] == [held("rtc_1", 4), held("rtc_2", 4)]
    assert not shelf.were_lost
    assert writer.behind_bytes == 0
    await writer.close()
    assert not path.exists()


async def test_who_starts_second_goes_on_once_all_that_was_left_is_in_the_store(path: Path) -> None:
    away = Shelf()
    away.trouble = StoreError("no answer")
    dead = [made(away, path), made(away, path)]
    for number, writer in enumerate(dead):
        presses(journal_of(writer, f"rtc_{number}"), "1")
        assert not await writer.flush()
    for writer in dead:
        await writer.close()
    assert len(list(path.parent.iterdir())) == 2
    shelf, may_write = Shelf(), asyncio.Event()
    shelf.before_late = may_write.wait
    successors = [asyncio.create_task(made(shelf, path).recover()) for _ in dead]
    # One of them has adopted both files; the other one may let go the calls of its own dead process next.
    done, _ = await asyncio.wait(successors, timeout=0.2)
    assert not done
    may_write.set()
    await asyncio.gather(*successors)
    assert len(shelf.late) == 2


async def test_what_another_leaves_while_this_one_runs_is_written_too(path: Path) -> None:
    """At a rollout the next process has started when the one before ends."""
    away = Shelf()
    away.trouble = StoreError("no answer")
    before, writer = made(away, path, fence=4), made(away, path)
    await writer.recover()
    for number, each in enumerate((before, writer), 1):
        presses(journal_of(each, f"rtc_{number}"), str(number))
        assert not await each.flush()
    behind = writer.behind_bytes
    await writer.adopt()
    assert away.late == [], "whose process lives keeps its file"
    await before.close()
    for _ in range(2):
        with pytest.raises(StoreError):
            await writer.adopt()
    away.trouble = None
    await writer.adopt()
    assert [late.call for late in away.late] == [held("rtc_1", 4)]
    assert writer.behind_bytes == behind > 0, "what is its own waits on"
    assert await writer.flush()
    assert away.keys("rtc_2") == "2"
    await writer.close()
    assert list(path.parent.iterdir()) == []


async def test_what_cannot_be_recovered_yet_stays_in_the_file(path: Path) -> None:
    shelf = Shelf()
    shelf.trouble = StoreError("no answer")
    writer = made(shelf, path)
    presses(journal_of(writer, "rtc_1"), "1")
    await writer.close()
    writer = made(shelf, path)
    with pytest.raises(StoreError):
        await writer.recover()
    assert writer.behind_bytes == path.stat().st_size > 0
    await writer.close()


async def test_what_comes_too_late_for_a_call_that_another_has_is_told(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf()
    writer = made(shelf, path)
    shelf.trouble = StoreError("no answer")
    presses(journal_of(writer, "rtc_1"), "1")
    presses(journal_of(writer, "rtc_2"), "2")
    await writer.close()
    caplog.clear()
    shelf = Shelf()
    shelf.lost = {"rtc_1"}
    writer = made(shelf, path)
    await writer.recover()
    assert [late.call.id for late in shelf.late] == ["rtc_2"]
    assert [(entry.message, entry.__dict__["call_id"]) for entry in caplog.records] == [
        ("journal entries come too late", "rtc_1")
    ]
    await writer.close()


async def test_what_no_file_takes_waits_in_memory_within_bounds(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_writer, "MOST_WAITING", 2)
    shelf = Shelf()
    shelf.trouble = StoreError("no answer")
    writer = made(shelf, path, most_bytes=10)
    journal = journal_of(writer, "rtc_1")
    for key in "1234":
        presses(journal, key)
        await writer.flush()
    shelf.trouble = None
    assert await writer.flush()
    assert shelf.keys() == "12"
    assert [entry.message for entry in caplog.records if entry.levelname == "ERROR"] == [
        "journal entries are lost"
    ] * 2


async def test_a_file_that_takes_nothing_is_told_once_until_it_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, folder = Shelf(), tmp_path / "later"
    shelf.trouble = StoreError("no answer")
    writer = made(shelf, folder / "journal")
    for key in "123":
        presses(journal_of(writer, "rtc_1"), key)
        await writer.flush()
    assert [entry.__dict__["error"] for entry in caplog.records if entry.levelname == "ERROR"] == [
        "No such file or directory"
    ]
    folder.mkdir()
    await writer.flush()
    assert (folder / "journal").stat().st_size > 0
    await writer.close()


async def test_large_backlogs_are_sent_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "MOST_PIECES", 10)
    shelf = Shelf()
    shelf.trouble = StoreError("no answer")
    writer = made(shelf, path)
    journals = [journal_of(writer, f"rtc_{number}") for number in range(35)]
    for journal in journals:
        presses(journal, "1")
    await writer.flush()
    for journal in journals[:5]:
        presses(journal, "2")
    shelf.trouble = None
    assert await writer.flush()
    assert [len(batch) for batch in shelf.batches] == [10, 10, 10, 5, 5]


async def test_without_a_lease_nothing_is_written() -> None:
    shelf = Shelf()
    writer = JournalWriter(shelf, SEAL, lambda: None, claims=Claims())
    presses(journal_of(writer, "rtc_1"), "1")
    assert not await writer.flush()
    assert (shelf.batches, writer.trouble) == ([], "this runner has no lease")


async def test_a_journal_that_is_too_long_to_be_kept_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_journal, "MOST_KEPT", 2)
    shelf, claims = Shelf(), Claims()
    writer = JournalWriter(shelf, SEAL, lambda: LEASE, claims=claims)
    short, long = journal_of(writer, "rtc_1"), journal_of(writer, "rtc_2")
    claims.are_confirmed = False
    for journal, pieces in ((short, 2), (long, 3)):
        journal.keep()
        for key in range(pieces):
            presses(journal, str(key))
            await writer.flush()
    claims.are_confirmed = True
    for journal in (short, long):
        presses(journal, "9")
    await writer.flush()
    assert (shelf.keys("rtc_1"), shelf.keys("rtc_2")) == ("01019", "0129")
