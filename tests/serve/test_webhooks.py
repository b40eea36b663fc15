"""What the sender of a webhook is told, over real HTTP, whatever it sends."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession, web
from standardwebhooks import Webhook

from runner.api.realtime import api as realtime
from runner.model.call import Ringing
from runner.model.reception import RingResult
from runner.serve.app import MOST_BODY_BYTES, create_app
from runner.serve.listener import Listener
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts
from runner.serve.webhooks import Webhooks
from tests.clock import NOW

SECRET = "whsec_bWFwbGUtZGVudGFsLXNlY3JldC0x"
REFUSED = (400, "this is not a valid webhook\n")


class Desk:
    """Answers every call with the next result of a list, and waits for `go` if it is closed."""

    def __init__(self) -> None:
        self.results: list[RingResult | Exception] = [RingResult.ACCEPTED]
        self.calls: list[Ringing] = []
        self.began = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def answer(self, ringing: Ringing) -> RingResult:
        self.calls.append(ringing)
        self.began.set()
        await self.go.wait()
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, Exception):
            raise result
        return result


class Sender:
    """Posts webhooks as the voice API does."""

    def __init__(self, port: int, session: ClientSession) -> None:
        self._port = port
        self._session = session

    async def event(self, *, webhook_id: str = "wh_1", **change: Any) -> tuple[int, str]:
        event = {
            "type": "realtime.call.incoming",
            "created_at": int(NOW),
            "data": {"call_id": "rtc_1", "sip_headers": []},
        }
        body = json.dumps(event | change).encode()
        return await self.post(body, signed(body, webhook_id))

    async def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        return await self.request("POST", "/webhooks/openai", data=body, headers=headers)

    async def post_to(self, path: str) -> None:
        await self.request("POST", path, data=b"{}", headers=signed(b"{}"))

    async def request(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self._port}{path}"
        async with self._session.request(method, url, **more) as response:
            return response.status, await response.text()

    async def raw(self, request: bytes, *, hang_up: bool = False) -> bytes:
        """Everything that is answered until the server, or with `hang_up` the sender, closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        if hang_up:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer


def signed(body: bytes, webhook_id: str = "wh_1") -> dict[str, str]:
    now = int(NOW)
    text = body.decode(errors="replace")
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(now),
        "webhook-signature": Webhook(SECRET).sign(webhook_id, datetime.fromtimestamp(now, UTC), text),
        "content-type": "application/json",
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.fixture
async def port(desk: Desk, metrics: Metrics) -> AsyncIterator[int]:
    webhooks = Webhooks(
        api=realtime,
        secrets=lambda: [SECRET],
        answer=desk.answer,
        metrics=metrics,
        timeouts=Timeouts(body_s=1.0),
        clock=lambda: NOW,
    )
    app = create_app(webhook=webhooks.handle, obstacles=lambda: ["starting"], metrics=metrics)
    async with served(app, metrics) as port:
        yield port


@pytest.fixture
async def sender(port: int) -> AsyncIterator[Sender]:
    async with ClientSession() as session:
        yield Sender(port, session)


@asynccontextmanager
async def served(app: web.Application, metrics: Metrics) -> AsyncIterator[int]:
    listener = Listener(app, most=100, metrics=metrics, timeouts=Timeouts())
    try:
        yield (await listener.listen("127.0.0.1", 0))[1]
    finally:
        await listener.close()


def counted(metrics: Metrics) -> dict[str, float]:
    """What was counted; every result has a sample from the start."""
    return {
        sample.labels["result"]: sample.value
        for metric in metrics.webhooks.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.value
    }


@pytest.mark.parametrize(
    ("told", "since"),
    [(NOW, NOW), (NOW - 0.75, NOW), (NOW - 1.0, NOW - 1.0), (NOW - 9.0, NOW - 9.0), (NOW + 1.0, NOW + 1.0)],
)
async def test_a_call_has_rung_since_its_webhook_came_in_the_second_that_the_api_names(
    desk: Desk, sender: Sender, told: float, since: float
) -> None:
    await sender.event(created_at=told)
    assert [ringing.created_at for ringing in desk.calls] == [since]


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (RingResult.ACCEPTED, (200, "the call was accepted\n")),
        (RingResult.REJECTED, (200, "the call was rejected\n")),
        (RingResult.GONE, (200, "the caller has gone\n")),
        (RingResult.TAKEN, (200, "the call is answered elsewhere\n")),
        (RingResult.LATE, (200, "the call is too old to be answered\n")),
        (RingResult.FAILED, (200, "the call cannot be answered\n")),
        (RingResult.UNAVAILABLE, (503, "the call could not be answered now\n")),
        (RingResult.CLOSED, (503, "no calls are accepted now\n")),
    ],
)
async def test_each_result_is_told_and_counted(
    sender: Sender, desk: Desk, metrics: Metrics, result: RingResult, answer: tuple[int, str]
) -> None:
    desk.results = [result]
    assert await sender.event() == answer
    assert [call.call_id for call in desk.calls] == ["rtc_1"]
    assert counted(metrics) == {result.value: 1.0}


async def test_a_bug_of_ours_is_logged_and_asks_for_another_delivery(
    sender: Sender, desk: Desk, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    desk.results = [RuntimeError("secret detail"), RingResult.ACCEPTED]
    assert await sender.event() == (503, "the call could not be answered now\n")
    assert [(r.levelno, r.message, r.__dict__["call_id"]) for r in caplog.records] == [
        (logging.ERROR, "webhook failed", "rtc_1")
    ]
    assert await sender.event() == (200, "the call was accepted\n")
    assert counted(metrics) == {"error": 1.0, "accepted": 1.0}


async def test_the_same_event_is_carried_out_once(sender: Sender, desk: Desk, metrics: Metrics) -> None:
    assert await sender.event() == await sender.event() == (200, "the call was accepted\n")
    assert len(desk.calls) == 1
    assert counted(metrics) == {"accepted": 1.0, "duplicate": 1.0}


@pytest.mark.parametrize("kind", ["batch.completed", "live.transport.incoming"])
async def test_an_event_that_announces_no_call_is_ignored(
    sender: Sender, desk: Desk, metrics: Metrics, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO, logger="runner")
    told = (200, "events of this type are ignored\n")
    assert await sender.event(type=kind) == await sender.event(type=kind) == told
    assert desk.calls == []
    assert counted(metrics) == {"other_event": 2.0}
    assert [(r.levelno, r.message, r.__dict__["type"]) for r in caplog.records] == [
        (logging.INFO, "webhook was ignored", kind)
    ] * 2


async def test_a_notice_of_the_safety_checks_is_a_warning(
    sender: Sender, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    assert await sender.event(type="safety.identifier.blocked") == (
        200,
        "events of this type are ignored\n",
    )
    assert counted(metrics) == {"other_event": 1.0}
    assert [(r.levelno, r.message, r.__dict__["type"]) for r in caplog.records] == [
        (logging.WARNING, "voice api sent a notice", "safety.identifier.blocked")
    ]


async def test_the_same_call_in_another_event_is_carried_out_once(sender: Sender, desk: Desk) -> None:
    assert await sender.event(webhook_id="wh_1") == await sender.event(webhook_id="wh_2")
    assert len(desk.calls) == 1


async def test_copies_that_arrive_together_get_one_result(sender: Sender, desk: Desk) -> None:
    desk.go.clear()
    async with asyncio.TaskGroup() as group:
        copies = [group.create_task(sender.event(webhook_id=f"wh_{n}")) for n in range(5)]
        await desk.began.wait()
        desk.go.set()
    assert {copy.result() for copy in copies} == {(200, "the call was accepted\n")}
    assert len(desk.calls) == 1


async def test_what_failed_for_now_is_tried_again(sender: Sender, desk: Desk) -> None:
    desk.results = [RingResult.UNAVAILABLE, RingResult.CLOSED, RingResult.ACCEPTED]
    assert [(await sender.event())[0] for _ in range(4)] == [503, 503, 200, 200]
    assert len(desk.calls) == 3


async def test_an_unsigned_webhook_is_told_nothing(
    sender: Sender, desk: Desk, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    assert await sender.post(b"{}", {}) == REFUSED
    assert desk.calls == []
    assert counted(metrics) == {"refused": 1.0}
    assert [(r.message, r.__dict__["reason"]) for r in caplog.records] == [
        ("webhook was refused", "webhook-id is missing")
    ]


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"null", b"{", b'{"type": "realtime.call.incoming"}', b"[" * 100_000]
)
async def test_a_signed_body_that_is_no_event_is_refused(sender: Sender, desk: Desk, body: bytes) -> None:
    assert await sender.post(body, signed(body)) == REFUSED
    assert desk.calls == []


async def test_a_compressed_body_is_not_unpacked(sender: Sender) -> None:
    assert await sender.post(b"{}", signed(b"{}") | {"content-encoding": "gzip"}) == REFUSED


async def test_header_bytes_that_are_no_text_are_refused(sender: Sender) -> None:
    answer = await sender.raw(
        b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\nwebhook-id: wh_1\r\nwebhook-timestamp: %d\r\n"
        b"webhook-signature: v1,\xff\xfe\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}" % NOW
    )
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\nthis is not a valid webhook\n")


async def test_a_body_that_turns_to_garbage_is_refused(sender: Sender, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\nExpect: 100-continue\r\n\r\n"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"zz\r\n{}\r\n")
    answer = await reader.read()
    writer.close()
    # aiohttp's parser in C keeps the garbage to itself, and the rest never comes; the one in Python tells.
    assert answer.split(b"\r\n")[0] in (b"HTTP/1.1 408 Request Timeout", b"HTTP/1.1 400 Bad Request")
    assert answer.endswith(
        (b"\r\n\r\nthe body took too long to arrive\n", b"\r\n\r\nthe body cannot be read\n")
    )


async def test_a_body_over_the_limit_is_refused(sender: Sender, desk: Desk, metrics: Metrics) -> None:
    body = b" " * (MOST_BODY_BYTES + 1)
    assert await sender.post(body, signed(body)) == (413, "the body is too large\n")
    assert counted(metrics) == {"too_large": 1.0}


async def test_a_body_that_is_announced_as_too_large_is_not_waited_for(
    sender: Sender, metrics: Metrics
) -> None:
    answer = await sender.raw(
        b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")
    assert answer.endswith(b"\r\n\r\nthe body is too large\n")
    assert counted(metrics) == {"too_large": 1.0}


async def test_a_body_that_never_ends_is_refused(sender: Sender, metrics: Metrics) -> None:
    answer = await sender.raw(
        b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{"
    )
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b"\r\n\r\nthe body took too long to arrive\n")
    assert counted(metrics) == {"too_slow": 1.0}


@pytest.mark.parametrize(
    "lines",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"Content-Length: x\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"no colon\r\n\r\n",
        b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_hardly_http_is_a_bad_request(sender: Sender, desk: Desk, lines: bytes) -> None:
    start = b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    answer = await sender.raw(start + lines)
    assert answer.split(b"\r\n")[0] in (b"HTTP/1.0 400 Bad Request", b"HTTP/1.1 400 Bad Request")
    assert b"Traceback" not in answer
    assert desk.calls == []


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\n",
        b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{",
    ],
)
async def test_a_sender_who_hangs_up_is_no_error_of_ours(
    sender: Sender, desk: Desk, part: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await sender.raw(part, hang_up=True)
    assert await sender.event() == (200, "the call was accepted\n")
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhooks/openai", 405),
        ("POST", "/webhooks", 404),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 503),
        ("GET", "/metrics", 200),
    ],
)
async def test_each_path_answers_its_own_method(sender: Sender, method: str, path: str, status: int) -> None:
    assert (await sender.request(method, path))[0] == status


async def test_ready_is_said_when_it_is_so() -> None:
    obstacles, troubles = ["starting", "the API refuses our key"], ["records wait"]

    async def webhook(_: web.Request) -> web.Response:
        return web.Response()

    metrics = Metrics()
    app = create_app(webhook=webhook, obstacles=lambda: obstacles, troubles=lambda: troubles, metrics=metrics)
    async with served(app, metrics) as port, ClientSession() as session:
        sender = Sender(port, session)
        assert await sender.request("GET", "/readyz") == (
            503,
            "not ready\nstarting\nthe API refuses our key\n",
        )
        obstacles.clear()
        assert await sender.request("GET", "/readyz") == (200, "ready\nrecords wait\n")


@pytest.mark.parametrize("path", ["/webhooks/openai/", "/", "/webhook/openai", "/healthz"])
async def test_a_webhook_at_another_path_is_told_and_counted(
    sender: Sender, metrics: Metrics, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    await sender.post_to(path)
    told = [(r.levelname, r.message, vars(r)["path"]) for r in caplog.records if r.name == "runner.serve.app"]
    assert told == [("WARNING", "webhook path not found", path)]
    assert counted(metrics) == {"wrong_path": 1.0}


async def test_a_stranger_who_looks_around_is_not_told(
    sender: Sender, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    assert await sender.request("GET", "/.env") == (404, "not found\n")
    assert (caplog.records, counted(metrics)) == ([], {})


async def test_a_long_path_is_cut_in_the_log(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    await sender.post_to("/" + "x" * 3000)
    (told,) = [vars(r)["path"] for r in caplog.records]
    assert told == "/" + "x" * 199
