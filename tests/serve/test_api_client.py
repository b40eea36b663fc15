"""How long the client insists, what it remembers, and what it never does with the key."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from websockets.uri import parse_uri

from runner.api.port import Authentication, Order
from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.model.action import AnswerCall, HangUp, Refer, RejectCall
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    Decided,
    HangUpFailed,
    ReferAnswered,
    RejectReplied,
)
from runner.model.question import Answered, NoAnswer, Question
from runner.serve import api_connections
from runner.serve.api_client import ApiClient
from runner.serve.api_connections import ApiConnections
from runner.serve.jitter import jittered
from runner.serve.reply_body import MAX_REPLY_BYTES
from runner.serve.timeouts import Timeouts
from tests.api.realtime.agents import an_agent
from tests.patience import PATIENCE_S
from tests.serve.bodies_after_204 import BodiesAfter204

PATIENT = Timeouts(decision_s=PATIENCE_S, hangup_s=PATIENCE_S, question_s=PATIENCE_S, retry_s=0.001)
# The last attempt begins at half of the time, at the latest.
IMPATIENT = Timeouts(decision_s=1.5, hangup_s=1.5, question_s=1.5, retry_s=0.05)

ANSWER = AnswerCall(agent=an_agent(), instructions="Be brief.")
REJECT = RejectCall(status=486)
OVERLOADED = "the voice API answered 503 (overloaded)"
REFER = Refer(target="tel:+14155550123")
QUESTION = Question(model="gpt-5.5", instructions="Fill in the form.", text="agent: Hello.", schema={})

Says = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """Answers requests from a list, the last one for ever, and keeps what was asked."""

    def __init__(self) -> None:
        self.replies: list[Says] = [says(200)]
        self.asked: list[tuple[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.asked_at: list[float] = []
        self.was_asked = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append((request.raw_path, json.loads(body) if body else None))
        self.headers.append(dict(request.headers))
        self.asked_at.append(asyncio.get_running_loop().time())
        self.was_asked.set()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return await reply(request)


def says(status: int, code: str | None = None, **more: Any) -> Says:
    async def reply(_: web.Request) -> web.Response:
        return web.json_response({"error": {"code": code, **more}} if code else None, status=status)

    return reply


async def drops_the_line(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def breaks_off(status: int, *, in_chunks: bool = False) -> Says:
    framing = b"Transfer-Encoding: chunked\r\n\r\n5\r\n{" if in_chunks else b"Content-Length: 5\r\n\r\n{"

    async def reply(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        location = b"Location: /v1/realtime/calls/rtc_w1\r\n"
        request.transport.write(b"HTTP/1.1 %d What\r\n%b%b" % (status, location, framing))
        request.transport.close()
        return web.Response()

    return reply


async def talks_nonsense(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"sk-secret\xff" * 100)
    request.transport.close()
    return web.Response()


async def never_answers(_: web.Request) -> web.StreamResponse:
    return await asyncio.Future()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def base_url(api: Api) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/v1"))


def client_of(
    base_url: str,
    timeouts: Timeouts = PATIENT,
    authentication: Authentication | None = None,
    api_key: Callable[[], str] = lambda: "sk-test",
) -> ApiClient:
    return ApiClient(
        ApiConnections(base_url),
        api=realtime,
        text_model=text_model,
        api_key=api_key,
        authentication=authentication,
        timeouts=timeouts,
    )


@pytest.fixture
async def client(base_url: str) -> ApiClient:
    return client_of(base_url)


@pytest.fixture
async def impatient(base_url: str) -> ApiClient:
    return client_of(base_url, IMPATIENT)


async def test_what_the_port_makes_is_sent_with_the_key(client: ApiClient, api: Api) -> None:
    assert await client.carry_out(REJECT, "rtc_1") == RejectReplied(decided=Decided.DONE)
    assert await client.carry_out(REFER, "rtc_1/2") == ReferAnswered(ok=True)
    assert await client.carry_out(HangUp(), "rtc_1") == CallGone()
    assert api.asked == [
        ("/v1/realtime/calls/rtc_1/reject", {"status_code": 486}),
        ("/v1/realtime/calls/rtc_1%2F2/refer", {"target_uri": "tel:+14155550123"}),
        ("/v1/realtime/calls/rtc_1/hangup", None),
    ]
    assert {headers["Authorization"] for headers in api.headers} == {"Bearer sk-test"}
    assert [headers.get("Content-Type") for headers in api.headers[:2]] == ["application/json"] * 2


async def test_the_key_travels_as_it_is_declared(base_url: str, api: Api) -> None:
    authentication = Authentication.by("api-key")
    client = client_of(base_url, authentication=authentication)
    await client.carry_out(HangUp(), "rtc_1")
    [headers] = api.headers
    assert (headers["api-key"], "Authorization" in headers) == ("sk-test", False)
    assert client.sideband("/x")[1] == {"api-key": "sk-test"}


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.example/v1", "wss://api.example/v1/realtime?call_id=rtc_1%2B%26"),
        ("https://api.example/v1/", "wss://api.example/v1/realtime?call_id=rtc_1%2B%26"),
        ("HTTPS://api.example/v1", "wss://api.example/v1/realtime?call_id=rtc_1%2B%26"),
        ("http://127.0.0.1:9/v1", "ws://127.0.0.1:9/v1/realtime?call_id=rtc_1%2B%26"),
        ("http://api.example", "ws://api.example/realtime?call_id=rtc_1%2B%26"),
        ("http://[::1]:9/v1", "ws://[::1]:9/v1/realtime?call_id=rtc_1%2B%26"),
        ("https://müller.example/v1", "wss://xn--mller-kva.example/v1/realtime?call_id=rtc_1%2B%26"),
    ],
)
async def test_the_sideband_is_beside_the_rest(base_url: str, url: str) -> None:
    path = realtime.conversation("rtc_1+&").sideband
    assert client_of(base_url).sideband(path) == (parse_uri(url), {"Authorization": "Bearer sk-test"})


@pytest.mark.parametrize("trouble", [says(500), says(503), says(429), says(408), drops_the_line])
@pytest.mark.parametrize(
    ("order", "event"),
    [
        (ANSWER, AnswerReplied(decided=Decided.DONE)),
        (REJECT, RejectReplied(decided=Decided.DONE)),
        (HangUp(), CallGone()),
    ],
)
async def test_passing_trouble_is_tried_again(
    client: ApiClient, api: Api, trouble: Says, order: Order, event: CallEvent
) -> None:
    api.replies = [trouble, trouble, says(200)]
    assert await client.carry_out(order, "rtc_1") == event
    assert len(api.asked) == 3


@pytest.mark.parametrize("order", [ANSWER, REJECT, HangUp()])
async def test_before_each_further_try_there_is_a_longer_wait(base_url: str, api: Api, order: Order) -> None:
    client = client_of(base_url, replace(PATIENT, retry_s=0.04))
    api.replies = [says(503), says(503), says(200)]
    await client.carry_out(order, "rtc_1")
    first, second, third = api.asked_at
    assert second - first >= jittered(0.04, "rtc_1", 1)
    assert third - second >= jittered(0.08, "rtc_1", 2)


async def test_a_body_where_there_may_be_none_does_not_undo_what_the_api_did() -> None:
    async with BodiesAfter204.served() as odd:
        client = client_of(odd.base_url, IMPATIENT)
        assert await client.carry_out(HangUp(), "rtc_1") == CallGone()
    assert odd.asked == 1


async def test_each_failed_try_is_told(client: ApiClient, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.replies = [says(503, "overloaded"), drops_the_line, says(200)]
    await client.carry_out(HangUp(), "rtc_1")
    lost = "the voice API could not be reached (the connection was closed without a reply)"
    assert [
        (
            r.levelno,
            r.message,
            *(r.__dict__[key] for key in ("call_id", "order", "attempt", "status", "detail")),
        )
        for r in caplog.records
    ] == [
        (logging.WARNING, "api request failed", "rtc_1", "hang-up", 1, 503, OVERLOADED),
        (logging.WARNING, "api request failed", "rtc_1", "hang-up", 2, None, lost),
    ]


@pytest.mark.parametrize("trouble", [says(500), says(503), drops_the_line])
async def test_a_transfer_is_never_asked_for_twice(client: ApiClient, api: Api, trouble: Says) -> None:
    api.replies = [trouble, says(200)]
    answered = await client.carry_out(REFER, "rtc_1")
    assert isinstance(answered, ReferAnswered)
    assert not answered.ok
    assert len(api.asked) == 1


async def test_a_transfer_does_not_fail_with_a_connection_that_the_api_was_closing(
    client: ApiClient, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_connections, "FRESH_S", 0.0)
    kept: list[object] = []

    async def drops_a_kept_line(request: web.Request) -> web.StreamResponse:
        kept.append(request.transport)
        return await (drops_the_line if kept.index(request.transport) < len(kept) - 1 else says(200))(request)

    api.replies = [drops_a_kept_line, drops_a_kept_line]
    assert await client.carry_out(REJECT, "rtc_2") == RejectReplied(decided=Decided.DONE)
    assert await client.carry_out(REFER, "rtc_1") == ReferAnswered(ok=True)


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize(
    ("order", "event"),
    [
        (REFER, ReferAnswered(ok=True)),
        (HangUp(), CallGone()),
        (ANSWER, AnswerReplied(decided=Decided.DONE)),
        (REJECT, RejectReplied(decided=Decided.DONE)),
    ],
)
async def test_what_the_api_has_done_is_done_although_its_reply_breaks_off(
    client: ApiClient, api: Api, order: Order, event: CallEvent, in_chunks: bool
) -> None:
    api.replies = [breaks_off(200, in_chunks=in_chunks), says(404)]
    assert await client.carry_out(order, "rtc_1") == event
    assert len(api.asked) == 1


async def test_a_refusal_that_breaks_off_is_asked_for_again_except_of_a_transfer(
    client: ApiClient, api: Api
) -> None:
    api.replies = [breaks_off(409), says(409, "decision_already_made")]
    assert await decided(client, "rtc_1") is Decided.DONE_BEFORE
    api.replies = [breaks_off(409), says(200)]
    refused = ReferAnswered(ok=False, detail="the voice API answered 409")
    assert await client.carry_out(REFER, "rtc_1") == refused


@pytest.mark.parametrize("trouble", [says(500), drops_the_line])
async def test_a_decision_whose_reply_was_lost_is_our_own(client: ApiClient, api: Api, trouble: Says) -> None:
    api.replies = [trouble, says(409, "decision_already_made")]
    answered = await client.carry_out(ANSWER, "rtc_1")
    assert isinstance(answered, AnswerReplied)
    assert answered.decided is Decided.DONE_BEFORE


async def decided(client: ApiClient, call_id: str) -> Decided:
    answered = await client.carry_out(ANSWER, call_id)
    assert isinstance(answered, AnswerReplied)
    return answered.decided


async def test_a_lost_reply_is_remembered_after_giving_up(impatient: ApiClient, api: Api) -> None:
    api.replies = [never_answers, says(409, "decision_already_made")]
    assert await decided(impatient, "rtc_1") is Decided.UNAVAILABLE
    assert await decided(impatient, "rtc_2") is Decided.TAKEN
    assert await decided(impatient, "rtc_1") is Decided.DONE_BEFORE


async def test_a_decision_that_never_reached_the_api_is_not_ours(held_port: int) -> None:
    client = client_of(f"http://127.0.0.1:{held_port}/v1", IMPATIENT)
    assert await decided(client, "rtc_1") is Decided.UNAVAILABLE
    app = web.Application()
    app.router.add_post("/{path:.*}", says(409, "decision_already_made"))
    async with TestServer(app, host="127.0.0.1", port=held_port):
        assert await decided(client, "rtc_1") is Decided.TAKEN


@pytest.mark.parametrize(
    ("reply", "event"),
    [
        (says(400), HangUpFailed(detail="the voice API answered 400", final=True)),
        (says(503), HangUpFailed(detail="the voice API answered 503")),
        (never_answers, HangUpFailed(detail="the voice API could not be reached (no reply in time)")),
        (
            drops_the_line,
            HangUpFailed(
                detail="the voice API could not be reached (the connection was closed without a reply)"
            ),
        ),
        (talks_nonsense, HangUpFailed(detail="the voice API could not be reached (the reply is not HTTP)")),
    ],
)
async def test_giving_up_says_why(impatient: ApiClient, api: Api, reply: Says, event: CallEvent) -> None:
    api.replies = [reply]
    assert await impatient.carry_out(HangUp(), "rtc_1") == event


async def test_a_redirect_does_not_get_the_key(client: ApiClient, api: Api) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    api.replies = [elsewhere]
    assert await client.carry_out(HangUp(), "rtc_1") == HangUpFailed(
        detail="the voice API answered 307", final=True
    )
    assert len(api.asked) == 1


async def test_a_host_that_is_not_there_is_no_exception(held_port: int) -> None:
    client = client_of(f"http://127.0.0.1:{held_port}/v1", IMPATIENT)
    for order in (REFER, HangUp()):
        event = await client.carry_out(order, "rtc_1")
        assert isinstance(event, ReferAnswered | HangUpFailed)
        assert event.detail.startswith("the voice API could not be reached (cannot connect to 127.0.0.1:")


async def test_a_key_that_no_header_can_hold_is_no_exception(base_url: str, api: Api) -> None:
    client = client_of(base_url, IMPATIENT, api_key=lambda: "sk-test\nX: y")
    assert await client.carry_out(REFER, "rtc_1") == ReferAnswered(
        ok=False, detail="the voice API could not be reached (ValueError)"
    )
    assert api.asked == []


async def test_giving_up_on_a_request_lets_cancellation_through(client: ApiClient, api: Api) -> None:
    api.replies = [never_answers]
    task = asyncio.create_task(client.carry_out(HangUp(), "rtc_1"))
    await api.was_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_text_model_is_asked_once_whatever_it_says(client: ApiClient, api: Api) -> None:
    api.replies = [says(503), says(200)]
    assert await client.ask(QUESTION) == NoAnswer(error="the API answered 503")
    [(path, body)] = api.asked
    assert (path, body["model"], body["input"]) == ("/v1/responses", "gpt-5.5", "agent: Hello.")


async def test_the_answer_of_the_text_model_is_read(client: ApiClient, api: Api) -> None:
    async def completed(_: web.Request) -> web.Response:
        content = [{"type": "output_text", "text": "{}"}]
        return web.json_response({"status": "completed", "output": [{"type": "message", "content": content}]})

    api.replies = [completed]
    assert await client.ask(QUESTION) == Answered(value={})


async def test_a_text_model_that_does_not_answer_is_given_up(impatient: ApiClient, api: Api) -> None:
    api.replies = [never_answers]
    assert await impatient.ask(QUESTION) == NoAnswer(error="no reply in time")


async def test_a_refused_key_counts_as_refused_until_it_changes_or_works_or_a_while_has_passed(
    base_url: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ["sk-1"]
    client = client_of(base_url, api_key=lambda: keys[0])
    seen = [client.obstacle]

    async def asks(status: int, order: Order = REFER) -> None:
        api.replies = [says(status)]
        await client.carry_out(order, "rtc_1")
        seen.append(client.obstacle)

    await asks(403, HangUp())
    refusal = seen[-1]
    assert refusal == (
        "the voice API refuses our key (403); provider.api_key has to be a valid key of the project whose"
        " webhooks arrive here, with access to Realtime"
    )
    keys[0] = "sk-2"
    seen.append(client.obstacle)
    keys[0] = "sk-1"
    await asks(403)  # A carrier refuses a transfer, which says nothing about the key.
    await asks(503)  # Nor does trouble of the API.
    await asks(200)
    await asks(403)
    await asks(401)
    monkeypatch.setattr("runner.serve.api_client.REFUSED_S", 0.0)
    seen.append(client.obstacle)
    by_401 = refusal.replace("403", "401")
    assert seen == [None, refusal, None, refusal, refusal, None, None, by_401, None]


async def test_a_reply_of_the_api_is_bounded_too(client: ApiClient, api: Api) -> None:
    async def floods(_: web.Request) -> web.Response:
        return web.Response(body=bytes(MAX_REPLY_BYTES + 1))

    api.replies = [floods]
    assert await client.ask(QUESTION) == NoAnswer(error="the reply is longer than 1048576 bytes")


async def test_a_refused_key_is_sent_once_and_another_delivery_may_find_a_better_one(
    client: ApiClient, api: Api
) -> None:
    api.replies = [says(401, "invalid_api_key")]
    for order in (ANSWER, REJECT):
        event = await client.carry_out(order, "rtc_1")
        assert isinstance(event, AnswerReplied | RejectReplied)
        assert event.decided is Decided.UNAVAILABLE
    assert len(api.asked) == 2
