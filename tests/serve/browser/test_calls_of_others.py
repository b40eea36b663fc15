"""A page and calls that other pages or other runners have."""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from runner.call.browser.token import read_token
from runner.model.call import WebRtcOrigin
from runner.model.live_call import ClaimLimits as Claimed
from runner.model.live_call import FleetCall, HeldCall, RunnerInfo
from runner.serve.browser import live_pages
from runner.serve.browser.admission import call_id_for
from runner.serve.browser.live_pages import MOST_READERS
from runner.serve.forwarding import FORWARDED
from runner.standin.placed_call import RestReply
from runner.standin.script import greets
from tests.call.machine.playing import RINGING
from tests.patience import PATIENCE_S
from tests.serve.browser.site import SECRET, SITE, Page, token
from tests.store.engines import call_record


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
    assert service.fleet.keeper.lease is not None
    call_id = call_id_for(read_token(token(), SECRET, time.time()))
    held = HeldCall(id=call_id, agent="desk", configuration="c1", began_at=time.time())
    lost = replace(service.fleet.keeper.lease, runner="lost")

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
    assert service.fleet.keeper.lease is not None
    store, lease = service.storage.store, service.fleet.keeper.lease
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
