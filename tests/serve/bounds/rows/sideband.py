"""Sidebands that are lost, deaf or full, and what comes on them that is too much."""

import json

from aiohttp import web
from websockets.frames import Frame, Opcode

from runner.api.realtime.reading import MAX_VALUES
from runner.serve.sideband_socket import MAX_MESSAGE_BYTES, MOST_CONTROL_BYTES
from runner.standin.script import CallerHangsUp, Drops, Sends, greets
from tests.patience import PATIENCE_S
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.rows.during import calls_fetch, greeted
from tests.serve.bounds.service import Service
from tests.serve.bounds.serving import nested
from tests.serve.bounds.table import beyond, waits_beyond
from tests.serve.bounds.wire import frames


@waits_beyond("serve.timeouts.redial_delays_s")
async def a_sideband_that_does_not_open_again(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    service.wire.cut.add(call.id)
    service.wire.sidebands[call.id].to_runner.transport.abort()
    await service.over(call)
    # The first wait is used up: the sideband was lost soon after it had opened.
    assert service.wire.dialled.count(call.id) == len(LOWERED["serve.timeouts.redial_delays_s"])
    assert (await service.record(call))["ended"] == "failed"


@waits_beyond("serve.timeouts.steady_s")
async def a_sideband_that_is_lost_again_and_again(service: Service) -> None:
    call, _ = await service.ring(greets(), *[Drops()] * 9)
    await service.over(call)
    await service.logged("sideband is lost", call_id=call.id, detail="the sideband is lost again and again")
    assert call.attached < 9


@waits_beyond("serve.timeouts.sideband_ping_s")
async def a_sideband_that_is_deaf(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    service.wire.sidebands[call.id].passes.clear()
    dead = await service.logged("sideband is cut", call_id=call.id)
    assert dead["reason"] == "no answer to a ping"
    await service.api.until(lambda: call.attached == 2)
    await service.hang_up(call)


@beyond("serve.sideband_socket.MAX_MESSAGE_BYTES")
async def an_event_that_is_too_large(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    head = bytes((0x81, 127)) + (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big")
    to_runner = service.wire.sidebands[call.id].to_runner
    to_runner.write(head + bytes(1 << 16))
    away = await service.logged("sideband was away", call_id=call.id)
    too_large = f"an event is larger than {MAX_MESSAGE_BYTES:,} bytes"
    assert away["detail"] == f"the connection was cut: {too_large}"
    cut = await service.logged("sideband is cut", call_id=call.id)
    assert (cut["level"], cut["reason"]) == ("warning", too_large)
    await service.hang_up(call)


@beyond("api.realtime.reading.MAX_VALUES")
async def an_event_of_too_many_values(service: Service) -> None:
    key = {"type": "input_audio_buffer.dtmf_event_received", "event": "1", "received_at": 1}
    many = json.dumps({**key, "more": [0] * MAX_VALUES})
    call = await service.play(greets(), Sends(frame=many), CallerHangsUp())
    assert (await service.record(call))["malformed_events"] == 1


@beyond()
async def an_event_that_is_too_deep(service: Service) -> None:
    call = await service.play(greets(), Sends(frame=nested(100_000)), CallerHangsUp())
    assert (await service.record(call))["malformed_events"] == 1


@beyond()
async def an_event_in_parts_that_are_too_large_together(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    part = b"x" * (MAX_MESSAGE_BYTES // 4 + 1)
    sideband = service.wire.sidebands[call.id]
    # Nothing else comes between the parts.
    sideband.passes.clear()
    to_runner = sideband.to_runner
    for opcode in (Opcode.TEXT, *[Opcode.CONT] * 3):
        to_runner.write(Frame(opcode, part, fin=False).serialize(mask=False))
        await to_runner.drain()
    cut = await service.logged("sideband is cut", call_id=call.id)
    assert cut["reason"] == f"an event is larger than {MAX_MESSAGE_BYTES:,} bytes"
    await service.hang_up(call)


@beyond("serve.sideband_socket.MOST_CONTROL_BYTES")
async def a_ping_that_is_too_large(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    size = MOST_CONTROL_BYTES + 1
    service.wire.sidebands[call.id].to_runner.write(bytes((0x89, 126, 0, size)) + bytes(size))
    cut = await service.logged("sideband is cut", call_id=call.id)
    assert cut["reason"] == "not a valid frame: control frame too long"
    await service.hang_up(call)


@beyond("serve.reading_turns.SLICE_BYTES", "serve.reading_turns.TURN_S")
async def a_flood_of_events(service: Service) -> None:
    """On several sidebands, of which each has its turn."""
    key = '{"type":"input_audio_buffer.dtmf_event_received","event":"1","received_at":1}'
    flooded = [(await service.ring(greets()))[0] for _ in range(3)]
    for call in flooded:
        await greeted(service, call)
    async with service.stopped():
        for call in flooded:
            service.wire.sidebands[call.id].to_runner.write(frames(*[key] * 8_000))
    await service.neighbour.is_served()
    for call in flooded:
        await service.hang_up(call)


@waits_beyond("serve.sideband_socket.MAX_UNSENT_BYTES")
async def a_sideband_that_reads_nothing(service: Service) -> None:
    async def long(_: web.Request) -> web.Response:
        return web.Response(text="日" * 100_000)

    service.endpoint.handlers["long"] = long
    call, _ = await service.ring(greets())
    await greeted(service, call)
    sideband = service.wire.sidebands[call.id]
    sideband.is_read.clear()
    service.wire.cut.add(call.id)
    # More than the kernel takes for a connection.
    sideband.to_runner.write(frames(*(calls_fetch("long", f"call_{number}") for number in range(20))))
    dead = await service.logged("sideband is cut", call_id=call.id)
    assert dead["reason"] == "too much waits for the peer"
    sideband.is_read.set()
    await service.api.until_over(call, PATIENCE_S)
