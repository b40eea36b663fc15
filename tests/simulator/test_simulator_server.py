"""The stand-in over real sockets; everything that it sends is checked against the published types."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from openai_types import client_complaint, server_complaint
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from runner.simulator import (
    CallerHangsUp,
    CallerSays,
    PlacedCall,
    Simulator,
    calls,
    greets,
    says,
)

SESSION = {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be kind."}
GREET = {
    "type": "response.create",
    "response": {"instructions": 'Say: "Hello there."', "tool_choice": "none"},
}


@pytest.fixture
async def api() -> AsyncIterator[Simulator]:
    async with Simulator(inspect_received=client_complaint, inspect_sent=server_complaint) as simulator:
        yield simulator


@pytest.fixture
async def post(api: Simulator) -> AsyncIterator[Callable[..., Awaitable[tuple[int, Any]]]]:
    async with aiohttp.ClientSession(headers=headers(api)) as session:

        async def post(call: PlacedCall, action: str, body: Any = None, **more: Any) -> tuple[int, Any]:
            url = f"{api.base_url}/realtime/calls/{call.id}/{action}"
            async with session.post(url, json=body, **more) as response:
                text = await response.text()
                return response.status, json.loads(text) if text else None

        yield post


def headers(api: Simulator) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.api_key}"}


@asynccontextmanager
async def sideband(api: Simulator, call: PlacedCall, query: str = "") -> AsyncIterator[ClientConnection]:
    url = api.base_url.replace("http", "ws") + f"/realtime?call_id={call.id}{query}"
    async with connect(url, additional_headers=headers(api)) as connection:
        yield connection


async def send(connection: ClientConnection, event: Any) -> None:
    await connection.send(json.dumps(event))


async def read_until(connection: ClientConnection, kind: str) -> list[dict[str, Any]]:
    events = []
    while not events or events[-1]["type"] != kind:
        events.append(json.loads(await connection.recv()))
    return events


async def test_a_whole_call_runs_from_greeting_over_a_tool_to_the_callers_goodbye(api, post):
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
