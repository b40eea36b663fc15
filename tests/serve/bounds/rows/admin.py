"""What is sent to the admin API, and readers of it that do not read."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from runner.call.view.call_view import MOST_SHOWN
from runner.serve.admin.access import MOST_FAILURES
from runner.serve.admin.app import MOST_BODY_BYTES
from runner.serve.admin.document import MOST_ERRORS
from runner.serve.admin.records import LONGEST_DAY_S, LONGEST_SEARCH_S, LONGEST_WINDOW_S
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, greets
from tests.patience import PATIENCE_S
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.rows.during import greeted
from tests.serve.bounds.rows.requests import rest
from tests.serve.bounds.service import BEARER, Service
from tests.serve.bounds.table import beyond, waits_beyond


@beyond("serve.admin.app.MOST_BODY_BYTES")
async def an_act_that_is_too_long(service: Service) -> None:
    said = json.dumps({"text": "x" * MOST_BODY_BYTES})
    status, problem = await service.admin("POST", f"calls/{service.neighbour.call.id}/say", said)
    assert (status, problem["detail"]) == (413, f"the body is longer than {MOST_BODY_BYTES} bytes")
    announced = await rest(await _begun_act(service, 999_999_999))
    assert announced.startswith(b"HTTP/1.1 413 "), announced


@waits_beyond("serve.admin.app.BODY_S")
async def an_act_that_does_not_come(service: Service) -> None:
    answer = await rest(await _begun_act(service, 100))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "the body did not arrive in time"


async def _begun_act(service: Service, length: int) -> asyncio.StreamReader:
    """What is answered to an act of which only the first byte comes."""
    path = f"/admin/calls/{service.neighbour.call.id}/say"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BEARER['Authorization']}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{"
    reader, _ = await service.connect(head.encode(), port=service.admin_port)
    return reader


@beyond("serve.admin.document.MOST_ERRORS")
async def a_request_with_more_mistakes_than_are_told(service: Service) -> None:
    query = "&".join(f"x{number}=" for number in range(2 * MOST_ERRORS))
    status, problem = await service.admin("GET", f"calls?{query}")
    assert (status, len(problem["errors"])) == (400, MOST_ERRORS)
    body = json.dumps({f"x{number}": 1 for number in range(2 * MOST_ERRORS)})
    status, problem = await service.admin("POST", f"calls/{service.neighbour.call.id}/say", body)
    assert (status, problem["detail"].count('"x')) == (400, MOST_ERRORS)


@beyond("serve.admin.access.MOST_FAILURES", "serve.admin.access.MOST_BEHIND_PROXY")
async def guesses_of_a_token(service: Service) -> None:
    """From one address behind a proxy, then from others."""

    async def guessed(address: int) -> tuple[int, str]:
        guess = {"Authorization": "Bearer wrong", "X-Forwarded-For": f"198.51.100.{address}"}
        status, problem = await service.admin("GET", "calls", headers=guess)
        return status, problem["detail"]

    refused = (429, "too many failed attempts from this address; wait a minute")
    for _ in range(MOST_FAILURES):
        assert (await guessed(1))[0] == 401
    assert await guessed(1) == refused
    for address in range(2, 2 + LOWERED["serve.admin.access.MOST_BEHIND_PROXY"] - MOST_FAILURES):
        assert (await guessed(address))[0] == 401
    assert await guessed(100) == refused
    assert (await service.admin("GET", "calls"))[0] == 200


@waits_beyond("serve.admin.access.SESSION_S")
async def a_session_that_is_too_old(service: Service) -> None:
    status = 401
    async with asyncio.timeout(PATIENCE_S):
        # A session may be over on a slow machine before anybody has used it.
        while status == 401:
            mine = {"Cookie": await service.sign_in(), "Sec-Fetch-Site": "same-origin"}
            status, _ = await service.admin("GET", "calls", headers=mine)
    assert status == 200
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


async def read_late(service: Service, call: PlacedCall, turns: Sequence[str]) -> bytes:
    """What a reader of this call gets who reads nothing until the call is over, after these turns."""
    reader, writer = await service.stream(f"?call={call.id}", is_narrow=True)
    transport = cast(asyncio.Transport, writer.transport)
    transport.pause_reading()
    await service.wire.sidebands[call.id].hear(*turns)
    await service.neighbour.is_served()
    await service.hang_up(call)
    await service.logged("call has ended", call_id=call.id)
    transport.resume_reading()
    async with asyncio.timeout(PATIENCE_S):
        read = await reader.readuntil(b"event: ended\n")
    writer.close()
    return read


@beyond("serve.admin.event_log.MOST_BYTES")
async def long_turns_for_a_reader(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    turns = ["And on. " * 2_000] * (LOWERED["serve.admin.event_log.MOST_ENTRIES"] // 2)
    read = await read_late(service, call, turns)
    assert read.count(b"event: snapshot\n") > 1


@beyond("call.view.call_view.MOST_SHOWN", "serve.admin.event_log.MOST_ENTRIES")
async def a_reader_that_does_not_read(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    turns = ["And on. " * 40] * (MOST_SHOWN + 100)
    read = await read_late(service, call, turns)
    # It was too far behind, and has begun again with a snapshot.
    assert read.count(b"event: snapshot\n") > 1
    assert read.count(b"event: turn\n") < len(turns)
    last = read.rpartition(b"event: snapshot\n")[2].partition(b"\n")[0].removeprefix(b"data: ")
    assert len(json.loads(last)["call"]["turns"]) == MOST_SHOWN


@beyond("serve.admin.service.MOST_CONNECTIONS")
async def connections_that_ask_nothing(service: Service) -> None:
    evicted = 'phone_agents_http_connections_closed_total{reason="evicted"}'
    before = await service.metric(evicted)
    for _ in range(LOWERED["serve.admin.service.MOST_CONNECTIONS"] + 10):
        await service.connect(port=service.admin_port)
    await service.counted(evicted, before + 5)


@beyond(
    "serve.admin.records.LONGEST_DAY_S",
    "serve.admin.records.LONGEST_SEARCH_S",
    "serve.admin.records.LONGEST_WINDOW_S",
)
async def windows_that_are_too_long(service: Service) -> None:
    now = datetime.now(UTC)
    for path, longest_s in (
        ("records?", LONGEST_WINDOW_S),
        ("records?q=Ada&", LONGEST_SEARCH_S),
        ("day?", LONGEST_DAY_S),
    ):
        since = now - timedelta(seconds=longest_s + 60)
        window = f"from={since:%Y-%m-%dT%H:%M:%SZ}&to={now:%Y-%m-%dT%H:%M:%SZ}"
        status, problem = await service.admin("GET", path + window)
        days = f"{longest_s / 86_400:.0f}"
        told = f"the window is longer than {days} days; ask for a part of it"
        assert (status, problem["detail"]) == (400, told), path


@beyond("serve.admin.record_requests.MOST_IN_A_DAY")
async def a_day_of_many_calls(service: Service) -> None:
    for _ in range(3):
        await service.record(await service.play(greets(), CallerHangsUp()))
    now = datetime.now(UTC)
    since, until = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 1))
    status, day = await service.admin("GET", f"day?from={since}&to={until}")
    assert (status, day["is_whole"]) == (200, False)
