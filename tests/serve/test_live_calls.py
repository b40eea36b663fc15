"""Live calls are counted, ended and recorded, and none of them can disturb another."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from runner.model.event import Steered
from runner.model.job import Job, JobKind
from runner.model.live_call import Owner
from runner.model.record import CallRecord, Deed
from runner.model.steering import Hush
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts

RECORD = CallRecord(
    id="rtc_1",
    agent="front-desk",
    route=None,
    why="",
    caller=None,
    called=None,
    transport="sip",
    created_at=0.0,
    ended="caller_hung_up",
)


JOB = Job(
    id="msg_1", call_id="", kind=JobKind.DELIVERY, receiver="crm.example", created_at=0.0, due_at=0.0, work={}
)


class TalkingCall(LiveCall):
    """Talks until it is ended, if it is `deaf` until it is given up, and if it is `stuck` for ever; fails at
    once if it is `broken`."""

    has_jobs = False
    forgetful = False
    is_answered = True

    def __init__(
        self,
        id: str = "rtc_1",  # noqa: A002 - as in LiveCall
        *,
        deaf: bool = False,
        stuck: bool = False,
        broken: bool = False,
    ) -> None:
        self.id = id
        self.deaf = deaf or stuck
        self.stuck = stuck
        self.broken = broken
        self.was_cancelled = False
        self.is_released = False
        self.has_settled = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> CallRecord:
        if self.broken:
            raise RuntimeError("a bug")
        try:
            return replace(RECORD, id=self.id, ended=await self._ended)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise

    async def jobs(self, record: CallRecord) -> tuple[Job, ...]:
        if self.forgetful:
            raise RuntimeError("a bug")
        return (replace(JOB, call_id=record.id),) if self.has_jobs else ()

    def end(self, reason: str) -> None:
        if not self.deaf:
            self._ended.set_result(reason)

    async def steer(self, steered: Steered) -> Deed | None:
        return Deed(id=steered.id, by=steered.by, what=self.id, given={}, at=0.0, result="done")

    @property
    def owner(self) -> Owner | None:
        return None

    async def release(self) -> None:
        self.is_released = True

    async def settle(self) -> None:
        self.has_settled = True

    def drop(self) -> None:
        self._ended.set_result("dropped, settled" if self.has_settled else "dropped")

    def give_up(self) -> None:
        if not self.stuck:
            self._ended.set_result("given up")


class Shelf:
    """Takes records, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.records: list[CallRecord] = []
        self.jobs: list[Job] = []
        self.fails = fails

    async def save(self, record: CallRecord, jobs: Sequence[Job] = (), owner: Owner | None = None) -> None:
        if self.fails:
            raise OSError("disk full")
        self.records.append(record)
        self.jobs += jobs


def live_calls(shelf: Shelf, metrics: Metrics | None = None, timeouts: Timeouts | None = None) -> LiveCalls:
    return LiveCalls(saver=shelf, metrics=metrics or Metrics(), timeouts=timeouts or Timeouts())


async def test_a_call_that_is_over_leaves_its_record() -> None:
    shelf, metrics = Shelf(), Metrics()
    board, call = live_calls(shelf, metrics), TalkingCall()
    board.serve(call)
    assert len(board) == 1
    assert b"phone_agents_live_calls 1.0" in metrics.text()
    call.end("caller_hung_up")
    await board.idle()
    assert len(board) == 0
    assert b"phone_agents_live_calls 0.0" in metrics.text()
    assert b'phone_agents_calls_total{agent="front-desk",ended="caller_hung_up"} 1.0' in metrics.text()
    assert shelf.records == [RECORD]


async def test_ending_ends_every_call_and_waits_for_the_records() -> None:
    shelf = Shelf()
    board = live_calls(shelf)
    for number in range(3):
        board.serve(TalkingCall(f"rtc_{number}"))
    await board.end("shutdown")
    assert len(board) == 0
    assert [(record.id, record.ended) for record in shelf.records] == [
        ("rtc_0", "shutdown"),
        ("rtc_1", "shutdown"),
        ("rtc_2", "shutdown"),
    ]


async def test_ending_without_calls_is_nothing() -> None:
    await live_calls(Shelf()).end("shutdown")


async def test_a_call_that_does_not_end_is_given_up_and_its_record_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf()
    board = live_calls(shelf, timeouts=Timeouts(end_s=0.01))
    board.serve(TalkingCall(deaf=True))
    await board.end("shutdown")
    assert [record.ended for record in shelf.records] == ["given up"]
    assert "call did not end in time" in [record.message for record in caplog.records]


async def test_a_call_that_cannot_even_be_given_up_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    board, call = live_calls(Shelf(), timeouts=Timeouts(end_s=0.01, save_s=0.01)), TalkingCall(stuck=True)
    board.serve(call)
    await board.end("shutdown")
    assert call.was_cancelled
    assert len(board) == 0
    assert [(r.levelname, r.message, r.__dict__["call_id"]) for r in caplog.records] == [
        ("ERROR", "call did not end in time", "rtc_1")
    ]


async def test_a_call_with_a_bug_is_told_and_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    shelf, metrics = Shelf(), Metrics()
    board, good, bad = (
        live_calls(shelf, metrics),
        TalkingCall("rtc_good"),
        TalkingCall("rtc_bad", broken=True),
    )
    board.serve(bad)
    board.serve(good)
    good.end("hangup")
    await board.idle()
    assert [record.id for record in shelf.records] == ["rtc_good"]
    assert (good.is_released, bad.is_released) == (True, True)
    assert b'phone_agents_calls_total{agent="",ended="failed"} 1.0' in metrics.text()
    assert [record.message for record in caplog.records] == ["call has failed"]


async def test_a_bug_in_saving_never_costs_a_call(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    board, call = live_calls(Shelf(fails=True), metrics), TalkingCall()
    board.serve(call)
    call.end("hangup")
    await board.idle()
    assert b"phone_agents_store_failures_total 1.0" in metrics.text()
    assert [(r.levelno, r.message) for r in caplog.records] == [(logging.ERROR, "record was not saved")]


async def test_the_jobs_after_a_call_are_saved_with_its_record() -> None:
    shelf, metrics = Shelf(), Metrics()
    board, call = live_calls(shelf, metrics), TalkingCall()
    call.has_jobs = True
    board.serve(call)
    call.end("hangup")
    await board.idle()
    assert [(job.id, job.call_id) for job in shelf.jobs] == [("msg_1", "rtc_1")]
    assert b"phone_agents_calls_total{" in metrics.text()


async def test_a_bug_in_making_the_jobs_costs_no_record(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    board, call = live_calls(shelf), TalkingCall()
    call.forgetful = True
    board.serve(call)
    call.end("hangup")
    await board.idle()
    assert [record.id for record in shelf.records] == ["rtc_1"]
    assert [record.message for record in caplog.records] == ["jobs after the call could not be created"]


async def test_a_persons_act_reaches_its_call_and_no_other() -> None:
    calls = live_calls(Shelf())
    first, second = TalkingCall("rtc_1"), TalkingCall("rtc_2")
    calls.serve(first)
    calls.serve(second)
    deed = await calls.steer("rtc_2", Steered(id="deed_1", by="shift-lead", act=Hush()))
    assert deed is not None
    assert (deed.id, deed.what) == ("deed_1", "rtc_2")
    assert await calls.steer("rtc_3", Steered(id="deed_2", by="shift-lead", act=Hush())) is None
    await calls.end("shutdown")


async def test_a_call_is_handed_over_once_it_has_done_what_its_journal_says() -> None:
    shelf = Shelf()
    calls = live_calls(shelf)
    first, second = TalkingCall("rtc_1"), TalkingCall("rtc_2")
    calls.serve(first)
    calls.serve(second)
    await calls.hand_over(["rtc_1"])
    second.end("hangup")
    await calls.idle()
    assert [(record.id, record.ended) for record in shelf.records] == [
        ("rtc_1", "dropped, settled"),
        ("rtc_2", "hangup"),
    ]


async def test_a_call_that_comes_back_while_it_still_closes_here_is_the_one_that_is_found_and_dropped() -> (
    None
):
    live_calls = LiveCalls(saver=Shelf(), metrics=Metrics(), timeouts=Timeouts())
    closing, back = TalkingCall(), TalkingCall()
    live_calls.serve(closing)
    live_calls.serve(back)
    closing.end("lost")
    while len(live_calls.all()) == 2:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    assert live_calls.find("rtc_1") is back
    back.end("caller_hung_up")
    await live_calls.idle()
    assert live_calls.find("rtc_1") is None
