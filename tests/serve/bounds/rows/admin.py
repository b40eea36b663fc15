"""What is sent to the admin API, and readers of it that do not read."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from runner.call.view.call_view import MOST_SHOWN
from runner.serve.admin.access import MOST_FAILURES
from runner.serve.admin.app import MOST_BODY_BYTES
from runner.standin.script import CallerHangsUp, greets
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.neighbour import PATIENCE_S
from tests.serve.bounds.rows.during import greeted
from tests.serve.bounds.service import Service
from tests.serve.bounds.table import beyond, waits_beyond


@beyond("serve.admin.app.MOST_BODY_BYTES")
async def an_act_that_is_too_long(service: Service) -> None:
    said = json.dumps({"text": "x" * MOST_BODY_BYTES})
    status, problem = await service.admin("POST", f"calls/{service.neighbour.call.id}/say", said)
    assert (status, problem["detail"]) == (413, f"the body is longer than {MOST_BODY_BYTES} bytes")


@beyond("serve.admin.access.MOST_FAILURES")
async def guesses_of_a_token(service: Service) -> None:
    guess = {"Authorization": "Bearer wrong", "X-Forwarded-For": "198.51.100.7"}
    for _ in range(MOST_FAILURES):
        assert (await service.admin("GET", "calls", headers=guess))[0] == 401
    status, problem = await service.admin("GET", "calls", headers=guess)
    assert (status, problem["detail"]) == (429, "too many failed attempts from this address; wait a minute")
    assert (await service.admin("GET", "calls"))[0] == 200


@waits_beyond("serve.admin.access.SESSION_S")
async def a_session_that_is_too_old(service: Service) -> None:
    cookie = await service.sign_in()
    mine = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    assert (await service.admin("GET", "calls", headers=mine))[0] == 200
    await asyncio.sleep(LOWERED["serve.admin.access.SESSION_S"])
    status, problem = await service.admin("GET", "calls", headers=mine)
    assert (status, problem["detail"]) == (401, "the console session is over; sign in again")


@beyond("serve.admin.calls.MOST_STREAMS")
async def more_streams_than_are_open_together(service: Service) -> None:
    most = LOWERED["serve.admin.calls.MOST_STREAMS"]
    streams = [await service.stream() for _ in range(most)]
    status, problem = await service.admin("GET", "events")
    assert (status, problem["detail"]) == (503, f"{most} streams are open already")
    for _, writer in streams:
        writer.close()


@beyond("serve.admin.event_log.MOST_BYTES")
async def long_turns_for_a_reader(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    reader, writer = await service.stream(f"?call={call.id}")
    many = LOWERED["serve.admin.event_log.MOST_ENTRIES"] // 2
    await service.wire.sidebands[call.id].hear(*["And on. " * 1_000] * many)
    await service.neighbour.is_served()
    await service.hang_up(call)
    async with asyncio.timeout(PATIENCE_S):
        read = await reader.readuntil(b"event: ended\n")
    assert read.count(b"event: snapshot\n") > 1
    writer.close()


@beyond("call.view.call_view.MOST_SHOWN", "serve.admin.event_log.MOST_ENTRIES")
async def a_reader_that_does_not_read(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    reader, writer = await service.stream(f"?call={call.id}")
    turns = ["And on."] * 3_000
    await service.wire.sidebands[call.id].hear(*turns)
    await service.neighbour.is_served()
    await service.hang_up(call)
    async with asyncio.timeout(PATIENCE_S):
        read = await reader.readuntil(b"event: ended\n")
    # It was too far behind, and has begun again with a snapshot.
    assert read.count(b"event: snapshot\n") > 1
    assert read.count(b"event: turn\n") < len(turns)
    last = read.rpartition(b"event: snapshot\n")[2].partition(b"\n")[0].removeprefix(b"data: ")
    assert len(json.loads(last)["call"]["turns"]) == MOST_SHOWN
    writer.close()


@beyond("serve.admin.service.MOST_CONNECTIONS")
async def connections_that_ask_nothing(service: Service) -> None:
    evicted = 'phone_agents_http_connections_closed_total{reason="evicted"}'
    before = await service.metric(evicted)
    for _ in range(LOWERED["serve.admin.service.MOST_CONNECTIONS"] + 10):
        await service.connect(port=service.admin_port)
    await service.counted(evicted, before + 5)


@beyond("serve.admin.record_requests.MOST_IN_A_DAY")
async def a_day_of_many_calls(service: Service) -> None:
    for _ in range(3):
        await service.play(greets(), CallerHangsUp())
    now = datetime.now(UTC)
    since, until = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 1))
    status, day = await service.admin("GET", f"day?from={since}&to={until}")
    assert (status, day["is_whole"]) == (200, False)
