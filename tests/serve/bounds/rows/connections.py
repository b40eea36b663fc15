"""Connections to endpoints, the names of their hosts, and the tokens that they want."""

import asyncio

from aiohttp import web

from runner.standin.script import CallerHangsUp, CallerSays, CallsTool, ScriptedResponse, greets
from tests.patience import PATIENCE_S
from tests.serve.bounds.configuration import COMPUTES
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.metered import KNOWN, LOOKED_UP, SLOW
from tests.serve.bounds.rows.tools import output_of
from tests.serve.bounds.service import Service
from tests.serve.bounds.serving import hang
from tests.serve.bounds.table import beyond, waits_beyond


@waits_beyond("serve.egress.KEEP_ALIVE_S")
async def a_connection_that_is_kept_for_nothing(service: Service) -> None:
    kept: list[asyncio.Transport] = []

    async def keep(request: web.Request) -> web.Response:
        assert request.transport
        kept.append(request.transport)
        return web.json_response({"ok": True})

    # Of a host that nobody else asks meanwhile.
    service.endpoint.handlers[""] = keep
    await output_of(service, "ask_host_5", {}, to=COMPUTES)
    async with asyncio.timeout(30):
        while not kept[0].is_closing():  # noqa: ASYNC110 - nobody tells that the runner has closed it
            await asyncio.sleep(0.02)


@waits_beyond("serve.timeouts.token_s")
async def a_token_that_does_not_come(service: Service) -> None:
    service.endpoint.handlers["token-never"] = hang
    output = await output_of(service, "with_token_0", {}, to=COMPUTES)
    assert output == {"error": "the endpoint did not answer in time"}


@beyond("serve.oauth.MOST_GRANTS")
async def more_tokens_than_are_kept(service: Service) -> None:
    async def token(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "token_type": "bearer", "expires_in": 3600})

    service.endpoint.handlers["token"] = token
    for number in (1, 2, 3, 1):
        await output_of(service, f"with_token_{number}", {}, to=COMPUTES)
    assert service.endpoint.asked.count("/token") == 4
    await output_of(service, "with_token_1", {}, to=COMPUTES)
    assert service.endpoint.asked.count("/token") == 4


@beyond("serve.tool_client.MOST_HOSTS")
async def more_hosts_than_metrics_name(service: Service) -> None:
    for number in range(2, 6):
        await output_of(service, f"ask_host_{number}", {}, to=COMPUTES)
    assert await service.metric('phone_agents_endpoint_seconds_count{host="other",result="2xx"}') > 0


@waits_beyond(
    "serve.egress.LOOKUPS",
    "serve.names.HANGS_S",
    "serve.names.MOST_HANGING",
    "serve.names.PATIENCE_S",
    "serve.names.STALE_S",
)
async def names_that_are_not_resolved_any_more(service: Service) -> None:
    known = service.directory / KNOWN
    known.touch()
    async with asyncio.timeout(PATIENCE_S):
        while await output_of(service, "ask_known_0", {}, to=COMPUTES) != {"ok": True}:
            pass
    slow = service.directory / SLOW
    async with asyncio.timeout(PATIENCE_S):
        while not slow.exists():
            await output_of(service, "ask_known_0", {}, to=COMPUTES)
            slow.touch()
            await asyncio.sleep(2 * LOWERED["serve.names.FRESH_S"])
            # An earlier address serves while a look-up takes longer than the tool may.
            if await output_of(service, "ask_known_0", {}, to=COMPUTES) != {"ok": True}:
                slow.unlink()
    slow.unlink()
    gone = {"error": "the endpoint could not be reached"}
    async with asyncio.timeout(PATIENCE_S):
        while known.exists():
            await output_of(service, "ask_known_0", {}, to=COMPUTES)
            known.unlink()
            await asyncio.sleep(2 * LOWERED["serve.names.FRESH_S"])
            # An earlier address serves for a while after there is none.
            if await output_of(service, "ask_known_0", {}, to=COMPUTES) != {"ok": True}:
                known.touch()
    async with asyncio.timeout(PATIENCE_S):
        while await output_of(service, "ask_known_0", {}, to=COMPUTES) != gone:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
    names = [f"ask_dead_{number}" for number in range(2 * LOWERED["serve.egress.LOOKUPS"])]
    looked_up = service.directory / LOOKED_UP
    looked_up.unlink(missing_ok=True)
    output = tuple(CallsTool(name=name, arguments={}) for name in names)
    steps = (greets(), CallerSays(text="All!"), ScriptedResponse(output=output), CallerHangsUp())
    call = await service.play(*steps, to=COMPUTES)
    assert len(call.outputs()) == len(names)
    # The API's name is looked up apart from those of tools.
    late = '{"error":"the endpoint did not answer in time"}'
    assert set(call.outputs().values()) == {late}, call.outputs()
    # Those that hang have made room for further ones, but not for all.
    most = LOWERED["serve.egress.LOOKUPS"] + LOWERED["serve.names.MOST_HANGING"]
    async with asyncio.timeout(PATIENCE_S):
        while (begun := len(looked_up.read_text().splitlines())) < most:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert begun == most
