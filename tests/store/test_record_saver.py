"""A record is saved now, or waits until it can be: a store that fails keeps nobody waiting."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.errors import CallLostError, StoreError, StoreRefusedError
from runner.model.job import Job
from runner.model.live_call import Owner
from runner.model.record import CallRecord, ToolUse
from runner.store import record_saver
from runner.store.record_saver import MOST_AT_ONCE, RecordSaver
from runner.store.spool import Spool
from tests.patience import PATIENCE_S
from tests.store.engines import call_record, delivery

JOB = delivery()


class Shelf:
    """A store of records that fails while there is `trouble`, and hangs while it is `stuck`."""

    def __init__(self, trouble: str = "") -> None:
        self.saved: list[tuple[CallRecord, tuple[Job, ...]]] = []
        self.trouble = trouble
        self.refuses = ""
        self.lost = ""
        self.undecided = ""
        self.owners: list[Owner] = []
        self.is_stuck = False
        self.tries = 0

    async def save(self, record: CallRecord, jobs: Sequence[Job] = (), *, owner: Owner | None = None) -> None:
        self.tries += 1
        if self.is_stuck:
            await asyncio.Future()
        if record.id == self.lost and not self.trouble:
            raise CallLostError(f'call "{record.id}" is served by another runner')
        if record.id == self.refuses:
            raise StoreRefusedError("NOT NULL constraint failed")
        if self.trouble or record.id == self.undecided:
            raise StoreError(self.trouble)
        self.saved.append((record, tuple(jobs)))
        self.owners += [owner] if owner is not None else []

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody needs {name}")

    @property
    def ids(self) -> list[str]:
        return [record.id for record, _ in self.saved]


class Heard:
    """What the saver tells others."""

    def __init__(self) -> None:
        self.jobs = 0
        self.failures = 0

    def on_jobs(self) -> None:
        self.jobs += 1

    def on_failure(self) -> None:
        self.failures += 1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(record_saver, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(record_saver, "ATTEMPT_S", PATIENCE_S)
    monkeypatch.setattr(record_saver, "LAST_ATTEMPT_S", PATIENCE_S)
    caplog.set_level(logging.INFO, "runner.store")


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts end soon at a store that hangs."""
    monkeypatch.setattr(record_saver, "ATTEMPT_S", 0.05)
    monkeypatch.setattr(record_saver, "LAST_ATTEMPT_S", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db.unsaved"


def made(shelf: Shelf, path: Path | None, heard: Heard | None = None) -> RecordSaver:
    heard = heard or Heard()
    spool = Spool(path) if path else None
    return RecordSaver(shelf, spool, on_jobs=heard.on_jobs, on_failure=heard.on_failure)


@asynccontextmanager
async def running(saver: RecordSaver, work: str = "run") -> AsyncIterator[None]:
    task = asyncio.create_task(getattr(saver, work)())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_empty(saver: RecordSaver) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(saver):  # noqa: ASYNC110 - it tells nobody when it is empty
            await asyncio.sleep(0.001)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    return [(entry.message, entry.__dict__.get("call_id")) for entry in caplog.records]


async def test_a_record_that_can_be_saved_is_saved_and_its_jobs_are_told(path: Path) -> None:
    shelf, heard = Shelf(), Heard()
    saver = made(shelf, path, heard)
    await saver.save(call_record("rtc_1"), [JOB])
    await saver.save(call_record("rtc_2"))
    assert (shelf.ids, heard.jobs, heard.failures, saver.trouble) == (["rtc_1", "rtc_2"], 1, 0, None)
    assert not path.exists()


async def test_a_record_that_could_not_be_saved_is_saved_later_and_wakes_its_jobs(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, heard = Shelf("disk full"), Heard()
    saver = made(shelf, path, heard)
    tool = ToolUse(name="f", call_id="c", arguments={"a": 1}, started_at=1.0, took_s=None, status="ok")
    first = call_record("rtc_1", tools=(tool,))
    async with running(saver):
        await saver.save(first, [JOB])
        assert (len(saver), heard.failures >= 1, saver.trouble) == (1, True, "disk full")
        shelf.trouble = ""
        await until_empty(saver)
    assert shelf.saved == [(first, (JOB,))]
    assert (heard.jobs, saver.trouble) == (1, None)
    assert told(caplog) == [("record was not saved", "rtc_1"), ("record was saved late", "rtc_1")]


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("trouble", ["fails", "hangs"])
async def test_one_failure_keeps_nobody_else_waiting(path: Path, trouble: str) -> None:
    shelf = Shelf("locked" if trouble == "fails" else "")
    shelf.is_stuck = trouble == "hangs"
    saver = made(shelf, path)
    names = [f"rtc_{number:03}" for number in range(100)]
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(saver.save(call_record(name)) for name in names))
    assert shelf.tries <= MOST_AT_ONCE
    assert len(saver) == 100
    shelf.trouble, shelf.is_stuck = "", False
    async with running(saver):
        await until_empty(saver)
    assert shelf.ids == names


@pytest.mark.usefixtures("_impatient")
async def test_who_stops_waiting_does_not_stop_the_saving(path: Path) -> None:
    shelf = Shelf()
    shelf.is_stuck = True
    saver = made(shelf, path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await saver.save(call_record("rtc_1"))
    await saver.close()
    assert json.loads(path.read_text())["record"]["id"] == "rtc_1"


async def test_what_still_waits_at_the_end_is_saved_by_the_next_process(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf("disk full")
    saver = made(shelf, path)
    await saver.save(call_record("rtc_1"), [JOB])
    await saver.close()
    assert path.stat().st_mode & 0o777 == 0o600
    shelf, heard = Shelf(), Heard()
    saver = made(shelf, path, heard)
    await saver.open()
    assert (shelf.saved, heard.jobs) == ([(call_record("rtc_1"), (JOB,))], 1), "before anybody takes calls up"
    await saver.close()
    assert not path.exists()
    assert [message for message, _ in told(caplog)] == [
        "record was not saved",
        "records stay spooled until the next start",
        "spooled records were saved",
        "record was saved late",
    ]


async def test_who_starts_second_goes_on_once_all_that_was_left_is_saved(path: Path) -> None:
    dead = made(Shelf("no answer"), path)
    await dead.save(call_record("rtc_1"))
    await dead.close()
    shelf = Shelf()
    shelf.is_stuck = True
    first = asyncio.create_task(made(shelf, path).open())
    while not shelf.tries:  # noqa: ASYNC110 - it hangs from there
        await asyncio.sleep(0)
    second = asyncio.create_task(made(Shelf(), path).open())
    done, _ = await asyncio.wait((second,), timeout=0.1)
    assert not done
    first.cancel()
    await second


async def test_what_another_leaves_while_this_one_runs_is_saved_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a rollout the next process has started when the one before ends."""
    monkeypatch.setattr(record_saver, "ADOPT_S", 0.001)
    shelf, heard = Shelf("no answer"), Heard()
    saver = made(shelf, path, heard)
    await saver.open()
    before = made(Shelf("no answer"), path)
    await before.save(call_record("rtc_1"), [JOB])
    await saver.save(call_record("rtc_2"))
    await saver.open()
    assert len(saver) == 1, "whose process lives keeps its file"
    await before.close()
    async with running(saver), running(saver, "adopt"), asyncio.timeout(PATIENCE_S):
        while not saver.has("rtc_1"):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        assert len(saver) == 2
        shelf.trouble = ""
        await until_empty(saver)
    assert (shelf.ids, heard.jobs) == (["rtc_2", "rtc_1"], 1)
    await saver.close()
    assert list(path.parent.iterdir()) == []


async def test_a_file_that_cannot_be_read_is_told_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir()
    saver = made(Shelf(), path)
    for _ in range(3):
        await saver.open()
    assert told(caplog) == [("spooled records cannot be read", None)]
    path.rmdir()
    await saver.open()
    path.mkdir()
    await saver.open()
    assert len(told(caplog)) == 2


@pytest.mark.parametrize("trouble", ["", "no answer"], ids=["as they end", "late"])
async def test_a_slow_store_saves_several_at_once(path: Path, trouble: str) -> None:
    """Or a database far away would fall behind calls that end by the dozen."""
    shelf = Shelf(trouble)
    saver = made(shelf, path)
    names = [f"rtc_{number}" for number in range(2 * MOST_AT_ONCE)]
    saving = [asyncio.create_task(saver.save(call_record(name))) for name in names]
    if trouble:
        await asyncio.gather(*saving)
    shelf.trouble, shelf.tries, shelf.is_stuck = "", 0, True
    async with running(saver), asyncio.timeout(PATIENCE_S):
        while shelf.tries < MOST_AT_ONCE:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        assert shelf.tries == MOST_AT_ONCE
    for each in saving:
        each.cancel()


async def test_one_that_has_to_wait_holds_up_no_other_and_all_are_saved_once(path: Path) -> None:
    """While it is undecided whose call it was, a record can be neither saved nor dropped."""
    shelf, heard = Shelf("no answer"), Heard()
    saver = made(shelf, path, heard)
    names = ["rtc_1", "rtc_2", "rtc_3"]
    for name in names:
        await saver.save(call_record(name), [JOB])
    shelf.trouble, shelf.undecided = "", "rtc_1"
    async with running(saver):
        async with asyncio.timeout(PATIENCE_S):
            while shelf.tries < 8:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
        assert (sorted(shelf.ids), len(saver)) == (["rtc_2", "rtc_3"], 3)
        shelf.undecided = ""
        await until_empty(saver)
    assert (sorted(shelf.ids), heard.jobs) == (names, 3)


async def test_two_tasks_that_save_what_waits_share_it(path: Path) -> None:
    shelf = Shelf("no answer")
    saver = made(shelf, path)
    before = made(Shelf("no answer"), path)
    await before.save(call_record("rtc_1"))
    for call_id in ("rtc_2", "rtc_3"):
        await saver.save(call_record(call_id))
    await before.close()
    shelf.trouble = ""
    task = asyncio.create_task(saver.run())
    await saver.open()
    assert not task.done() or task.exception() is None
    assert shelf.ids == ["rtc_2", "rtc_3", "rtc_1"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_waits_is_tried_once_more_at_the_end(path: Path) -> None:
    shelf = Shelf("disk full")
    saver = made(shelf, path)
    await saver.save(call_record("rtc_1"))
    shelf.trouble = ""
    await saver.close()
    assert shelf.ids == ["rtc_1"]
    assert not path.exists()


@pytest.mark.usefixtures("_impatient")
async def test_the_end_waits_for_no_store_that_hangs(path: Path) -> None:
    shelf = Shelf("disk full")
    saver = made(shelf, path)
    await saver.save(call_record("rtc_1"))
    shelf.is_stuck = True
    async with asyncio.timeout(PATIENCE_S):
        await saver.close()
    assert json.loads(path.read_text())["record"]["id"] == "rtc_1"


async def test_without_a_file_memory_keeps_so_many_and_names_what_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_saver, "MOST_IN_MEMORY", 2)
    caplog.set_level(logging.ERROR)
    shelf = Shelf("disk full")
    saver = made(shelf, tmp_path / "no folder" / "calls.db.unsaved")
    for call_id in ("rtc_1", "rtc_2", "rtc_3"):
        await saver.save(call_record(call_id, detail="hidden"))
    assert len(saver) == 2
    shelf.trouble = ""
    async with running(saver):
        await until_empty(saver)
    assert shelf.ids == ["rtc_2", "rtc_3"]
    shelf.trouble = "disk full"
    await saver.save(call_record("rtc_4"))
    await saver.close()
    assert [call_id for message, call_id in told(caplog) if message == "record is lost"] == ["rtc_1", "rtc_4"]
    assert "hidden" not in str([entry.__dict__ for entry in caplog.records])


async def test_a_record_that_the_store_refuses_for_ever_is_kept_apart_and_stops_no_other(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf("disk full")
    shelf.refuses = "rtc_1"
    saver = made(shelf, path)
    for call_id in ("rtc_1", "rtc_2", "rtc_3"):
        await saver.save(call_record(call_id))
    shelf.trouble = ""
    async with running(saver):
        await until_empty(saver)
    assert shelf.ids == ["rtc_2", "rtc_3"]
    apart = path.with_name("calls.db.unsaved.refused")
    assert json.loads(apart.read_text())["record"]["id"] == "rtc_1"
    assert apart.stat().st_mode & 0o777 == 0o600
    assert ("record was refused by the store", "rtc_1") in told(caplog)


async def test_a_record_of_a_call_that_another_has_is_dropped(path: Path) -> None:
    """Also when the other took the call while the record waited."""
    shelf = Shelf("disk full")
    shelf.lost = "rtc_1"
    saver = made(shelf, path)
    for call_id in ("rtc_1", "rtc_2"):
        await saver.save(call_record(call_id), owner=Owner(runner="one", fence=3))
    shelf.trouble = ""
    async with running(saver):
        await until_empty(saver)
    assert shelf.ids == ["rtc_2"]
    assert shelf.owners == [Owner(runner="one", fence=3)]
    assert not path.with_name("calls.db.unsaved.refused").exists()


async def test_a_line_that_cannot_be_read_is_kept_apart_and_stops_no_other(path: Path) -> None:
    shelf = Shelf("disk full")
    saver = made(shelf, path)
    await saver.save(call_record("rtc_1"))
    await saver.close()
    path.write_text("no JSON\n" + path.read_text())
    shelf = Shelf()
    saver = made(shelf, path)
    await saver.open()
    async with running(saver):
        await until_empty(saver)
    assert shelf.ids == ["rtc_1"]
    assert path.with_name("calls.db.unsaved.refused").read_text() == "no JSON\n"
