"""Tokens against real servers: one that gives them, and one that wants them."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import BasicAuth, web

from runner.model.http import Failure, Grant, HttpReply, HttpRequest
from runner.model.settings import Egress
from runner.model.values import Json
from runner.serve import oauth
from runner.serve.egress import GuardedConnector
from runner.serve.oauth import TokenSender
from runner.serve.timeouts import Timeouts
from runner.serve.tool_client import ToolClient

SECRET = "a-secret-of-the-client"


@dataclass
class World:
    """A token endpoint at /token that numbers its tokens, and an API that takes those in `good`."""

    base: str = ""
    now: float = 1_795_000_000.0
    expires_in: object = 3600
    good: set[str] = field(default_factory=lambda: {f"token-{n}" for n in range(1, 100)})
    only_body: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    api_gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    api_requests: list[tuple[str, str]] = field(default_factory=list)
    """The token and the idempotency key of each."""
    odd: Callable[[], web.Response] | None = None

    @property
    def grant(self) -> Grant:
        return Grant(token_url=f"{self.base}/token", client_id="desk", client_secret=SECRET)

    def request(self, key: str = "call_1", **changes: Json) -> HttpRequest:
        request = HttpRequest(
            method="POST",
            url=f"{self.base}/orders",
            headers=(("Idempotency-Key", key),),
            body=b"{}",
            oauth=self.grant,
        )
        return replace(request, **changes)

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        header = request.headers.get("Authorization")
        found = BasicAuth.decode(header) if header else None
        self.token_requests.append({**form, "by": "basic" if found else "body"})
        self.asked.set()
        await self.gate.wait()
        if self.odd is not None:
            return self.odd()
        client = (found.login, found.password) if found else (form["client_id"], form["client_secret"])
        if client != ("desk", SECRET) or (found and self.only_body):
            return web.json_response({"error": "invalid_client"}, status=401)
        number = len(self.token_requests)
        answer = {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": self.expires_in}
        return web.json_response(answer)

    async def api(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.api_requests.append((token, request.headers.get("Idempotency-Key", "")))
        assert await request.read() == b"{}"
        await self.api_gate.wait()
        return web.Response(status=200 if token in self.good else 401)


@asynccontextmanager
async def served() -> AsyncIterator[World]:
    world = World()
    world.gate.set()
    world.api_gate.set()
    app = web.Application()
    app.router.add_post("/token", world.token)
    app.router.add_post("/orders", world.api)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    world.base = f"http://{host}:{port}"
    try:
        yield world
    finally:
        world.gate.set()
        await runner.cleanup()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with served() as world:
        yield world


@pytest.fixture
async def sender(world: World) -> AsyncIterator[TokenSender]:
    async with ToolClient(GuardedConnector(Egress(allow=("127.0.0.1",)))) as client:
        sender = TokenSender(client, timeouts=Timeouts(), clock=lambda: world.now)
        yield sender
        await sender.close()


async def test_a_request_without_a_grant_is_passed_on_as_it_is(world: World, sender: TokenSender) -> None:
    reply = await sender.send(world.request(oauth=None))
    assert (reply.status, world.token_requests, world.api_requests) == (401, [], [("", "call_1")])


async def test_a_token_is_asked_for_once_and_used_until_shortly_before_its_end(
    world: World, sender: TokenSender
) -> None:
    replies = [await sender.send(world.request(f"call_{n}")) for n in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert world.token_requests == [{"grant_type": "client_credentials", "by": "basic"}]
    world.now += 3569.9
    await sender.send(world.request("call_3"))
    world.now += 0.1
    await sender.send(world.request("call_4"))
    assert len(world.token_requests) == 2
    assert world.api_requests == [
        *(("token-1", f"call_{n}") for n in range(4)),
        ("token-2", "call_4"),
    ]


async def test_a_refused_token_is_replaced_and_the_same_request_sent_once_more(
    world: World, sender: TokenSender
) -> None:
    await sender.send(world.request("call_1"))
    world.good -= {"token-1"}
    reply = await sender.send(world.request("call_2"))
    assert reply.status == 200
    assert world.api_requests == [("token-1", "call_1"), ("token-1", "call_2"), ("token-2", "call_2")]
    assert len(world.token_requests) == 2


async def test_a_second_refusal_is_the_reply(world: World, sender: TokenSender) -> None:
    world.good.clear()
    reply = await sender.send(world.request())
    assert (reply.status, reply.failure) == (401, None)
    assert world.api_requests == [("token-1", "call_1"), ("token-2", "call_1")]


async def test_fifty_calls_at_once_wait_for_one_token(world: World, sender: TokenSender) -> None:
    world.gate.clear()
    sending = [asyncio.create_task(sender.send(world.request(f"call_{n}"))) for n in range(50)]
    await world.asked.wait()
    world.gate.set()
    replies = await asyncio.gather(*sending)
    assert {reply.status for reply in replies} == {200}
    assert len(world.token_requests) == 1
    assert len(world.api_requests) == 50


async def test_fifty_calls_that_are_refused_at_once_get_one_new_token(
    world: World, sender: TokenSender
) -> None:
    await sender.send(world.request())
    world.good -= {"token-1"}
    replies = await asyncio.gather(*(sender.send(world.request(f"call_{n}")) for n in range(50)))
    assert {reply.status for reply in replies} == {200}
    assert len(world.token_requests) == 2


async def test_a_rotated_secret_is_another_grant(world: World, sender: TokenSender) -> None:
    await sender.send(world.request())
    old = replace(world.grant, client_secret="the-old-one")
    reply = await sender.send(world.request(oauth=old))
    assert (reply.failure, reply.detail) == (
        Failure.UNAUTHORIZED,
        "the token endpoint answered 401 (invalid_client)",
    )
    assert (await sender.send(world.request())).status == 200
    assert [asked["by"] for asked in world.token_requests] == ["basic", "basic", "body"]


async def test_an_endpoint_that_wants_the_credentials_in_the_body_gets_them_there(
    world: World, sender: TokenSender
) -> None:
    world.only_body = True
    assert (await sender.send(world.request())).status == 200
    world.now += 4000
    assert (await sender.send(world.request())).status == 200
    assert [asked["by"] for asked in world.token_requests] == ["basic", "body", "body"]
    world.only_body, world.now = False, world.now + 4000
    world.odd = lambda: web.Response(status=401) if len(world.token_requests) == 4 else good_answer()
    assert (await sender.send(world.request())).status == 200
    assert [asked["by"] for asked in world.token_requests[3:]] == ["body", "basic"]


def good_answer() -> web.Response:
    return web.json_response({"access_token": "token-9", "expires_in": 60})


@pytest.mark.parametrize(
    ("odd", "detail"),
    [
        (lambda: web.Response(status=503, text=SECRET), "the token endpoint answered 503"),
        (lambda: web.Response(text=f"<p>{SECRET}"), "the token endpoint's reply is not JSON"),
        (
            lambda: web.json_response({"token": SECRET}),
            'the token endpoint\'s reply has no "access_token" that could be sent',
        ),
        (
            lambda: web.Response(status=307, headers={"Location": "/elsewhere"}),
            "the token endpoint answered 307",
        ),
    ],
)
async def test_no_token_is_a_failure_of_the_tool_and_the_next_call_asks_again(
    world: World, sender: TokenSender, odd: Callable[[], web.Response], detail: str
) -> None:
    world.odd = odd
    reply = await sender.send(world.request())
    assert reply == HttpReply(failure=Failure.UNAUTHORIZED, detail=detail, took_s=reply.took_s)
    assert (len(world.token_requests), world.api_requests) == (1, [])
    world.odd = None
    assert (await sender.send(world.request())).status == 200


async def test_a_token_endpoint_that_is_down_is_a_failed_connection(
    world: World, sender: TokenSender, held_port: int
) -> None:
    down = replace(world.grant, token_url=f"http://127.0.0.1:{held_port}/token")
    reply = await sender.send(world.request(oauth=down))
    detail = f'for a token: no connection to "127.0.0.1" port {held_port}: connection refused'
    assert (reply.failure, reply.detail) == (Failure.CONNECTION, detail)


async def test_tokens_are_asked_for_where_tools_may_connect_to_only(world: World) -> None:
    async with ToolClient(GuardedConnector(Egress())) as client:
        sender = TokenSender(client, timeouts=Timeouts())
        reply = await sender.send(world.request())
    assert reply.failure is Failure.FORBIDDEN
    assert world.token_requests == []


async def test_a_late_token_costs_the_waiting_call_its_time_and_serves_the_next(
    world: World, sender: TokenSender
) -> None:
    world.gate.clear()
    reply = await sender.send(world.request(timeout_s=0.05))
    assert (reply.failure, reply.detail) == (Failure.TIMEOUT, "no token within 0.05 s")
    assert reply.took_s >= 0.05
    await world.asked.wait()
    world.gate.set()
    assert (await sender.send(world.request())).status == 200
    assert len(world.token_requests) == 1


async def test_a_token_endpoint_that_never_answers_is_not_waited_for_beyond_its_deadline(
    world: World,
) -> None:
    world.gate.clear()
    async with ToolClient(GuardedConnector(Egress(allow=("127.0.0.1",)))) as client:
        sender = TokenSender(client, timeouts=Timeouts(token_s=0.05))
        reply = await sender.send(world.request())
    assert (reply.failure, reply.detail) == (
        Failure.TIMEOUT,
        "for a token: no complete reply within 0.05 s",
    )


async def test_a_call_that_stops_waiting_leaves_the_token_to_the_others(
    world: World, sender: TokenSender
) -> None:
    world.gate.clear()
    first = asyncio.create_task(sender.send(world.request("call_1")))
    await world.asked.wait()
    second = asyncio.create_task(sender.send(world.request("call_2")))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    world.gate.set()
    assert (await second).status == 200
    assert len(world.token_requests) == 1


async def test_closing_stops_a_fetch_that_is_under_way(world: World, sender: TokenSender) -> None:
    world.gate.clear()
    sending = asyncio.create_task(sender.send(world.request()))
    await world.asked.wait()
    await sender.close()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_tokens_of_many_grants_are_kept_within_bounds(
    world: World, sender: TokenSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "MOST_GRANTS", 2)
    for scope in ("a", "b", "c", "b", "a"):
        await sender.send(world.request(oauth=replace(world.grant, scopes=(scope,))))
    assert [asked["scope"] for asked in world.token_requests] == ["a", "b", "c", "a"]


async def test_the_grant_that_was_asked_for_longest_ago_is_forgotten_first(
    world: World, sender: TokenSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "MOST_GRANTS", 2)
    for scope in ("a", "b"):
        await sender.send(world.request(oauth=replace(world.grant, scopes=(scope,))))
    world.now += 4000
    for scope in ("a", "c", "a"):
        await sender.send(world.request(oauth=replace(world.grant, scopes=(scope,))))
    assert [asked["scope"] for asked in world.token_requests] == ["a", "b", "a", "c"]


async def test_the_time_that_a_token_took_is_not_there_for_the_request(
    world: World, sender: TokenSender
) -> None:
    world.api_gate.clear()
    reply = await sender.send(world.request(timeout_s=2.0))
    within = re.fullmatch(r"no complete reply within ([01]\.[0-9]+) s", reply.detail)
    assert reply.failure is Failure.TIMEOUT
    assert within is not None
    assert float(within[1]) < 2.0
    world.api_gate.set()


async def test_neither_secret_nor_token_is_logged(
    world: World, sender: TokenSender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="runner")
    await sender.send(world.request())
    world.odd = lambda: web.json_response({"error": SECRET, "error_description": SECRET}, status=400)
    world.now += 4000
    await sender.send(world.request())
    told = [(record.message, getattr(record, "detail", None)) for record in caplog.records]
    assert told == [
        ("token was obtained", None),
        ("token could not be obtained", "the token endpoint answered 400"),
        ("token could not be obtained", "the token endpoint answered 400"),
    ]
    everything = " ".join(str(vars(record)) for record in caplog.records)
    assert SECRET not in everything
    assert "token-1" not in everything
