"""Calls from browsers, through a whole runner and the stand-in: who may, in which order, and what follows."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from runner.call.browser.token import read_token
from runner.call.templates.template import compile_template
from runner.errors import CannotRunError
from runner.model.agent import Agent, Limits, Say
from runner.model.call import Transport, WebRtcOrigin
from runner.model.live_call import FleetCall, HeldCall, RunnerInfo
from runner.model.live_call import Limits as Claimed
from runner.model.route import Conditions, Glob, Route
from runner.model.settings import Browser, Configuration, Provider, SecretRef, Server, Settings
from runner.model.tool import StaticBinding, Tool
from runner.model.values import Place
from runner.serve.browser import admission, live_pages
from runner.serve.browser.admission import call_id_of
from runner.serve.browser.live_pages import MOST_READERS
from runner.serve.browser.peers import FORWARDED
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.serve.timeouts import Timeouts
from runner.standin import web_calls
from runner.standin.faults import Faults, HttpFault
from runner.standin.placed_call import RestReply, State
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.server import AnswerOffer, StandIn
from runner.standin.webhook import new_secret
from tests.call.machine.playing import RINGING
from tests.patience import PATIENCE_S
from tests.standin.openai_types import client_complaint, server_complaint
from tests.store.engines import call_record

OFFER = (Path(__file__).parents[2] / "data" / "offers" / "chromium.sdp").read_text()
SITE = "https://www.maple.example"
SECRET = "a secret of the backend's that is long enough"
TIMEOUTS = Timeouts(decision_s=4.0, retry_s=0.001, end_s=5.0, attach_delays_s=(0.0, 0.01, 0.01))
PLACE = Place("desk.yaml", 3, 5)


def token(**claims: Any) -> str:
    said = {
        "aud": "phone-agents",
        "exp": time.time() + 60,
        "sub": "user-1",
        "jti": "t1",
        "agent": "desk",
        **claims,
    }
    return jwt.encode(said, SECRET, algorithm="HS256")


def an_agent(agent_id: str = "desk", **fields: Any) -> Agent:
    conditions = fields.pop("conditions", Conditions(transport=Transport.WEBRTC))
    return Agent(
        **{
            "id": agent_id,
            "model": "gpt-realtime-2.1",
            "instructions": compile_template("Be kind to {{ vars.plan }} callers."),
            "vars": {"plan": compile_template("all")},
            "session": {"audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}},
            "greeting": Say(text=compile_template("Hello.")),
            "routes": (Route(agent=agent_id, conditions=conditions, place=PLACE),),
            "place": PLACE,
            **fields,
        }
    )


class Page:
    """A page of a site, which asks the runner."""

    def __init__(self, api: StandIn, runner: Runner, session: aiohttp.ClientSession) -> None:
        self.api = api
        self.runner = runner
        self.session = session

    async def ask(
        self,
        path: str,
        body: str | bytes = "",
        *,
        bearer: str | None = None,
        method: str = "POST",
        **headers: str,
    ) -> tuple[int, str, Mapping[str, str]]:
        sent = {"Origin": SITE, "Content-Type": "application/sdp"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        url = self.runner.url + path
        async with self.session.request(method, url, data=body, headers=sent) as response:
            return response.status, await response.text(), response.headers

    async def calls(self, path: str = "/calls", body: str = OFFER, **claims: Any) -> tuple[int, str, str]:
        """Status, code of a refusal or the answer, and where the call is."""
        status, text, headers = await self.ask(path, body, bearer=token(**claims))
        return status, text if status == 201 else json.loads(text)["code"], headers.get("Location", "")

    async def record(self, location: str) -> dict[str, Any]:
        assert self.runner.service is not None
        store = self.runner.service.storage.store
        async with asyncio.timeout(PATIENCE_S):
            while (stored := await store.read(location.rpartition("/")[2])) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return dict(stored.record)


@asynccontextmanager
async def site(
    tmp_path: Path,
    *agents: Agent,
    is_dev: bool = False,
    answer_offer: AnswerOffer | None = None,
    **browser: Any,
) -> AsyncIterator[Page]:
    async with StandIn(
        inspect_received=client_complaint, inspect_sent=server_complaint, answer_offer=answer_offer
    ) as api:
        settings = Settings(
            provider=Provider(base_url=api.base_url),
            server=Server(
                port=0, browser=Browser(**{"secret": SecretRef(env="S"), "origins": (SITE,), **browser})
            ),
            store=f"sqlite:{tmp_path / 'calls.db'}",
        )
        served = agents or (an_agent(),)
        configuration = Configuration(
            directory="agents", settings=settings, agents={agent.id: agent for agent in served}
        )
        secrets = FoundSecrets.fixed(
            api_key=api.api_key, webhook_secrets=[new_secret()], tools={}, browser=SECRET
        )
        runner = Runner(configuration, secrets, timeouts=TIMEOUTS, is_dev=is_dev)
        async with aiohttp.ClientSession() as session:
            try:
                await runner.start()
                yield Page(api, runner, session)
            finally:
                await runner.close()


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with site(tmp_path) as made:
        yield made


@pytest.fixture
async def open_page(tmp_path: Path) -> AsyncIterator[Page]:
    """Of a site whose pages may have a data channel."""
    async with site(tmp_path, has_data_channel=True) as made:
        yield made


async def test_a_browser_gets_its_answer_and_the_agent_greets_once_it_is_heard(page: Page) -> None:
    call = page.api.expect_offer(greets())
    status, answer, location = await page.calls()
    assert status == 201
    assert answer.endswith(
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
    )
    assert location.startswith("/calls/web_")
    assert "m=application" not in call.offer
    assert call.attached == 1
    assert "response.create" not in call.received_types()
    assert (await page.ask(f"{location}/connected", bearer=token()))[0] == 204
    await page.api.until(lambda: "response.create" in call.received_types())
    assert call.violations == []


async def test_there_is_a_page_for_each_agent_and_strangers_learn_no_names(page: Page) -> None:
    status, text, headers = await page.ask("/talk/desk", method="GET")
    assert (status, text[:15]) == (200, "<!doctype html>")
    assert "trusted-types 'none'" in headers["Content-Security-Policy"]
    status, text, headers = await page.ask("/talk/desc", method="GET")
    assert (status, text) == (404, 'there is no agent "desc"\n')
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_the_caller_hangs_up_by_a_beacon_whose_body_is_the_token(page: Page) -> None:
    call = page.api.expect_offer(greets())
    _, _, location = await page.calls()
    status, _, _ = await page.ask(
        f"{location}/hangup", token(exp=time.time() - 600), Content_Type="text/plain"
    )
    assert status == 204
    await page.api.until_over(call)
    record = await page.record(location)
    assert (record["ended"], record["caller"], record["transport"]) == (
        "caller_hung_up",
        "web:user-1",
        "webrtc",
    )
    assert [request.action for request in call.requests] == ["create", "hangup"]


async def test_a_call_that_ends_at_the_api_is_recorded_like_any_other(page: Page) -> None:
    call = page.api.expect_offer(greets(), CallerSays(text="Hi."), says("Hello!"), CallerHangsUp())
    _, _, location = await page.calls()
    await page.ask(f"{location}/connected", bearer=token())
    await page.api.until_over(call)
    record = await page.record(location)
    assert [turn["text"] for turn in record["turns"]] == ["Hello.", "Hi.", "Hello!"]
    assert (await page.ask(f"{location}/hangup", bearer=token()))[0] == 404


OTHER_PORT = f"{SITE}:8443"
REFUSED: Mapping[str, tuple[dict[str, Any], dict[str, str], int, str]] = {
    "no origin": ({}, {"Origin": ""}, 403, "origin_missing"),
    "the origin of a file": ({}, {"Origin": "null"}, 403, "origin_refused"),
    "a foreign origin": ({}, {"Origin": "https://evil.example"}, 403, "origin_refused"),
    "an origin that begins like ours": ({}, {"Origin": SITE + ".evil.example"}, 403, "origin_refused"),
    "an origin at another port": ({}, {"Origin": OTHER_PORT}, 403, "origin_refused"),
    "an origin without tls": ({}, {"Origin": SITE.replace("https", "http")}, 403, "origin_refused"),
    "an origin below ours": ({}, {"Origin": "https://a.www.maple.example"}, 403, "origin_refused"),
    "an origin above ours": ({}, {"Origin": "https://maple.example"}, 403, "origin_refused"),
    "a forged token": ({"signature": "x"}, {}, 401, "token_signature"),
    "no token": ({"none": 1}, {}, 401, "token_missing"),
    "an old token": ({"exp": 1}, {}, 401, "token_expired"),
    "another audience": ({"aud": "x"}, {}, 401, "token_audience"),
    "an agent that the token does not name": ({"agent": "sales"}, {}, 403, "agent_not_allowed"),
    "an agent that there is not": ({"agent": "nobody", "path": "/calls"}, {}, 403, "no_route"),
    "several agents": ({"agents": ["desk", "sales"], "path": "/calls"}, {}, 400, "which_agent"),
    "a variable that is not declared": ({"vars": {"x": 1}}, {}, 403, "vars_not_declared"),
    "another kind of body": ({}, {"Content_Type": "text/plain"}, 415, "content_type"),
    "an offer that is none": ({"body": "hello"}, {}, 400, "offer_refused"),
    "an offer with a camera": (
        {"body": OFFER + "m=video 9 UDP/TLS/RTP/SAVPF 96\n"},
        {},
        400,
        "offer_refused",
    ),
    "an offer that is too long": ({"body": OFFER + "a=x\n" * 20_000}, {}, 413, "offer_too_large"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_each_refusal_has_its_reason(page: Page, case: str) -> None:
    claims, headers, status, code = REFUSED[case]
    claims = dict(claims)
    path, body = claims.pop("path", "/calls?agent=desk"), claims.pop("body", OFFER)
    bearer = token(**{name: value for name, value in claims.items() if name not in ("signature", "none")})
    if "agents" in claims:
        bearer = jwt.encode(
            {**jwt.decode(bearer, options={"verify_signature": False}), "agent": None}, SECRET
        )
        said = jwt.decode(bearer, options={"verify_signature": False})
        del said["agent"]
        bearer = jwt.encode(said, SECRET)
    if "signature" in claims:
        bearer = jwt.encode(jwt.decode(bearer, options={"verify_signature": False}), SECRET[::-1])
    found, text, _ = await page.ask(path, body, bearer=None if "none" in claims else bearer, **headers)
    problem = json.loads(text)
    assert (found, problem["code"]) == (status, code)
    assert problem["detail"]
    assert page.api.calls == {}


async def test_an_offer_that_comes_too_slowly_is_refused(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "BODY_S", 0.05)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"v=0\r\n"
        await asyncio.sleep(5)

    headers = {"Origin": SITE, "Content-Type": "application/sdp", "Authorization": f"Bearer {token()}"}
    url = f"{page.runner.url}/calls"
    async with page.session.post(url, data=slowly(), headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (408, "too_slow")


async def test_an_offer_that_the_api_refuses_fails_and_the_log_says_once_what_may_be_the_cause(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    for jti in ("t1", "t2"):
        page.api.expect_offer(faults=Faults(create=(HttpFault(status=400),)))
        assert (await page.calls(jti=jti))[:2] == (502, "failed")
    assert [record.message for record in caplog.records].count("call from a browser failed") == 1


async def test_no_calls_are_taken_by_a_runner_that_is_about_to_end(open_page: Page) -> None:
    page = open_page
    await page.runner.drain(asyncio.Event())
    for path in ("/calls", "/client-secrets", "/calls/rtc_1/attach"):
        status, text, headers = await page.ask(path, OFFER, bearer=token())
        assert (status, json.loads(text)["code"], headers["Retry-After"]) == (503, "no_room", "5")


@pytest.mark.parametrize("path", ["/client-secrets", "/calls/rtc_1/attach"])
async def test_who_may_not_call_may_not_call_by_itself_either(open_page: Page, path: str) -> None:
    page = open_page
    asked: list[tuple[str | None, dict[str, str], str]] = [
        (token(), {"Origin": ""}, "origin_missing"),
        (token(), {"Origin": "https://evil.example"}, "origin_refused"),
        (None, {}, "token_missing"),
        (token(exp=1), {}, "token_expired"),
        (token(vars={"x": 1}), {}, "vars_not_declared"),
        (token(agent="nobody"), {}, "no_route"),
    ]
    for bearer, headers, code in asked:
        assert json.loads((await page.ask(path, bearer=bearer, **headers))[1])["code"] == code
    assert (
        json.loads((await page.ask(f"{path}?agent=sales", bearer=token()))[1])["code"] == "agent_not_allowed"
    )
    codes = [json.loads((await page.ask(path, bearer=token(exp=1)))[1])["code"] for _ in range(60)]
    assert codes[-1] == "too_many_calls"
    assert (page.api.calls, page.api.secrets) == ({}, {})


@pytest.mark.parametrize("api_call", ["x" * 201, "%2E%2E", "a%2Fb", "a%20b", "a%0Ab", "%C3%A9"])
async def test_an_id_that_the_api_would_not_make_is_refused(page: Page, api_call: str) -> None:
    url = URL(f"{page.runner.url}/calls/{api_call}/attach", encoded=True)
    headers = {"Origin": SITE, "Authorization": f"Bearer {token()}"}
    async with page.session.post(url, headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (400, "call_id")


async def test_a_call_that_the_api_does_not_have_is_not_attached(page: Page) -> None:
    over = page.api.place_call()
    over.state = State.OVER
    for jti, api_call in (("t1", "rtc_nobody"), ("t2", over.id)):
        status, text, _ = await page.ask(f"/calls/{api_call}/attach", bearer=token(jti=jti))
        assert (status, json.loads(text)["code"]) == (404, "no_call")


async def test_a_page_gets_no_secret_where_its_data_channel_is_closed(page: Page) -> None:
    status, text, _ = await page.ask("/client-secrets", bearer=token())
    assert (status, json.loads(text)["code"]) == (403, "data_channel_closed")
    assert page.api.secrets == {}


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (400, (502, "failed")),
        (404, (502, "failed")),
        (401, (503, "api_unavailable")),
        (403, (503, "api_unavailable")),
        (429, (503, "api_unavailable")),
        (500, (503, "api_unavailable")),
        (None, (503, "api_unavailable")),
        # Without a Location, nobody can serve the call that was made.
        (200, (502, "failed")),
    ],
)
async def test_what_a_page_gets_when_the_api_does_not_take_its_offer(
    page: Page, status: int | None, found: tuple[int, str]
) -> None:
    page.api.expect_offer(faults=Faults(create=(HttpFault(status=status),)))
    assert (await page.calls())[:2] == found


@pytest.mark.parametrize("more", ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "<html>"])
async def test_an_answer_to_something_else_hangs_up_the_call_and_reaches_no_browser(
    tmp_path: Path, more: str
) -> None:
    async def answer(*_: object) -> str:
        return web_calls.ANSWER + more

    async with site(tmp_path, answer_offer=answer) as page:
        call = page.api.expect_offer(greets())
        assert (await page.calls())[:2] == (502, "failed")
        await page.api.until_over(call)
        assert [request.action for request in call.requests] == ["create", "hangup"]


async def test_a_call_whose_page_goes_before_its_answer_is_hung_up(tmp_path: Path) -> None:
    is_asked, has_gone = asyncio.Event(), asyncio.Event()

    async def answer(*_: object) -> str:
        is_asked.set()
        await has_gone.wait()
        return web_calls.ANSWER

    async with site(tmp_path, answer_offer=answer) as page:
        call = page.api.expect_offer(greets())
        asking = asyncio.create_task(page.calls())
        await is_asked.wait()
        asking.cancel()
        await asyncio.wait([asking])
        has_gone.set()
        await page.api.until_over(call)
        assert [request.action for request in call.requests] == ["create", "hangup"]


async def test_two_offers_at_once_over_the_limit_of_their_caller_are_one_call(page: Page) -> None:
    for number in range(9):
        assert (await page.calls(jti=f"t{number}", body="x"))[1] == "offer_refused"
    page.api.expect_offer(greets())
    found = await asyncio.gather(page.calls(jti="t10"), page.calls(jti="t11"))
    assert sorted(status for status, _, _ in found) == [201, 429]


async def test_one_token_in_two_offers_at_once_is_one_call(page: Page) -> None:
    page.api.expect_offer(greets())
    found = await asyncio.gather(page.calls(), page.calls())
    assert sorted(status for status, _, _ in found) == [201, 409]
    assert len(page.api.calls) == 1


async def test_a_secret_that_the_api_does_not_make_is_told(open_page: Page) -> None:
    page = open_page
    page.api.account.refusal = RestReply(429, {"error": {"code": "insufficient_quota"}})
    status, text, _ = await page.ask("/client-secrets", bearer=token())
    assert (status, json.loads(text)["code"]) == (503, "api_unavailable")


async def test_a_call_of_another_page_or_of_a_telephone_is_not_attached(page: Page) -> None:
    call = page.api.expect_offer(greets())
    assert (await page.calls())[0] == 201
    status, text, _ = await page.ask(f"/calls/{call.id}/attach", bearer=token(sub="user-2"))
    assert (status, json.loads(text)["code"]) == (409, "call_taken")
    assert call.attached == 1


async def a_call_of_a_lost_runner(page: Page, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its id. Nobody takes it over."""
    service = page.runner.service
    assert service is not None
    assert service.fleet.member.lease is not None
    call_id = call_id_of(read_token(token(), SECRET, time.time()))
    held = HeldCall(id=call_id, agent="desk", configuration="c1", began_at=time.time())
    lost = replace(service.fleet.member.lease, runner="lost")

    async def nothing() -> None:
        """As if it were another runner's to take."""

    monkeypatch.setattr(service.fleet.member, "take_over", nothing)
    await service.storage.store.claim(lost, held, Claimed())
    return call_id


async def test_a_call_that_nobody_serves_is_waited_for_and_then_cannot_be_reached(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await a_call_of_a_lost_runner(page, monkeypatch)
    monkeypatch.setattr(live_pages, "BETWEEN_S", 0.02)
    monkeypatch.setattr(live_pages, "AGAIN_S", 0.01)
    status, text, headers = await page.ask(f"/calls/{call_id}/hangup", bearer=token())
    assert (status, json.loads(text)["code"], headers["Retry-After"]) == (503, "call_unreachable", "5")


async def test_a_call_that_is_taken_up_and_over_before_it_is_looked_for_again_has_ended_for_its_page(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await a_call_of_a_lost_runner(page, monkeypatch)
    headers = {"Origin": SITE, "Authorization": f"Bearer {token()}"}
    url = f"{page.runner.url}/calls/{call_id}/events"
    async with page.session.get(url, headers=headers) as response, asyncio.timeout(PATIENCE_S):
        assert page.runner._browser is not None
        origin = WebRtcOrigin(subject="user-1", agent="desk")
        (watch,) = page.runner._browser.pages.watches(replace(RINGING, call_id=call_id, origin=origin))
        watch.ends(call_record(call_id, ended="caller_hung_up"), time.time())
        (told,) = [line async for line in response.content if line.startswith(b"data: ")]
    assert json.loads(told[6:])["ended"] == "caller_hung_up"


async def test_a_call_that_another_runner_has_taken_has_not_ended_for_its_page(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_pages, "BETWEEN_S", 0.5)
    service = page.runner.service
    assert service is not None
    page.api.expect_offer(greets())
    _, _, location = await page.calls()
    headers = {"Origin": SITE, "Authorization": f"Bearer {token()}"}
    async with page.session.get(f"{page.runner.url}{location}/events", headers=headers) as response:
        text = await response.content.readline()
        service.live_calls.drop(location.rpartition("/")[2])
        text += await response.content.read()
    states = [json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: ")]
    assert {state["ended"] for state in states} == {""}


async def test_a_page_follows_its_call_to_the_runner_that_has_taken_it(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = page.runner.service
    assert service is not None
    assert service.fleet.member.lease is not None
    store, lease = service.storage.store, service.fleet.member.lease
    page.api.expect_offer(greets())
    _, _, location = await page.calls()
    call_id = location.rpartition("/")[2]
    asked: list[tuple[str, str, bool]] = []

    async def events(request: web.Request) -> web.Response:
        headers = request.headers
        asked.append((request.path, headers["Authorization"], FORWARDED in headers))
        return web.Response(body=b':\n\ndata: {"turns": [], "ended": "hangup"}\n\n')

    async def nothing() -> None:
        """The other runner is quicker."""

    monkeypatch.setattr(service.fleet.member, "take_over", nothing)
    other = web.Application()
    other.router.add_get("/{rest:.*}", events)
    bearer = f"Bearer {token()}"
    async with (
        TestServer(other) as there,
        page.session.get(
            f"{page.runner.url}{location}/events", headers={"Origin": SITE, "Authorization": bearer}
        ) as response,
    ):
        assert (await response.content.readline()).startswith(b"data: ")

        async def live_call(call_id: str) -> FleetCall | None:
            """SQLite has one runner, and no address of another."""
            found = await held(call_id)
            return found and replace(found, page_address=str(there.make_url("")).rstrip("/"))

        held = store.live_call
        monkeypatch.setattr(store, "live_call", live_call)
        taken = await store.join(RunnerInfo(id="other", version="1", configuration="c"), 60)
        await store.hand_over(lease, [call_id])
        assert [held.id for held in await store.take_over(taken)] == [call_id]
        service.live_calls.drop(call_id)
        async for line in response.content:
            if b'"ended": "hangup"' in line:
                break
        else:
            pytest.fail("the stream ended before the call")
    assert asked[0] == (f"{location}/events", bearer, True)


async def test_a_call_is_followed_by_a_few_at_most(page: Page) -> None:
    page.api.expect_offer(greets())
    _, _, location = await page.calls()
    headers = {"Origin": SITE, "Authorization": f"Bearer {token()}"}
    url = f"{page.runner.url}{location}/events"
    async with AsyncExitStack() as stack:
        for _ in range(MOST_READERS):
            response = await stack.enter_async_context(page.session.get(url, headers=headers))
            assert (await response.content.readline()).startswith(b"data: ")
        status, text, _ = await page.ask(f"{location}/events", bearer=token(), method="GET")
        assert (status, json.loads(text)["code"]) == (429, "too_many_streams")
    assert (await page.ask(f"{location}/hangup", bearer=token()))[0] == 204


async def test_the_origin_comes_before_the_token_and_the_token_before_the_offer(page: Page) -> None:
    evil = "https://evil.example"
    assert json.loads((await page.ask("/calls", "x", bearer="x", Origin=evil))[1])["code"] == "origin_refused"
    assert json.loads((await page.ask("/calls", "x", bearer="x"))[1])["code"] == "token_malformed"
    assert (await page.calls(body="x"))[1] == "offer_refused"


async def test_a_token_begins_one_call(page: Page) -> None:
    page.api.expect_offer(greets())
    assert (await page.calls())[0] == 201
    assert (await page.calls())[:2] == (409, "token_used")
    page.api.expect_offer(greets())
    assert (await page.calls(jti="t2"))[0] == 201


async def test_a_token_with_which_nothing_came_of_a_call_may_be_used_again(page: Page) -> None:
    page.api.expect_offer(faults=Faults(create=(HttpFault(status=503),)))
    assert (await page.calls())[:2] == (503, "api_unavailable")
    page.api.expect_offer(greets())
    assert (await page.calls())[0] == 201


async def test_an_offer_is_never_sent_again_once_the_api_may_have_read_it(page: Page) -> None:
    call = page.api.expect_offer(faults=Faults(create=(HttpFault(status=None, carried_out=True),)))
    assert (await page.calls())[:2] == (503, "api_unavailable")
    assert [request.action for request in call.requests] == ["create"]
    assert len(page.api.calls) == 1


async def test_a_caller_has_ten_calls_a_minute_and_others_are_not_kept_from_theirs(page: Page) -> None:
    found = [(await page.calls(jti=f"t{number}", body="x"))[1] for number in range(11)]
    assert found == ["offer_refused"] * 10 + ["too_many_calls"]
    status, _, headers = await page.ask("/calls", "x", bearer=token(jti="z"))
    assert (status, 0 < int(headers["Retry-After"]) <= 61) == (429, True)
    assert (await page.calls(sub="user-2", body="x"))[1] == "offer_refused"


async def test_forged_tokens_use_up_nobodys_calls_but_those_of_their_address(page: Page) -> None:
    forged = jwt.encode({"sub": "user-1"}, SECRET[::-1])
    codes = [json.loads((await page.ask("/calls", "x", bearer=forged))[1])["code"] for _ in range(61)]
    assert codes == ["token_signature"] * 60 + ["too_many_calls"]


async def test_a_customer_with_a_network_of_addresses_has_no_more_calls_than_others(page: Page) -> None:
    async def asks(address: str) -> str:
        headers = {"X_Forwarded_For": f"203.0.113.9, {address}"}
        return str(json.loads((await page.ask("/calls", "x", bearer="x", **headers))[1])["code"])

    codes = [await asks(f"2001:db8:1:2::{host:x}") for host in range(61)]
    assert codes == ["token_malformed"] * 60 + ["too_many_calls"]
    assert await asks("2001:db8:1:3::1") == "token_malformed"
    assert await asks("198.51.100.7") == "token_malformed"


async def test_a_token_in_a_body_may_come_in_pieces_and_not_too_slowly(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.api.expect_offer(greets())
    _, _, location = await page.calls()

    async def pieces(pause_s: float) -> AsyncIterator[bytes]:
        text = token().encode()
        yield text[:40]
        await asyncio.sleep(pause_s)
        yield text[40:]

    url, headers = f"{page.runner.url}{location}/hangup", {"Origin": SITE}
    monkeypatch.setattr(admission, "BODY_S", 0.3)
    for pause_s, status in ((5.0, 408), (0.01, 204)):
        async with page.session.post(url, data=pieces(pause_s), headers=headers) as response:
            assert response.status == status


async def test_all_lines_of_an_agent_may_be_busy(tmp_path: Path) -> None:
    async with site(tmp_path, an_agent(limits=Limits(concurrent_calls=1))) as page:
        page.api.expect_offer(greets())
        assert (await page.calls())[0] == 201
        assert (await page.calls(jti="t2"))[:2] == (503, "busy")


async def test_a_route_may_ask_who_calls(tmp_path: Path) -> None:
    staff = Conditions(transport=Transport.WEBRTC, caller=Glob(user="staff-*"))
    async with site(tmp_path, an_agent(conditions=staff)) as page:
        assert (await page.calls())[:2] == (403, "no_route")
        page.api.expect_offer(greets())
        assert (await page.calls(sub="staff-7"))[0] == 201


async def test_values_of_the_token_are_in_the_session(page: Page) -> None:
    call = page.api.expect_offer(greets())
    await page.calls(vars={"plan": "gold"})
    assert call.accept_body is not None
    assert call.accept_body["instructions"] == "Be kind to gold callers."


async def test_a_page_of_another_site_may_ask_before_it_calls(page: Page) -> None:
    of_call = [f"/calls/x/{what}" for what in ("hangup", "connected", "attach", "events")]
    for path in ("/calls", "/client-secrets", *of_call):
        status, _, headers = await page.ask(path, method="OPTIONS", Access_Control_Request_Method="POST")
        assert (status, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (204, SITE, "Origin")
        assert headers["Access-Control-Allow-Headers"] == "authorization, content-type"
        assert "Access-Control-Allow-Credentials" not in headers
    status, _, headers = await page.ask("/calls", method="OPTIONS", Origin="https://evil.example")
    assert (status, "Access-Control-Allow-Origin" in headers) == (403, False)


@pytest.mark.parametrize("claims", [{"jti": "t2"}, {"sub": "user-2"}, {"exp": 1, "jti": "t2"}])
async def test_nobody_touches_somebody_elses_call(page: Page, claims: dict[str, Any]) -> None:
    call = page.api.expect_offer(greets())
    _, _, location = await page.calls()
    for path in ("/hangup", "/connected"):
        status, text, _ = await page.ask(location + path, bearer=token(**claims))
        assert (status, json.loads(text)["code"]) == (404, "no_call")
    assert call.state is State.ACCEPTED


async def test_a_page_follows_its_own_call_to_its_end(page: Page) -> None:
    page.api.expect_offer(greets(), CallerSays(text="Hi."), says("Hello!"), CallerHangsUp())
    _, _, location = await page.calls()
    following = asyncio.create_task(page.ask(f"{location}/events", bearer=token(), method="GET"))
    await page.ask(f"{location}/connected", bearer=token())
    status, text, headers = await following
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    states = [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")
    ]
    assert states[-1] == {
        "turns": [
            {"role": "agent", "text": "Hello."},
            {"role": "caller", "text": "Hi."},
            {"role": "agent", "text": "Hello!"},
        ],
        "speaking": None,
        "ended": "caller_hung_up",
    }


async def test_without_server_browser_there_is_nothing_to_call(tmp_path: Path) -> None:
    async with site(tmp_path, secret=None) as page:
        for path in ("/calls", "/calls/x/hangup", "/client-secrets"):
            assert (await page.ask(path, OFFER, bearer=token()))[0] == 404


@pytest.mark.parametrize("secret", ["", "x" * 31])
async def test_a_secret_that_could_be_guessed_stops_the_start(secret: str) -> None:
    settings = Settings(server=Server(browser=Browser(secret=SecretRef(env="S"), origins=(SITE,))))
    secrets = FoundSecrets.fixed(api_key="sk", webhook_secrets=[new_secret()], tools={}, browser=secret)
    with pytest.raises(CannotRunError) as stopped:
        Runner(Configuration(directory="agents", settings=settings), secrets)
    assert str(stopped.value) == (
        "environment variable S holds a secret of less than 32 bytes, which could be guessed; make one with:"
        " openssl rand -hex 32"
    )


async def test_while_an_agent_is_developed_no_token_is_asked_for_on_this_machine(tmp_path: Path) -> None:
    lookup = Tool(name="look", description="", parameters={}, binding=StaticBinding(answer={}))
    async with site(tmp_path, an_agent(tools=(lookup,)), is_dev=True) as page:
        page.api.expect_offer(greets(), CallerHangsUp())
        own = page.runner.url
        status, text, headers = await page.ask("/calls?agent=desk", OFFER, Origin=own)
        assert status == 201, text
        following = asyncio.create_task(page.ask(headers["Location"] + "/events", method="GET", Origin=own))
        assert (await page.ask(headers["Location"] + "/connected", Origin=own))[0] == 204
        assert '"tools": []' in (await following)[1]
        status, text, _ = await page.ask("/calls?agent=desc", OFFER, Origin=own)
        assert (status, json.loads(text)["code"], json.loads(text)["detail"]) == (
            404,
            "no_agent",
            'there is no agent "desc"; did you mean "desk"?',
        )
        status, text, _ = await page.ask("/talk/desc", method="GET")
        assert (status, text) == (404, 'there is no agent "desc"; did you mean "desk"?\n')
        host = "rebound.example:" + own.rpartition(":")[2]
        status, text, _ = await page.ask("/calls?agent=desk", OFFER, Origin=f"http://{host}", Host=host)
        assert (status, json.loads(text)["code"]) == (401, "token_missing")


async def test_without_tokens_nobody_else_may_reach_it(tmp_path: Path) -> None:
    settings = Settings(server=Server(host="0.0.0.0"))
    secrets = FoundSecrets.fixed(api_key="sk", webhook_secrets=[new_secret()], tools={})
    with pytest.raises(CannotRunError) as stopped:
        Runner(Configuration(directory="agents", settings=settings), secrets, is_dev=True)
    assert str(stopped.value) == '--dev asks for no token, and server.host is "0.0.0.0"; listen at 127.0.0.1'


async def test_a_page_that_talks_to_the_api_itself_gets_a_secret_and_is_served(open_page: Page) -> None:
    page = open_page
    status, text, _ = await page.ask("/client-secrets", bearer=token(vars={"plan": "gold"}))
    assert status == 200, text
    secret = json.loads(text)
    assert set(secret) == {"value", "expires_at"}
    assert page.api.secrets[secret["value"]]["instructions"] == "Be kind to gold callers."
    call = page.api.expect_offer(greets())
    async with aiohttp.ClientSession() as session:
        bearer = {"Authorization": f"Bearer {secret['value']}", "Content-Type": "application/sdp"}
        url = f"{page.api.base_url}/realtime/calls"
        async with session.post(url, data=OFFER, headers=bearer) as response:
            assert response.status == 201
            api_call = response.headers["Location"].rpartition("/")[2]
    status, _, headers = await page.ask(f"/calls/{api_call}/attach", bearer=token(vars={"plan": "gold"}))
    assert status == 201
    location = headers["Location"]
    assert location.startswith("/calls/web_")
    assert "session.update" in call.received_types()
    assert (await page.ask(f"{location}/connected", bearer=token()))[0] == 204
    await page.api.until(lambda: "response.create" in call.received_types())
    assert (await page.ask(f"/calls/{api_call}/attach", bearer=token()))[0] == 409


async def test_an_open_data_channel_goes_through(tmp_path: Path) -> None:
    async with site(tmp_path, has_data_channel=True) as page:
        call = page.api.expect_offer(greets())
        assert (await page.calls())[0] == 201
        assert "\nm=application " in call.offer
