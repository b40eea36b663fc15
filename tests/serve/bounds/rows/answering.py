"""An API and an endpoint that take too long, or say too much, before a call is answered."""

from aiohttp import web

from runner.standin.faults import Faults, HttpFault
from runner.standin.script import CallerHangsUp, greets
from tests.serve.bounds.configuration import LOOKS_UP
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.service import Service
from tests.serve.bounds.table import ATTEMPTS, beyond, waits_beyond

SILENT = HttpFault(after_s=60.0)
BROKEN = HttpFault(status=503)


@waits_beyond("serve.timeouts.decision_s", "api.realtime.orders.REPLY_S")
async def an_api_that_does_not_answer(service: Service) -> None:
    call = service.api.place_call(greets(), faults=Faults(accept=(SILENT,) * 9))
    assert await service.announced(call) == (503, "the call could not be answered now\n")
    failed = await service.logged("api request failed", call_id=call.id)
    assert failed["detail"] == "the voice API could not be reached (no reply in time)"


@waits_beyond("serve.timeouts.retry_s", "serve.api_client.LONGEST_WAIT_S")
async def an_api_that_fails_for_a_while(service: Service) -> None:
    """Waits that doubled without an end would last longer than an answer may take, each time.

    On a busy machine so many tries do now and then.
    """
    many = 10
    for _ in range(ATTEMPTS):
        call = service.api.place_call(greets(), CallerHangsUp(), faults=Faults(accept=(BROKEN,) * many))
        answer = await service.announced(call)
        if answer[0] == 200:
            break
    assert answer == (200, "the call was accepted\n")
    await service.over(call)
    assert [request.status for request in call.requests] == [503] * many + [200]


@waits_beyond("serve.timeouts.attach_s", "serve.timeouts.sideband_open_s")
async def a_sideband_that_does_not_open(service: Service) -> None:
    call = service.api.place_call(greets())
    service.wire.unanswered.add(call.id)
    assert await service.announce(call) == 200
    await service.over(call)
    limit = LOWERED["serve.timeouts.attach_s"]
    detail = f"the sideband was not open {limit:g} seconds after accept"
    await service.logged("sideband is lost", call_id=call.id, detail=detail)
    # An attempt that gets no answer is not the only one.
    assert service.wire.dialled.count(call.id) > 1
    assert [request.action for request in call.requests] == ["accept", "hangup"]
    assert (await service.record(call))["ended"] == "failed"


@waits_beyond("serve.timeouts.sideband_upgrade_s")
async def a_connection_that_carries_the_answer_and_no_sideband(service: Service) -> None:
    call = service.api.place_call(greets(), CallerHangsUp())
    service.wire.silent_when_kept.add(call.id)
    assert await service.announce(call) == 200
    await service.over(call)
    assert service.wire.dialled.count(call.id) == 1
    assert (await service.record(call))["ended"] == "caller_hung_up"


@waits_beyond("serve.timeouts.attach_delays_s")
async def a_call_that_its_sideband_does_not_know(service: Service) -> None:
    call = service.api.place_call(greets(), faults=Faults(unknown_attempts=99))
    assert await service.announce(call) == 200
    await service.over(call)
    # On a slow machine the time for all of them may be over earlier.
    assert 1 < call.attempts <= len(LOWERED["serve.timeouts.attach_delays_s"])
    assert [request.action for request in call.requests] == ["accept", "hangup"]


@beyond("call.machine.lookup.MAX_BYTES")
async def a_lookup_whose_reply_is_too_long(service: Service) -> None:
    async def lookup(_: web.Request) -> web.Response:
        return web.json_response({"name": "Ada", "more": ["x"] * 20_000})

    service.endpoint.handlers["lookup"] = lookup
    call = await service.play(greets(), CallerHangsUp(), to=LOOKS_UP)
    assert (await service.record(call))["faults"] == [
        "the lookup gave its default: the endpoint's reply is longer than 65536 bytes"
    ]


@waits_beyond("serve.websocket_handshake.MOST_HEAD_BYTES")
async def a_sideband_whose_opening_does_not_end(service: Service) -> None:
    call = service.api.place_call(greets())
    service.wire.answered_without_end.add(call.id)
    assert await service.announce(call) == 200
    await service.over(call)
    lost = await service.logged("sideband is lost", call_id=call.id)
    assert lost["detail"] == "the sideband could not be opened: did not receive a valid HTTP response"
    assert [request.action for request in call.requests] == ["accept", "hangup"]
