"""Who may call, how often, and from which address."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from runner.errors import CannotRunError
from runner.model.settings import Browser, Configuration, SecretRef, Server, Settings
from runner.model.tool import StaticBinding, Tool
from runner.serve.browser import admission
from runner.serve.runner import Runner
from runner.serve.secrets import FoundSecrets
from runner.standin.faults import Faults, HttpFault
from runner.standin.script import CallerHangsUp, greets
from runner.standin.webhook import new_secret
from tests.patience import PATIENCE_S
from tests.serve.browser.site import OFFER, SECRET, SITE, Page, an_agent, site, token


async def test_two_offers_at_once_over_the_limit_of_their_caller_are_one_call(page: Page) -> None:
    for number in range(9):
        assert (await page.calls(jti=f"t{number}", body="x"))[1] == "offer_refused"
    page.api.expect_offer(greets())
    found = await asyncio.gather(page.calls(jti="t10"), page.calls(jti="t11"))
    assert sorted(status for status, _, _ in found) == [201, 429]


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
    for body_s, pause_s, status in ((0.05, 5.0, 408), (PATIENCE_S, 0.01, 204)):
        monkeypatch.setattr(admission, "BODY_S", body_s)
        async with page.session.post(url, data=pieces(pause_s), headers=headers) as response:
            assert response.status == status


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
        call = headers["Location"]
        async with page.session.get(f"{own}{call}/events", headers={"Origin": own}) as following:
            assert (await page.ask(f"{call}/connected", Origin=own))[0] == 204
            assert '"tools": []' in await following.text()
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
