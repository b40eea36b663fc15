"""What the API does to many calls at once, and an API whose TLS is no good."""

import asyncio
from pathlib import Path

import pytest

from runner.standin.script import CallerHangsUp, When, greets
from tests.certificates import Authority
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.peers import alerts, hangs_up, says_nothing, shows
from tests.serve.bounds.rows.during import greeted
from tests.serve.bounds.serving import serving
from tests.serve.bounds.table import alone_beyond
from tests.serve.bounds.wire import Gate

pytestmark = pytest.mark.chaos

CROWD = 500
TOGETHER = 20
DESCRIPTORS = 4096


@alone_beyond("serve.call_actions.MOST_ENDINGS")
async def test_many_sidebands_that_are_lost_and_calls_that_end_at_once_harm_no_neighbour(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, {}, descriptors=DESCRIPTORS, inspects=False) as service:
        calls = []
        for _ in range(CROWD // TOGETHER):
            calls += await asyncio.gather(*(service.ring(greets()) for _ in range(TOGETHER)))
        assert [status for _, status in calls] == [200] * CROWD
        await service.until(lambda: all(call.attached == 1 for call, _ in calls))
        async with service.serves_neighbour():
            async with service.stopped():
                for call, _ in calls:
                    service.wire.sidebands[call.id].to_runner.transport.abort()
            await service.until(lambda: all(call.attached == 2 for call, _ in calls))
            async with service.stopped():
                for call, _ in calls:
                    call.play(CallerHangsUp(when=When.AT_ONCE))
                    service.api.wake(call)
            await service.until(lambda: all(call.is_over for call, _ in calls))


@alone_beyond()
async def test_an_api_without_a_good_handshake_harms_no_neighbour(tmp_path: Path) -> None:
    """It can neither be asked, nor be dialled again by a call whose sideband is lost."""
    of_strangers = tmp_path / "strangers"
    of_strangers.mkdir()
    bad = shows(Authority(of_strangers).server())
    lowered = {
        **LOWERED,
        "api.realtime.orders.REPLY_S": 0.5,
        "serve.timeouts.decision_s": 1.0,
        "serve.timeouts.hangup_s": 1.0,
    }
    async with serving(tmp_path, lowered, tls=True) as service, service.serves_neighbour():
        gate = service.wire
        assert isinstance(gate, Gate)
        of_neighbour = gate.open_connections
        for peer in (says_nothing, hangs_up, alerts, bad):
            call, status = await service.ring(greets())
            while status == 503:
                # A slow machine shakes hands for longer than this runner has for an answer.
                call, status = await service.ring(greets())
            await greeted(service, call)
            gate.instead = peer
            for connection in gate.open_connections - of_neighbour:
                connection.transport.abort()
            await service.logged("sideband is lost", call_id=call.id)
            refused = service.api.place_call(greets())
            assert await service.announced(refused) == (503, "the call could not be answered now\n")
            assert refused.requests == []
            await service.neighbour.is_served()
            gate.instead = None
            await service.over(call)
