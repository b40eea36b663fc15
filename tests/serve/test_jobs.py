"""Jobs after calls are done, tried again, parked, and never lost: on a real store and real servers.

The clock is moved by hand, and nothing waits for it: who moves it wakes the worker.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.call.afterwards.capacity import MOST_HELD, MOST_PER_RECEIVER
from runner.call.afterwards.jobs import LONGEST_S, jobs_after
from runner.call.templates.template import compile_template as words
from runner.errors import StoreError
from runner.model.agent import Agent, OutcomeQuestion
from runner.model.job import Job, JobCapacity, JobKind
from runner.model.record import CallRecord, Turn
from runner.model.tool import Body, BodyKind, HttpBinding
from runner.model.values import Place
from runner.serve import background
from runner.serve.api_client import ApiClient
from runner.serve.jobs import JobWorker
from runner.serve.metrics import Metrics
from runner.serve.secrets import Secrets
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import ToolClient
from runner.standin.faults import HttpFault
from runner.standin.server import StandIn
from runner.standin.text_model import TextReply
from runner.standin.webhook import new_secret
from runner.store.opening import open_store
from runner.store.store import Store
from tests.patience import PATIENCE_S
from tests.standin.openai_types import client_complaint, server_complaint

SECRET = new_secret()
SCHEMA = {"type": "object", "properties": {"booked": {"type": "boolean"}}, "required": ["booked"]}
OUTCOME = OutcomeQuestion(model="gpt-5-mini", schema=SCHEMA)
RECORD = CallRecord(
    id="rtc_1",
    agent="desk",
    route=None,
    why="",
    caller="+14155550100",
    called=None,
    transport="sip",
    created_at=0.0,
    ended="hangup",
    turns=(Turn(role="caller", text="Friday at nine.", at=1.0),),
)
SHORTER_THAN_AN_ATTEMPT_S = 8.0
"""An attempt at a receiver that hangs takes ten seconds."""
NAMES = {"call": {"id": "rtc_1", "headers": {}}, "vars": {}, "lookup": None, "agent": "desk", "now": ""}


class Receiver:
    """An endpoint that takes deliveries, or answers with these statuses first. Any address of this machine
    leads to it (127.0.0.0/8)."""

    def __init__(self) -> None:
        self.port = 0
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append(({**request.headers}, await request.read()))
        self.changed.set()
        await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def url(self, number: int = 1) -> str:
        """By one of many names, each of which is a receiver of its own."""
        return f"http://127.0.{number // 200}.{number % 200 + 1}:{self.port}/calls"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


class Desk:
    """A worker with everything around it, and a clock that tests move."""

    def __init__(self, store: Store, api: StandIn, receiver: Receiver, stack: AsyncExitStack) -> None:
        self.now = 1000.0
        self.store = store
        self.api = api
        self.receiver = receiver
        self.metrics = Metrics()
        self.secrets = {"SIGN": SECRET}
        self._stack = stack
        self.worker: JobWorker

    async def start(self, store: Any = None) -> None:
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        tools = await self._stack.enter_async_context(ToolClient(aiohttp.TCPConnector(limit=0)))
        timeouts = Timeouts(question_s=5.0)
        self.worker = JobWorker(
            store=store or self.store,
            model=ApiClient(
                session,
                api=realtime,
                text_model=text_model,
                base_url=self.api.base_url,
                api_key=lambda: self.api.api_key,
                timeouts=timeouts,
            ),
            endpoints=tools,
            secrets=lambda: Secrets.fixed(self.secrets),
            metrics=self.metrics,
            timeouts=timeouts,
            clock=lambda: self.now,
        )
        self._stack.push_async_callback(self.worker.close)
        self.worker.start()

    def agent(self, *, deliveries: int = 1, outcome: bool = False, url: str | None = None) -> Agent:
        post = HttpBinding(
            method="POST",
            url=words(url or self.receiver.url()),
            body=Body(kind=BodyKind.JSON, is_arguments=True),
            sign=words("{{ secrets.SIGN }}"),
        )
        return Agent(
            id="desk",
            model="gpt-realtime-2.1",
            instructions=words("Be kind."),
            outcome=OUTCOME if outcome else None,
            on_end=(post,) * deliveries,
            place=Place("desk.yaml", 1, 1),
        )

    async def call_ends(self, call_id: str = "rtc_1", **agent: Any) -> tuple[Job, ...]:
        record = replace(RECORD, id=call_id)
        jobs = jobs_after(self.agent(**agent), record, NAMES, self.now)
        await self.store.save(record, jobs)
        return jobs

    async def passes(self, seconds: float) -> None:
        """Let time pass, and everything that is due then be attempted."""
        self.now += seconds
        async with asyncio.timeout(PATIENCE_S):
            await self.worker.settle()

    def count(self, kind: JobKind, result: str) -> float | None:
        return self.metrics._registry.get_sample_value(
            "phone_agents_job_attempts_total", {"kind": kind.value, "result": result}
        )

    def in_store(self, state: str) -> float | None:
        return self.metrics._registry.get_sample_value("phone_agents_jobs", {"state": state})


def rows(query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect("calls.db")) as connection:
        return connection.execute(query).fetchall()


@asynccontextmanager
async def serving(receiver: Receiver) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/calls", receiver.answer)
    server = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await server.setup()
    await web.TCPSite(server, "0.0.0.0", 0).start()
    receiver.port = server.addresses[0][1]
    try:
        yield
    finally:
        receiver.gate.set()
        await server.cleanup()


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.chdir(tmp_path)
    receiver = Receiver()
    async with (
        StandIn(inspect_received=client_complaint, inspect_sent=server_complaint) as api,
        serving(receiver),
        AsyncExitStack() as stack,
    ):
        store = await open_store("sqlite:calls.db")
        stack.push_async_callback(store.close)
        yield Desk(store, api, receiver, stack)
    assert api.violations == []


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
        (r.levelname, r.message, r.__dict__["result"], r.__dict__["attempt"], r.__dict__["status"])
        for r in caplog.records
        if r.name == "runner.serve.jobs"
    ] == [
        ("WARNING", "job was attempted", "again", 1, 500),
        ("WARNING", "job was attempted", "again", 2, 503),
        ("INFO", "job was attempted", "done", 3, 200),
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


async def test_a_question_that_the_api_refuses_is_parked_at_once(desk: Desk) -> None:
    desk.api.text_faults.append(HttpFault(status=400))
    await desk.call_ends(outcome=True)
    await desk.start()
    await desk.passes(0)
    assert len(desk.receiver.got) == 1
    assert rows("SELECT kind, state, error FROM jobs") == [("outcome", "parked", "the API answered 400")]


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


@pytest.fixture
async def hanging() -> AsyncIterator[Receiver]:
    """A receiver that takes deliveries and never answers."""
    receiver = Receiver()
    receiver.gate.clear()
    async with serving(receiver):
        yield receiver


async def test_receivers_that_hang_do_not_delay_one_that_is_well(desk: Desk, hanging: Receiver) -> None:
    """Each of them has more deliveries than hands, and all of them were due before."""
    for number in range(6):
        for call in range(MOST_PER_RECEIVER + 2):
            await desk.call_ends(f"rtc_{number}_{call}", url=hanging.url(number))
    await desk.start()
    await hanging.until(lambda: len(hanging.got) == MOST_HELD // 2)
    desk.now += 1
    await desk.call_ends("rtc_quick")
    desk.worker.wake()
    async with asyncio.timeout(SHORTER_THAN_AN_ATTEMPT_S):
        await desk.receiver.until(lambda: desk.receiver.got)
    assert len(hanging.got) == MOST_HELD // 2


async def test_receivers_that_hang_do_not_delay_the_next_process(desk: Desk, hanging: Receiver) -> None:
    """The process was killed with all of its share of hands busy."""
    for call in range(MOST_PER_RECEIVER * 3):
        await desk.call_ends(f"rtc_{call}", url=hanging.url())
    await desk.store.take(JobCapacity(most=20, per_receiver=20), now=desk.now, lease_s=120.0)
    await desk.call_ends("rtc_quick")
    await desk.start()
    async with asyncio.timeout(SHORTER_THAN_AN_ATTEMPT_S):
        await desk.receiver.until(lambda: desk.receiver.got)


async def test_a_burst_to_one_receiver_gets_its_share_of_hands_until_all_is_delivered(desk: Desk) -> None:
    desk.receiver.gate.clear()
    for number in range(MOST_PER_RECEIVER * 2 + 3):
        await desk.call_ends(f"rtc_{number}")
    await desk.start()
    await desk.receiver.until(lambda: len(desk.receiver.got) == MOST_PER_RECEIVER)
    assert rows("SELECT count(*) FROM jobs WHERE taken_until > 1000") == [(MOST_PER_RECEIVER,)]
    held = {"receiver": f"127.0.0.2:{desk.receiver.port}"}
    metric = "phone_agents_jobs_held"
    assert desk.metrics._registry.get_sample_value(metric, held) == MOST_PER_RECEIVER
    desk.receiver.gate.set()
    await desk.passes(0)
    assert len(set(desk.receiver.ids)) == MOST_PER_RECEIVER * 2 + 3
    assert desk.metrics._registry.get_sample_value(metric, held) is None


class Counted:
    """The store, and how often it was asked for its backlog."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += name == "backlog"
        return getattr(self._store, name)


@pytest.mark.parametrize(
    ("receivers", "most"),
    [(1, MOST_PER_RECEIVER), (MOST_HELD + 3, MOST_HELD)],
    ids=["of one receiver", "in all"],
)
async def test_no_more_are_under_way_than_there_are_hands_and_the_worker_waits_for_one(
    desk: Desk, hanging: Receiver, receivers: int, most: int
) -> None:
    store = Counted(desk.store)
    for number in range(most + 3):
        await desk.call_ends(f"rtc_{number}", url=hanging.url(number % receivers))
    await desk.start(store)
    await hanging.until(lambda: len(hanging.got) == most)
    for _ in range(20):
        # What asks the store takes its turn: a worker that asks again and again would be heard here.
        await desk.store.backlog()
    assert store.asked <= 2
    assert rows("SELECT count(*) FROM jobs WHERE taken_until > 1000") == [(most,)]


async def test_what_is_under_way_at_the_end_is_due_again_at_once(desk: Desk) -> None:
    desk.receiver.gate.clear()
    await desk.call_ends()
    await desk.start()
    await desk.receiver.until(lambda: desk.receiver.got)
    await desk.worker.close()
    assert rows("SELECT state, due_at, attempts FROM jobs") == [("open", 1000.0, 0)]
    desk.receiver.gate.set()
    await desk.start()
    await desk.passes(0)
    assert len(set(desk.receiver.ids)) == 1
    assert len(desk.receiver.got) == 2


class Trouble:
    """The store, which fails at some of what it is asked."""

    def __init__(self, store: Store, *failing: str, error: Exception | None = None) -> None:
        self._error = error or StoreError("disk full")
        self._store = store
        self.failing = list(failing)

    def __getattr__(self, name: str) -> Any:
        if name in self.failing:
            self.failing.remove(name)
            return self._fail
        return getattr(self._store, name)

    async def _fail(self, *_: object, **__: object) -> None:
        raise self._error


async def test_a_worker_that_a_bug_ends_is_told_and_started_again(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "RESTART_S", 0.0)
    store = Trouble(desk.store, "take", error=RuntimeError("a bug"))
    await desk.call_ends()
    await desk.start(store)
    await desk.receiver.until(lambda: desk.receiver.got)
    assert desk.worker.trouble == "the job worker failed and was restarted: RuntimeError"
    assert [r.message for r in caplog.records] == ["the job worker failed and is started again"]


async def test_a_row_that_nobody_can_read_is_parked_and_the_others_are_delivered(desk: Desk) -> None:
    await desk.call_ends("rtc_1")
    await desk.call_ends("rtc_2")
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as connection:
        connection.execute("UPDATE jobs SET kind = 'letter' WHERE call_id = 'rtc_1'")
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT call_id, state FROM jobs") == [("rtc_1", "parked")]
    assert len(desk.receiver.got) == 1


@pytest.mark.parametrize("failing", ["take", "backlog"])
async def test_a_store_that_cannot_be_read_is_read_again(
    desk: Desk, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.start(Trouble(desk.store, failing))
    await desk.passes(0)
    await desk.call_ends()
    await desk.passes(0)
    assert len(desk.receiver.got) == 1
    assert [r.message for r in caplog.records] == ["jobs cannot be read"]


async def test_a_result_that_cannot_be_written_down_means_that_it_is_done_once_more(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.call_ends()
    await desk.start(Trouble(desk.store, "settle"))
    await desk.passes(0)
    await desk.passes(119)
    assert len(desk.receiver.got) == 1
    await desk.passes(1)
    assert len(desk.receiver.got) == 2
    assert len(set(desk.receiver.ids)) == 1
    assert rows("SELECT * FROM jobs") == []
    assert [r.message for r in caplog.records] == ["job's result was not saved"]


async def test_a_bug_in_one_attempt_is_told_and_the_job_tried_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.call_ends()
    desk.secrets = None  # type: ignore[assignment]
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT state, attempts, error FROM jobs") == [
        ("open", 1, "a bug of ours; the log has its traceback")
    ]
    assert [r.message for r in caplog.records] == ["job failed by a bug of ours", "job was attempted"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("'{}'", """it has no 'names'"""),
        ("json_remove(work, '$.http.url')", """it has no 'url'"""),
        (
            "json_set(work, '$.http.auth', json('{\"kind\": \"mtls\"}'))",
            '"mtls" is not a kind of auth that this version knows',
        ),
    ],
)
async def test_a_row_that_somebody_has_changed_is_parked_and_delays_no_other(
    desk: Desk, change: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.call_ends()
    with closing(sqlite3.connect("calls.db", isolation_level=None)) as connection:
        connection.execute(f"UPDATE jobs SET work = {change}")
    await desk.start()
    await desk.passes(0)
    assert rows("SELECT state, error FROM jobs") == [("parked", f"the job cannot be read: {error}")]
    assert [r.message for r in caplog.records] == [
        "job cannot be read and is parked",
        "job was attempted",
    ]
    await desk.call_ends(call_id="rtc_2")
    await desk.passes(0)
    assert len(desk.receiver.got) == 1
