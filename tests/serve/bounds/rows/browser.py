"""What pages send: offers, tokens, requests for secrets, and streams that they open."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

from runner.call.browser.sdp import MOST_BYTES
from runner.call.browser.token import LONGEST_S, MOST_CHARS, SKEW_S
from runner.serve.browser.admission import MOST_A_SUBJECT, MOST_AN_ADDRESS
from runner.serve.browser.live_pages import MOST_READERS
from runner.serve.browser.watch import MOST_TURNS
from runner.standin.placed_call import PlacedCall
from runner.standin.script import ScriptStep, greets
from tests.patience import PATIENCE_S
from tests.serve.bounds.configuration import ADMIN_TOKEN, SITE
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.rows.during import greeted
from tests.serve.bounds.rows.requests import rest
from tests.serve.bounds.service import Service
from tests.serve.bounds.table import beyond, waits_beyond

OFFER = (Path(__file__).parents[3] / "data" / "offers" / "chromium.sdp").read_text()


def token(subject: str, **claims: Any) -> str:
    """A token of this caller."""
    said = {"aud": "phone-agents", "exp": time.time() + 60, "sub": subject, "jti": "t1", "agent": "web"}
    return jwt.encode({**said, **claims}, ADMIN_TOKEN, algorithm="HS256")


async def ask(
    service: Service,
    path: str,
    body: str = "",
    *,
    bearer: str | None = None,
    address: str = "198.51.100.1",
    kind: str = "application/sdp",
) -> tuple[int, str, Mapping[str, str]]:
    """Ask as a page does: status, body and headers of the answer."""
    headers = {"Origin": SITE, "Content-Type": kind, "X-Forwarded-For": address}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    async with service.http.post(service.url + path, data=body, headers=headers) as response:
        return response.status, await response.text(), response.headers


async def refused(service: Service, path: str, body: str = "", **asked: Any) -> tuple[int, str]:
    """Status and detail of a refusal."""
    status, text, _ = await ask(service, path, body, **asked)
    return status, json.loads(text)["detail"]


async def begun(service: Service, subject: str, *script: ScriptStep) -> tuple[PlacedCall, str]:
    """A call from a page, and where it is."""
    call = service.api.expect_offer(*script)
    status, text, headers = await ask(service, "/calls", OFFER, bearer=token(subject))
    assert status == 201, text
    return call, headers["Location"]


async def stream(
    service: Service, location: str, subject: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream of the call's events, from the line with its status on."""
    head = f"GET {location}/events HTTP/1.1\r\nHost: a\r\nOrigin: {SITE}\r\n"
    head += f"Authorization: Bearer {token(subject)}\r\n\r\n"
    return await service.connect(head.encode())


@beyond("call.browser.sdp.MOST_BYTES")
async def an_offer_that_is_too_large(service: Service) -> None:
    for more in (1, 500_000):
        longer = OFFER + "a" * (MOST_BYTES - len(OFFER) + more)
        found = await refused(service, "/calls", longer, bearer=token("large"))
        assert found == (413, f"the offer is longer than {MOST_BYTES} bytes")
    head = f"POST /calls HTTP/1.1\r\nHost: a\r\nOrigin: {SITE}\r\nAuthorization: Bearer {token('large')}\r\n"
    head += "Content-Type: application/sdp\r\nContent-Length: 999999999\r\n\r\n"
    reader, _ = await service.connect(head.encode())
    assert (await rest(reader)).startswith(b"HTTP/1.1 413 "), "although nothing comes"


@beyond("call.browser.token.MOST_CHARS")
async def a_token_that_is_too_long(service: Service) -> None:
    found = await refused(service, "/calls/web_x/hangup", "x" * (MOST_CHARS + 1))
    assert found == (401, f"the token has more than {MOST_CHARS} characters")


@beyond("call.browser.token.LONGEST_S")
async def a_token_that_lives_too_long(service: Service) -> None:
    lives_long = token("long", exp=time.time() + LONGEST_S + SKEW_S + 60)
    found = await refused(service, "/calls", OFFER, bearer=lives_long)
    assert found == (401, "the token expires more than 10 minutes from now")


@beyond("serve.browser.admission.MOST_A_SUBJECT", "serve.rates.MOST_KEYS")
async def a_caller_who_calls_too_often(service: Service) -> None:
    often = (429, "too many calls of this caller in a minute")
    for _ in range(MOST_A_SUBJECT):
        assert (await ask(service, "/calls", bearer=token("often"), kind="text/plain"))[0] == 415
    assert await refused(service, "/calls", OFFER, bearer=token("often")) == often
    assert await refused(service, "/client-secrets", bearer=token("often")) == often
    # So many others come that this one is forgotten.
    for number in range(LOWERED["serve.rates.MOST_KEYS"]):
        other = {"bearer": token(f"other-{number}"), "address": f"198.51.100.{number}"}
        assert (await ask(service, "/calls", kind="text/plain", **other))[0] == 415
    assert (await ask(service, "/calls", bearer=token("often"), kind="text/plain"))[0] == 415


@beyond("serve.browser.admission.MOST_AN_ADDRESS")
async def an_address_that_calls_too_often(service: Service) -> None:
    address = "203.0.113.1"
    for _ in range(MOST_AN_ADDRESS):
        assert (await ask(service, "/calls", OFFER, bearer="forged", address=address))[0] == 401
    often = (429, "too many calls of this address in a minute")
    assert await refused(service, "/calls", OFFER, bearer="forged", address=address) == often


@waits_beyond("serve.browser.admission.BODY_S")
async def an_offer_that_does_not_come(service: Service) -> None:
    head = f"POST /calls HTTP/1.1\r\nHost: a\r\nOrigin: {SITE}\r\nContent-Type: application/sdp\r\n"
    head += f"Authorization: Bearer {token('slow')}\r\nContent-Length: 100\r\n\r\nv="
    reader, _ = await service.connect(head.encode())
    answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "the offer took too long to arrive"


@waits_beyond("serve.browser.calls.SERVED_S")
async def a_sideband_that_a_browser_waits_for(service: Service) -> None:
    call = service.api.expect_offer(greets())
    service.wire.unanswered.add(call.id)
    status, text, _ = await ask(service, "/calls", OFFER, bearer=token("waits"))
    assert status == 201, text
    await service.over(call)


async def made(service: Service, subject: str) -> tuple[PlacedCall, str]:
    """A call that a page has made itself, and the API's id of it. The API makes no secret that lasts too
    long."""
    status, text, _ = await ask(service, "/client-secrets", bearer=token(subject))
    assert status == 200, text
    secret: dict[str, Any] = json.loads(text)
    call = service.api.expect_offer(greets())
    bearer = {"Authorization": f"Bearer {secret['value']}", "Content-Type": "application/sdp"}
    url = f"{service.api.base_url}/realtime/calls"
    async with service.http.post(url, data=OFFER, headers=bearer) as response:
        return call, response.headers["Location"].rpartition("/")[2]


@waits_beyond("serve.browser.calls.ATTACHED_S", "api.realtime.client_secrets.LASTS_S")
async def a_call_of_a_page_that_is_not_attached(service: Service) -> None:
    call, api_id = await made(service, "attaches")
    service.wire.unanswered.add(call.id)
    assert (await ask(service, f"/calls/{api_id}/attach", bearer=token("attaches")))[0] == 201
    await service.over(call)


@beyond("serve.browser.live_pages.MOST_READERS")
async def more_streams_than_follow_one_call(service: Service) -> None:
    call, location = await begun(service, "followed", greets())
    answers = [b"HTTP/1.1 200 OK\r\n"] * MOST_READERS + [b"HTTP/1.1 429 Too Many Requests\r\n"]
    for answer in answers:
        reader, _ = await stream(service, location, "followed")
        assert await reader.readline() == answer
    await service.hang_up(call)


@beyond("serve.browser.watch.MOST_TURNS")
async def a_page_that_follows_a_conversation_without_end(service: Service) -> None:
    """All of its turns have something that has to be masked."""
    call, location = await begun(service, "endless", greets())
    assert (await ask(service, f"{location}/connected", bearer=token("endless")))[0] == 204
    await greeted(service, call)
    reader, _ = await stream(service, location, "endless")
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    await service.wire.sidebands[call.id].hear(*["Mail me at me@b.example"] * 1_000)
    await service.neighbour.is_served()
    await service.hang_up(call)
    async with asyncio.timeout(PATIENCE_S):
        states = [
            json.loads(line.removeprefix(b"data: "))
            for line in (await reader.readuntil(b"\r\n0\r\n\r\n")).splitlines()
            if line.startswith(b"data: ")
        ]
    assert [turn["text"] for turn in states[-1]["turns"]] == ["Mail me at [email]"] * MOST_TURNS
