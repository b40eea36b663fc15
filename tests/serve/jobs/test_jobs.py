"""Jobs after calls are done, tried again, parked, and never lost: on a real store and real servers.

The clock is moved by hand, and nothing waits for it: who moves it wakes the worker.
"""

import asyncio
import json
import logging
import time
from collections.abc import Collection

import pytest
from standardwebhooks.webhooks import Webhook

from runner.call.afterwards.jobs import LONGEST_S
from runner.model.job import Backlog, DueJob, JobCapacity, JobKind
from runner.standin.faults import HttpFault
from runner.standin.text_model import TextReply
from tests.patience import PATIENCE_S
from tests.serve.jobs.desk import SECRET, Desk, rows


async def test_a_record_is_delivered_signed_and_then_its_job_is_gone(desk: Desk) -> None:
    [job] = await desk.call_ends()
    desk.now = _real_time()
    await desk.start()
    await desk.passes(0)
    [(headers, body)] = desk.receiver.got
    assert Webhook(SECRET).verify(body, headers)["turns"][0]["text"] == "Friday at nine."
    assert json.loads(body)["outcome"] is None
    assert headers["webhook-id"] == headers["Idempotency-Key"] == job.id
    assert rows("SELECT * FROM jobs") == []
    assert desk.count(JobKind.DELIVERY, "done") == 1


def _real_time() -> float:
    """The receiver's library knows no clock but the machine's."""
    return time.time()


async def test_a_delivery_that_fails_is_tried_again_under_the_same_id_until_it_is_taken(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runner")
    desk.receiver.statuses = [500, 503, 200]
    [job] = await desk.call_ends()
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT state, attempts, error FROM jobs") == [("open", 1, "the endpoint answered 500")]
    await desk.passes(2.4)
    assert len(desk.receiver.got) == 1, "the first wait is 2.5 to 5 seconds"
    await desk.passes(2.6)
    await desk.passes(10)
    assert desk.receiver.ids == [job.id] * 3
    assert len({body for _, body in desk.receiver.got}) == 1
    assert rows("SELECT * FROM jobs") == []
    assert (desk.count(JobKind.DELIVERY, "again"), desk.count(JobKind.DELIVERY, "done")) == (2, 1)
    assert [
        (
            *(r.levelname, r.message),
            *(r.__dict__[name] for name in ("result", "attempt", "status", "detail")),
        )
        for r in caplog.records
        if r.name == "runner.serve.jobs"
    ] == [
        ("WARNING", "job was attempted", "again", 1, 500, "the endpoint answered 500"),
        ("WARNING", "job was attempted", "again", 2, 503, "the endpoint answered 503"),
        ("INFO", "job was attempted", "done", 3, 200, ""),
    ]
    assert "Friday" not in caplog.text


async def test_an_endpoint_that_is_gone_parks_its_delivery_and_no_other(desk: Desk) -> None:
    desk.receiver.statuses = [410]
    await desk.call_ends("rtc_1")
    await desk.start()
    await desk.passes(0)
    await desk.call_ends("rtc_2")
    await desk.passes(0)
    await desk.passes(1e6)
    assert len(desk.receiver.got) == 2
    assert rows("SELECT call_id, state, attempts, error FROM jobs") == [
        ("rtc_1", "parked", 1, "the endpoint answered 410: it wants no more deliveries")
    ]
    assert (desk.in_store("open"), desk.in_store("parked")) == (0, 1)
    assert desk.count(JobKind.DELIVERY, "parked") == 1


async def test_a_request_that_the_endpoint_refuses_is_tried_again_for_72_hours(desk: Desk) -> None:
    desk.receiver.statuses = [400] * 100
    await desk.call_ends()
    await desk.start()
    for _ in range(60):
        await desk.passes(LONGEST_S / 50)
    assert 10 < len(desk.receiver.got) < 60
    assert rows("SELECT state, error FROM jobs") == [("parked", "the endpoint answered 400")]


async def test_the_outcome_is_asked_for_first_and_delivered_with_the_record(desk: Desk) -> None:
    desk.api.text_model.replies = [TextReply(json={"booked": False})]
    await desk.call_ends(outcome=True, deliveries=2)
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT outcome FROM calls") == [('{"booked": false}',)]
    assert [json.loads(body)["outcome"] for _, body in desk.receiver.got] == [{"booked": False}] * 2
    [asked] = desk.api.text_model.questions
    assert "caller: Friday at nine." in asked["input"]
    assert asked["store"] is False
    assert rows("SELECT * FROM jobs") == []


async def test_deliveries_wait_while_the_text_model_cannot_be_asked(desk: Desk) -> None:
    desk.api.text_faults.extend([HttpFault(status=500), HttpFault(), HttpFault(status=429)])
    await desk.call_ends(outcome=True)
    await desk.start()
    for _ in range(3):
        assert desk.receiver.got == []
        await desk.passes(3600)
    await desk.passes(3600)
    [(_, body)] = desk.receiver.got
    assert json.loads(body)["outcome"] == {"booked": True}
    assert desk.count(JobKind.OUTCOME, "again") == 3


@pytest.mark.parametrize(
    ("answers", "error", "asked"),
    [
        ([TextReply(refuses=True)] * 3, "the model refused to answer", 3),
        ([TextReply(text="no")] * 3, "the answer is not JSON", 3),
        ([TextReply(json={"booked": "x"})] * 3, "the answer does not fit the schema", 3),
        ([TextReply(status="incomplete")] * 3, 'the response is "incomplete"', 3),
    ],
)
async def test_a_question_without_a_usable_answer_is_parked_and_the_record_delivered_without(
    desk: Desk, answers: list[TextReply], error: str, asked: int
) -> None:
    desk.api.text_model.replies = list(answers)
    await desk.call_ends(outcome=True)
    await desk.start()
    for _ in range(asked + 1):
        await desk.passes(3600)
    assert len(desk.api.text_model.questions) == asked
    assert [json.loads(body)["outcome"] for _, body in desk.receiver.got] == [None]
    assert rows("SELECT kind, state, error FROM jobs") == [("outcome", "parked", error)]


REFUSED = "the API answered 400 (server_error: The server had an error while processing your request.)"


async def test_a_question_that_the_api_refuses_is_parked_at_once(desk: Desk) -> None:
    desk.api.text_faults.append(HttpFault(status=400))
    await desk.call_ends(outcome=True)
    await desk.start()
    await desk.passes(0)
    assert len(desk.receiver.got) == 1
    assert rows("SELECT kind, state, error FROM jobs") == [("outcome", "parked", REFUSED)]


async def test_a_secret_that_is_put_back_lets_the_delivery_out(desk: Desk) -> None:
    secrets, desk.secrets = desk.secrets, {}
    await desk.call_ends()
    await desk.start()
    await desk.passes(0)
    assert desk.receiver.got == []
    [(state, error)] = rows("SELECT state, error FROM jobs")
    assert (state, error) == ("open", 'the secret of "sign" is not a Standard Webhooks secret (whsec_…)')
    await desk.worker.close()
    desk.secrets = secrets
    await desk.start()
    await desk.passes(5)
    assert len(desk.receiver.got) == 1


async def test_a_job_that_is_days_old_is_still_tried_when_the_process_comes_back(desk: Desk) -> None:
    await desk.call_ends()
    desk.now += 5 * 24 * 3600
    await desk.start()
    await desk.passes(0)
    assert len(desk.receiver.got) == 1
    assert rows("SELECT * FROM jobs") == []


async def test_a_worker_that_is_woken_needs_no_clock(desk: Desk) -> None:
    await desk.start()
    await desk.passes(0)
    await desk.call_ends()
    desk.worker.wake()
    await desk.receiver.until(lambda: desk.receiver.got)


class Behind:
    """A database whose clock is behind ours: what is due here cannot be taken there yet."""

    def __init__(self) -> None:
        self.looks = 0
        self.enough = asyncio.Event()

    async def take(self, capacity: JobCapacity, **_: float) -> list[DueJob]:
        self.looks += 1
        if self.looks == 6:
            self.enough.set()
        return []

    async def backlog(self, busy: Collection[str]) -> Backlog:
        return Backlog(open=1, parked=0, next_due_at=0.0)


async def test_a_job_that_nobody_can_take_yet_is_looked_for_with_pauses(desk: Desk) -> None:
    store, began = Behind(), time.monotonic()
    await desk.start(store)
    async with asyncio.timeout(PATIENCE_S):
        await store.enough.wait()
    assert time.monotonic() - began > 0.2
