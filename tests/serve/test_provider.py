"""What is asked of the voice API, and what each of its answers means."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from runner.errors import ProviderError
from runner.serve.provider import Answer, Provider, authentication
from runner.serve.timeouts import Timeouts

TIMEOUTS = Timeouts(attempt_s=9.0, decision_s=9.0, refer_s=9.0, hangup_s=9.0, retry_s=0.001)
IMPATIENT = replace(TIMEOUTS, attempt_s=0.4, decision_s=0.4, refer_s=0.4, hangup_s=0.4)

Says = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """Answers requests from a list, the last one for ever, and keeps what was asked."""

    def __init__(self) -> None:
        self.replies: list[Says] = [says(200)]
        self.asked: list[tuple[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.was_asked = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append((request.raw_path, json.loads(body) if body else None))
        self.headers.append(dict(request.headers))
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


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def provider(session: aiohttp.ClientSession, base_url: str) -> Provider:
    return Provider(session, base_url, lambda: "sk-test", TIMEOUTS)


@pytest.fixture
def impatient(session: aiohttp.ClientSession, base_url: str) -> Provider:
    return Provider(session, base_url, lambda: "sk-test", IMPATIENT)


async def test_each_request_goes_where_the_api_documents_it(provider: Provider, api: Api) -> None:
    assert await provider.accept("rtc_1", {"type": "realtime"}) is Answer.DONE
    assert await provider.reject("rtc_1", 486) is Answer.DONE
    await provider.refer("rtc_1", "tel:+14155550123")
    await provider.hangup("rtc_1")
    assert api.asked == [
        ("/v1/realtime/calls/rtc_1/accept", {"type": "realtime"}),
        ("/v1/realtime/calls/rtc_1/reject", {"status_code": 486}),
        ("/v1/realtime/calls/rtc_1/refer", {"target_uri": "tel:+14155550123"}),
        ("/v1/realtime/calls/rtc_1/hangup", None),
    ]
    assert {headers["Authorization"] for headers in api.headers} == {"Bearer sk-test"}


async def test_an_id_is_one_segment_of_the_path_whatever_it_holds(provider: Provider, api: Api) -> None:
    await provider.hangup("a/../b?c=d&e#f %é")
    assert api.asked == [("/v1/realtime/calls/a%2F..%2Fb%3Fc%3Dd%26e%23f%20%25%C3%A9/hangup", None)]


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?call_id=rtc_1%2B%26"),
        ("https://api.openai.com/v1/", "wss://api.openai.com/v1/realtime?call_id=rtc_1%2B%26"),
        ("HTTPS://api.openai.com/v1", "wss://api.openai.com/v1/realtime?call_id=rtc_1%2B%26"),
        ("http://127.0.0.1:9/v1", "ws://127.0.0.1:9/v1/realtime?call_id=rtc_1%2B%26"),
    ],
)
async def test_the_sideband_is_beside_the_rest(
    session: aiohttp.ClientSession, base_url: str, url: str
) -> None:
    assert Provider(session, base_url, lambda: "sk-test").sideband_url("rtc_1+&") == url


@pytest.mark.parametrize(
    ("base_url", "headers"),
    [
        ("https://api.openai.com/v1", {"Authorization": "Bearer k"}),
        ("https://maple.openai.azure.com/openai/v1", {"api-key": "k"}),
        ("https://MAPLE.OpenAI.Azure.com:443/openai/v1", {"api-key": "k"}),
        ("https://maple.openai.azure.com.example/v1", {"Authorization": "Bearer k"}),
        ("https://api.x.ai/v1", {"Authorization": "Bearer k"}),
    ],
)
def test_the_key_travels_as_the_host_wants_it(base_url: str, headers: dict[str, str]) -> None:
    assert authentication(base_url, "k") == headers


@pytest.mark.parametrize("trouble", [says(500), says(503), says(429), says(408), drops_the_line])
@pytest.mark.parametrize("action", ["accept", "reject", "hangup"])
async def test_passing_trouble_is_tried_again(
    provider: Provider, api: Api, trouble: Says, action: str
) -> None:
    api.replies = [trouble, trouble, says(200)]
    match action:
        case "accept":
            await provider.accept("rtc_1", {})
        case "reject":
            await provider.reject("rtc_1", 603)
        case _:
            await provider.hangup("rtc_1")
    assert [path for path, _ in api.asked] == [f"/v1/realtime/calls/rtc_1/{action}"] * 3


@pytest.mark.parametrize("trouble", [says(500), says(503), drops_the_line])
async def test_a_transfer_is_never_asked_for_twice(provider: Provider, api: Api, trouble: Says) -> None:
    api.replies = [trouble, says(200)]
    with pytest.raises(ProviderError):
        await provider.refer("rtc_1", "tel:+14155550123")
    assert len(api.asked) == 1


async def test_a_caller_who_has_gone_is_no_error(provider: Provider, api: Api) -> None:
    api.replies = [says(404, "call_id_not_found")]
    assert await provider.accept("rtc_1", {}) is Answer.GONE
    assert await provider.reject("rtc_1", 603) is Answer.GONE
    await provider.hangup("rtc_1")
    assert len(api.asked) == 3


@pytest.mark.parametrize("status", [400, 409])
async def test_a_call_that_another_has_taken_is_left_to_it(provider: Provider, api: Api, status: int) -> None:
    api.replies = [says(status, "decision_already_made")]
    assert await provider.accept("rtc_1", {}) is Answer.TAKEN


@pytest.mark.parametrize("trouble", [says(500), drops_the_line])
async def test_a_decision_whose_answer_was_lost_is_our_own(
    provider: Provider, api: Api, trouble: Says
) -> None:
    api.replies = [trouble, says(409, "decision_already_made")]
    assert await provider.accept("rtc_1", {}) is Answer.DONE


async def test_a_lost_answer_is_remembered_after_giving_up(impatient: Provider, api: Api) -> None:
    api.replies = [never_answers, says(409, "decision_already_made")]
    with pytest.raises(ProviderError):
        await impatient.accept("rtc_1", {})
    assert await impatient.accept("rtc_2", {}) is Answer.TAKEN
    assert await impatient.accept("rtc_1", {}) is Answer.DONE


async def test_a_decision_that_never_reached_the_api_is_not_ours(
    session: aiohttp.ClientSession, unused_tcp_port: int
) -> None:
    provider = Provider(session, f"http://127.0.0.1:{unused_tcp_port}/v1", lambda: "sk-test", IMPATIENT)
    with pytest.raises(ProviderError):
        await provider.accept("rtc_1", {})
    app = web.Application()
    app.router.add_post("/{path:.*}", says(409, "decision_already_made"))
    async with TestServer(app, host="127.0.0.1", port=unused_tcp_port):
        assert await provider.accept("rtc_1", {}) is Answer.TAKEN


@pytest.mark.parametrize(
    ("reply", "said", "status"),
    [
        (says(400), "was answered 400", 400),
        (
            says(400, "invalid_value", message="Invalid value: 'loud'.\nSupported: low."),
            "was answered 400 (invalid_value: Invalid value: 'loud'. Supported: low.)",
            400,
        ),
        (
            says(401, "invalid_api_key", message="Incorrect API key provided: sk-te**st."),
            "was answered 401 (invalid_api_key)",
            401,
        ),
        (says(302), "was answered 302", 302),
        (says(503, "overloaded"), "was answered 503 (overloaded)", 503),
        (never_answers, "did not reach the voice API (no answer in time)", None),
        (drops_the_line, "did not reach the voice API (Server disconnected)", None),
    ],
)
async def test_giving_up_says_why(
    impatient: Provider, api: Api, reply: Says, said: str, status: int | None
) -> None:
    api.replies = [reply]
    with pytest.raises(ProviderError) as caught:
        await impatient.accept("rtc_1", {})
    assert (str(caught.value), caught.value.status) == (f'accept of call "rtc_1" {said}', status)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"error": {"code": 5}}', b"[" * 99_999]
)
async def test_an_error_page_of_a_proxy_is_only_its_status(
    provider: Provider, api: Api, content: bytes
) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(status=400, body=content)

    api.replies = [page]
    with pytest.raises(ProviderError) as caught:
        await provider.refer("rtc_1", "tel:+1")
    assert str(caught.value) == 'refer of call "rtc_1" was answered 400'


async def test_a_redirect_does_not_get_the_key(provider: Provider, api: Api) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    api.replies = [elsewhere]
    with pytest.raises(ProviderError, match=r'^hangup of call "rtc_1" was answered 307$'):
        await provider.hangup("rtc_1")
    assert len(api.asked) == 1


async def test_a_host_that_is_not_there_is_a_provider_error(
    session: aiohttp.ClientSession, unused_tcp_port: int
) -> None:
    provider = Provider(session, f"http://127.0.0.1:{unused_tcp_port}/v1", lambda: "sk-test", IMPATIENT)
    with pytest.raises(
        ProviderError, match=r'^refer of call "rtc_1" did not reach the voice API \(Cannot connect'
    ):
        await provider.refer("rtc_1", "tel:+1")
    with pytest.raises(
        ProviderError, match=r'^accept of call "rtc_1" did not reach the voice API \(Cannot connect'
    ):
        await provider.accept("rtc_1", {})


async def test_giving_up_on_a_request_lets_cancellation_through(provider: Provider, api: Api) -> None:
    api.replies = [never_answers]
    task = asyncio.create_task(provider.hangup("rtc_1"))
    await api.was_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
