"""The stand-in over real sockets; everything that it sends is checked against the published types."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runner.standin.faults import NOT_JSON, Faults, HttpFault, Late, ReferEffect, SidebandRefusal
from runner.standin.placed_call import PlacedCall, State
from runner.standin.script import (
    CallerHangsUp,
    CallerSays,
    Complains,
    Drops,
    Expires,
    Sends,
    When,
    calls,
    greets,
    says,
)
from runner.standin.server import StandIn
from tests.standin.openai_types import client_complaint, server_complaint

# Asks for an action upon a call; gives status and body of the reply.
Post: TypeAlias = Callable[..., Awaitable[tuple[int, Any]]]

SESSION = {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be kind."}
GREET = {
    "type": "response.create",
    "response": {"instructions": 'Say: "Hello there."', "tool_choice": "none"},
}


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    async with StandIn(inspect_received=client_complaint, inspect_sent=server_complaint) as stand_in:
        yield stand_in


@pytest.fixture
async def post(api: StandIn) -> AsyncIterator[Post]:
    async with aiohttp.ClientSession(headers=headers(api)) as session:

        async def post(call: PlacedCall, action: str, body: Any = None, **more: Any) -> tuple[int, Any]:
            url = f"{api.base_url}/realtime/calls/{call.id}/{action}"
            async with session.post(url, json=body, **more) as response:
                text = await response.text()
                return response.status, json.loads(text) if text else None

        yield post


def headers(api: StandIn) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.api_key}"}


@asynccontextmanager
async def sideband(api: StandIn, call: PlacedCall, query: str = "") -> AsyncIterator[ClientConnection]:
    url = api.base_url.replace("http", "ws") + f"/realtime?call_id={call.id}{query}"
    async with connect(url, additional_headers=headers(api)) as connection:
        yield connection


async def send(connection: ClientConnection, event: Any) -> None:
    await connection.send(json.dumps(event))


async def read_until(connection: ClientConnection, kind: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] != kind:
        events.append(json.loads(await connection.recv()))
    return events


async def test_a_whole_call_runs_from_greeting_over_a_tool_to_the_callers_goodbye(
    api: StandIn, post: Post
) -> None:
    call = api.place_call(
        greets(),
        CallerSays(text="Anything on Friday?"),
        calls("find_slots", {"day": "2026-11-27"}),
        says("At nine."),
        CallerHangsUp(),
    )
    assert await post(call, "accept", SESSION) == (200, None)
    async with sideband(api, call) as connection:
        await send(connection, GREET)
        events = await read_until(connection, "output_audio_buffer.stopped")
        assert [e["transcript"] for e in events if e["type"] == "response.output_audio_transcript.done"] == [
            "Hello there."
        ]
        asked = (await read_until(connection, "response.done"))[-1]["response"]["output"][0]
        assert (asked["name"], json.loads(asked["arguments"])) == ("find_slots", {"day": "2026-11-27"})
        output = {"type": "function_call_output", "call_id": asked["call_id"], "output": "{}"}
        await send(connection, {"type": "conversation.item.create", "item": output})
        await send(connection, {"type": "response.create"})
        events = await read_until(connection, "output_audio_buffer.stopped")
        assert [e["transcript"] for e in events if e["type"] == "response.output_audio_transcript.done"] == [
            "At nine."
        ]
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    await api.until_over(call)
    assert call.violations == []
    assert call.outputs() == {asked["call_id"]: "{}"}


async def closed_with(connection: ClientConnection) -> int | None:
    """The code of the close frame that ends the sideband; None when it was cut off without one."""

    async def read_on() -> None:
        while True:
            await connection.recv()

    with pytest.raises(ConnectionClosed) as closed:
        await read_on()
    return closed.value.rcvd.code if closed.value.rcvd else None


async def refused_with(api: StandIn, call: PlacedCall, query: str = "") -> int:
    """The status that a sideband is refused with."""
    with pytest.raises(InvalidStatus) as refused:
        async with sideband(api, call, query):
            pass
    return refused.value.response.status_code


async def test_without_the_key_nothing_is_answered(api: StandIn) -> None:
    call = api.place_call()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{api.base_url}/realtime/calls/{call.id}/accept", json=SESSION) as response,
    ):
        assert response.status == 401
    assert call.violations == ["the header 'Authorization' is missing or holds another key"]


async def test_the_header_of_the_beta_is_refused(api: StandIn, post: Post) -> None:
    call = api.place_call()
    status, body = await post(call, "accept", SESSION, headers={"OpenAI-Beta": "realtime=v1"})
    assert (status, body["error"]["code"]) == (400, "beta_api_shape_disabled")
    assert len(call.violations) == 1


async def test_an_unknown_call_is_not_found(api: StandIn, post: Post) -> None:
    status, body = await post(PlacedCall("rtc_nobody", ()), "accept", SESSION)
    assert (status, body["error"]["code"]) == (404, "call_id_not_found")


async def test_a_body_that_is_no_json_is_noted(api: StandIn, post: Post) -> None:
    call = api.place_call()
    async with aiohttp.ClientSession(headers=headers(api)) as session:
        url = f"{api.base_url}/realtime/calls/{call.id}/accept"
        async with session.post(url, data=b"{", headers={"Content-Type": "application/json"}) as response:
            assert response.status == 400
    assert call.violations == ["accept: the body is not JSON", "accept: the body must be a JSON object"]


async def test_a_field_that_the_published_types_do_not_know_is_noted(api: StandIn, post: Post) -> None:
    call = api.place_call()
    await post(call, "accept", {**SESSION, "audio": {"input": {"turn_detektion": None}}})
    assert call.violations == ["unknown fields: audio.input.turn_detektion"]


async def test_an_event_that_the_published_types_do_not_know_is_noted(api: StandIn, post: Post) -> None:
    call = api.place_call()
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        await send(connection, {"type": "response.create", "response": {"voice": "marin"}})
        (error,) = await read_until(connection, "error")
    assert error["error"]["code"] == "unknown_parameter"
    assert call.violations == ["unknown fields: response.voice", "Unknown parameter: 'response.voice'."]


async def test_the_sideband_wants_no_model_beside_the_call(api: StandIn, post: Post) -> None:
    call = api.place_call()
    await post(call, "accept", SESSION)
    assert await refused_with(api, call, query="&model=gpt-realtime-2.1") == 400
    assert call.violations == ["'model' stands beside 'call_id' in the sideband's URL"]


async def test_a_sideband_is_not_found_before_accept_and_for_a_moment_after(api: StandIn, post: Post) -> None:
    call = api.place_call(faults=Faults(unknown_attempts=2))
    assert await refused_with(api, call) == 404
    await post(call, "accept", SESSION)
    assert await refused_with(api, call) == 404
    async with sideband(api, call):
        await api.until(lambda: call.attached == 1)


async def test_a_refused_sideband_is_opened_and_closed_after_an_error(api: StandIn, post: Post) -> None:
    refusal = SidebandRefusal(code="invalid_api_key", message="Incorrect API key provided.", close_code=3000)
    call = api.place_call(faults=Faults(refusal=refusal))
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        (error,) = await read_until(connection, "error")
        assert error["error"]["code"] == "invalid_api_key"
        assert await closed_with(connection) == 3000


@pytest.mark.parametrize(("code", "seen"), [(1006, None), (1001, 1001)])
async def test_a_dropped_sideband_can_be_dialled_again_and_the_call_goes_on(
    api: StandIn, post: Post, code: int, seen: int | None
) -> None:
    call = api.place_call(Drops(close_code=code), CallerHangsUp())
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        assert await closed_with(connection) == seen
    assert not call.is_over
    async with sideband(api, call) as connection:
        assert await closed_with(connection) == 1000
    await api.until_over(call)


async def test_nothing_that_was_missed_is_replayed(api: StandIn, post: Post) -> None:
    call = api.place_call(
        calls("f", call_id="call_a"), Drops(when=When.TOOL_RUNS), says("Done."), CallerHangsUp()
    )
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        await send(connection, {"type": "response.create"})
        await closed_with(connection)
    async with sideband(api, call) as connection:
        output = {"type": "function_call_output", "call_id": "call_a", "output": "{}"}
        await send(connection, {"type": "conversation.item.create", "item": output})
        first = json.loads(await connection.recv())
        assert (first["type"], first["item"]["type"]) == ("conversation.item.added", "function_call_output")
        await send(connection, {"type": "response.create"})
        assert await closed_with(connection) == 1000


async def test_a_caller_who_leaves_is_known_no_more(api: StandIn, post: Post) -> None:
    call = api.place_call(CallerHangsUp(close_code=1006))
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        assert await closed_with(connection) is None
    await api.until_over(call)
    assert (await post(call, "hangup"))[0] == 404
    assert await refused_with(api, call) == 404


async def test_a_hang_up_closes_the_sideband(api: StandIn, post: Post) -> None:
    call = api.place_call()
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        assert await post(call, "hangup") == (200, None)
        assert await closed_with(connection) == 1000
    assert (await post(call, "hangup"))[0] == 404


@pytest.mark.parametrize(("effect", "over"), [(ReferEffect.LEAVES, True), (ReferEffect.STAYS, False)])
async def test_a_transferred_caller_leaves_or_stays(
    api: StandIn, post: Post, effect: ReferEffect, over: bool
) -> None:
    call = api.place_call(faults=Faults(refer_effect=effect))
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        assert await post(call, "refer", {"target_uri": "tel:+14155550123"}) == (200, None)
        if over:
            assert await closed_with(connection) == 1000
        else:
            await send(connection, GREET)
            await read_until(connection, "response.done")
    assert call.is_over is over


async def test_a_wrong_status_leaves_the_call_ringing_unless_it_was_carried_out(
    api: StandIn, post: Post
) -> None:
    call = api.place_call(
        faults=Faults(accept=(HttpFault(status=503), HttpFault(status=500, carried_out=True)))
    )
    states = []
    for status in (503, 500):
        assert (await post(call, "accept", SESSION))[0] == status
        states.append(call.state)
    assert states == [State.RINGING, State.ACCEPTED]
    assert [(asked.action, asked.status) for asked in call.requests] == [("accept", 503), ("accept", 500)]


async def test_a_connection_can_be_cut_before_the_answer(api: StandIn, post: Post) -> None:
    call = api.place_call(faults=Faults(accept=(HttpFault(),)))
    with pytest.raises(aiohttp.ClientError):
        await post(call, "accept", SESSION)
    assert (await post(call, "accept", SESSION))[0] == 200
    assert [asked.status for asked in call.requests] == [None, 200]


async def test_an_expired_session_is_told_and_over(api: StandIn, post: Post) -> None:
    call = api.place_call(Expires())
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        (error,) = await read_until(connection, "error")
        assert error["error"]["code"] == "session_expired"
        assert await closed_with(connection) == 1001
    await api.until_over(call)


async def test_frames_can_be_anything(api: StandIn, post: Post) -> None:
    call = api.place_call(Sends(frame=NOT_JSON), Complains(code="server_error"), CallerHangsUp())
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        assert await connection.recv() == NOT_JSON
        assert json.loads(await connection.recv())["error"]["code"] == "server_error"


async def test_a_late_event_is_sent_at_last(api: StandIn, post: Post) -> None:
    call = api.place_call(faults=Faults(stream=(Late(type="response.done", events=99),)))
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        await send(connection, GREET)
        events = await read_until(connection, "response.done")
    assert [event["type"] for event in events[-2:]] == ["output_audio_buffer.stopped", "response.done"]


async def test_steps_can_be_added_while_the_call_lasts(api: StandIn, post: Post) -> None:
    call = api.place_call()
    await post(call, "accept", SESSION)
    async with sideband(api, call) as connection:
        await api.until(lambda: call.attached == 1)
        call.play(CallerHangsUp())
        api.wake(call)
        assert await closed_with(connection) == 1000


async def test_a_pace_slows_the_call_down() -> None:
    async with StandIn(pace=0.01) as slow, aiohttp.ClientSession(headers=headers(slow)) as session:
        call = slow.place_call(CallerSays(text="Hello"), CallerHangsUp())
        await session.post(f"{slow.base_url}/realtime/calls/{call.id}/accept", json=SESSION)
        async with sideband(slow, call) as connection:
            await closed_with(connection)
        assert call.conversation is not None
        assert call.conversation.flows.now_s > 1.0


async def test_waiting_for_what_never_happens_ends(api: StandIn) -> None:
    with pytest.raises(TimeoutError):
        await api.until(lambda: False, timeout_s=0.01)


async def test_a_bug_of_the_stand_in_is_no_client_that_never_comes() -> None:
    def fails(kind: str, value: Any) -> None:
        raise ZeroDivisionError(kind)

    waited_for: list[type[Exception]] = []

    async def play() -> None:
        async with (
            StandIn(inspect_sent=fails) as broken,
            aiohttp.ClientSession(headers=headers(broken)) as http,
        ):
            call = broken.place_call(CallerSays(text="Hello"))
            await http.post(f"{broken.base_url}/realtime/calls/{call.id}/accept", json=SESSION)
            async with sideband(broken, call):
                try:
                    await broken.until(lambda: False)
                except Exception as error:
                    waited_for.append(type(error))

    with pytest.raises(ZeroDivisionError):
        await play()
    assert waited_for == [ZeroDivisionError]


async def test_every_sideband_of_a_call_hears_it(api: StandIn, post: Post) -> None:
    call = api.place_call(greets(), CallerHangsUp())
    await post(call, "accept", SESSION)
    async with sideband(api, call) as first, sideband(api, call) as second:
        await send(second, GREET)
        heard = [await read_until(each, "output_audio_buffer.stopped") for each in (first, second)]
        assert heard[0] == heard[1]
        assert [await closed_with(each) for each in (first, second)] == [1000, 1000]
    assert call.violations == []


async def test_when_the_last_sideband_of_a_call_is_closed_the_one_before_may_speak_again(
    api: StandIn, post: Post
) -> None:
    call = api.place_call(greets())
    await post(call, "accept", SESSION)
    async with sideband(api, call) as first:
        async with sideband(api, call):
            await api.until(lambda: call.attached == 2)
        await api.until(lambda: not api._played._older[call.id])
        await send(first, GREET)
        await read_until(first, "output_audio_buffer.stopped")
    assert call.violations == []


async def test_only_the_last_sideband_of_a_call_may_speak(api: StandIn, post: Post) -> None:
    call = api.place_call(greets())
    await post(call, "accept", SESSION)
    async with sideband(api, call) as first:
        await send(first, GREET)
        async with sideband(api, call):
            await api.until(lambda: call.received)
            assert call.violations == []
            await send(first, {"type": "response.cancel"})
            await api.until(lambda: call.violations)
    assert call.violations == ["an event on a sideband that a newer one has replaced"]
