"""Why a page gets no call: each refusal with its status and code."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from yarl import URL

from runner.serve.browser import admission
from runner.standin import web_calls
from runner.standin.faults import Faults, HttpFault
from runner.standin.placed_call import State
from runner.standin.script import greets
from tests.serve.browser.site import OFFER, SECRET, SITE, Page, site, token

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


async def test_one_token_in_two_offers_at_once_is_one_call(page: Page) -> None:
    page.api.expect_offer(greets())
    found = await asyncio.gather(page.calls(), page.calls())
    assert sorted(status for status, _, _ in found) == [201, 409]
    assert len(page.api.calls) == 1
