"""Calls from browsers, through a whole runner and the stand-in: who may, in which order, and what follows."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.errors import CannotRunError
from runner.model.agent import Limits
from runner.model.call import Transport
from runner.model.route import Conditions, Glob
from runner.model.settings import Configuration, Server, Settings
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.standin import web_calls
from runner.standin.placed_call import State
from runner.standin.script import CallerHangsUp, CallerSays, greets, says
from runner.standin.webhook import new_secret
from tests.serve.browser.site import OFFER, SITE, Page, an_agent, site, token


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
    headers = {"Origin": SITE, "Authorization": f"Bearer {token()}"}
    async with page.session.get(f"{page.runner.url}{location}/events", headers=headers) as following:
        await page.ask(f"{location}/connected", bearer=token())
        text = await following.text()
    assert (following.status, following.headers["Content-Type"]) == (200, "text/event-stream")
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
