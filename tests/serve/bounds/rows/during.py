"""An API, a model and a caller that do too much, or nothing at all, while a call lasts."""

import json

from aiohttp import web

from runner.call.records.redaction import MOST_SEARCHED
from runner.standin.faults import Faults, HttpFault, Lost, ReferEffect
from runner.standin.placed_call import PlacedCall
from runner.standin.script import (
    CallerHangsUp,
    CallerSays,
    CallsTool,
    Ending,
    Occasion,
    Says,
    ScriptedResponse,
    calls,
    greets,
    says,
)
from tests.patience import PATIENCE_S
from tests.serve.bounds.configuration import LISTENS, USES_MCP
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.service import Service
from tests.serve.bounds.serving import hang
from tests.serve.bounds.table import beyond, waits_beyond

FAILS = ScriptedResponse(output=(Says(text="Hm"),), ending=Ending.FAILED, to=Occasion.ANY)
RATE_LIMITED = ScriptedResponse(
    ending=Ending.FAILED, to=Occasion.ANY, error=("rate_limit_exceeded", "Rate limit reached.")
)
SILENT = HttpFault(after_s=60.0)


async def greeted(service: Service, call: PlacedCall) -> None:
    """Wait until the agent has greeted."""
    await service.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types(), PATIENCE_S)


def calls_fetch(path: str, call_id: str, name: str = "fetch") -> str:
    """An event in which the model calls a tool, of which the stand-in knows nothing."""
    arguments = json.dumps({"path": path})
    item = {"type": "function_call", "id": f"item_{call_id}", "name": name, "status": "completed"}
    done = {"type": "response.output_item.done", "response_id": "resp_x", "output_index": 0}
    return json.dumps({**done, "item": {**item, "call_id": call_id, "arguments": arguments}})


# The model.


@waits_beyond(
    "call.machine.floor.PATIENCE_S", "call.machine.silence.STALL_S", "call.machine.silence.MOST_STALLS"
)
async def a_model_that_says_nothing(service: Service) -> None:
    call, _ = await service.ring(greets())
    await greeted(service, call)
    call.is_mute = True
    kinds = ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped")
    spoken = [
        json.dumps({"type": kind, "item_id": "item_x", "audio_start_ms": 1, "audio_end_ms": 2})
        for kind in kinds
    ]
    await service.wire.sidebands[call.id].say(*spoken)
    line = await service.logged("call has ended", call_id=call.id)
    assert (line["ended"], line["detail"]) == (
        "model_failed",
        "the agent was asked to speak 3 times and said nothing",
    )
    await service.over(call)


@beyond("call.machine.failures.FAILURES_IN_A_ROW")
async def a_model_that_fails_again_and_again(service: Service) -> None:
    call = await service.play(greets(), CallerSays(text="Hello?"), FAILS, FAILS, FAILS, FAILS)
    record = await service.record(call)
    assert (record["ended"], record["detail"]) == (
        "model_failed",
        "the model failed 3 times in a row: server_error The model failed.",
    )


@waits_beyond("call.machine.speech.RATE_LIMIT_WAITS_S")
async def an_api_at_its_rate_limit(service: Service) -> None:
    call = await service.play(greets(), CallerSays(text="Hello?"), *[RATE_LIMITED] * 9)
    record = await service.record(call)
    assert (record["ended"], record["detail"]) == (
        "model_failed",
        "the API takes no more responses: rate_limit_exceeded Rate limit reached.",
    )


@beyond("call.machine.serving_agent.MOST_HANDOFFS")
async def a_call_that_is_handed_back_and_forth(service: Service) -> None:
    steps = [
        step for name in ["to_other", "to_stranger"] * 6 for step in (CallerSays(text="On."), calls(name))
    ]
    call = await service.play(greets(), *steps, CallerHangsUp())
    assert len((await service.record(call))["handoffs"]) == 10
    not_possible = '{"error":"the hand-off is not possible; go on as you are"}'
    assert list(call.outputs().values())[10] == not_possible


@waits_beyond("call.machine.serving_agent.CONFIRMED_S")
async def a_change_of_the_session_that_is_not_confirmed(service: Service) -> None:
    lost = Faults(stream=(Lost(type="session.updated"),))
    steps = (CallerSays(text="Spanish?"), calls("to_other"), says("Here I am."), CallerHangsUp())
    call = await service.play(greets(), *steps, faults=lost)
    assert [handoff["agent"] for handoff in (await service.record(call))["handoffs"]] == ["other"]


@waits_beyond("call.machine.mcp.READY_S")
async def a_server_that_does_not_list_its_tools(service: Service) -> None:
    lost = Faults(stream=(Lost(type="mcp_list_tools.completed"),))
    call = await service.play(greets(), CallerHangsUp(), to=USES_MCP, faults=lost)
    limit = LOWERED["call.machine.mcp.READY_S"]
    assert (await service.record(call))["faults"] == [f"MCP servers were not ready after {limit:g} seconds"]


@beyond("call.machine.guardrails.LONGEST_TEXT", "call.records.redaction.LONGEST_SEARCHED")
async def a_caller_who_does_not_stop_talking(service: Service) -> None:
    call, _ = await service.ring(greets(), to=LISTENS)
    await greeted(service, call)
    kind = "conversation.item.input_audio_transcription.completed"
    # A guardrail hears the end of such a text.
    for text in ("4111 1111 1111 1111 " + "one " * 25_000, "one " * 25_000 + "4111 1111 1111 1111"):
        said = {"type": kind, "item_id": f"item_{text[0]}", "content_index": 0, "transcript": text}
        await service.wire.sidebands[call.id].say(json.dumps(said))
        await service.neighbour.is_served()
    await service.over(call)
    record = await service.record(call)
    assert record["ended"] == "guardrail"
    heard = [turn["text"] for turn in record["turns"] if turn["role"] == "caller"]
    assert heard == ["[redacted]", "[redacted]"]


@beyond("call.records.redaction.MOST_SEARCHED")
async def a_reply_with_more_numbers_than_are_searched(service: Service) -> None:
    async def rows(_: web.Request) -> web.Response:
        return web.json_response([f"{n}@b.example" for n in range(MOST_SEARCHED + 1)])

    service.endpoint.handlers["many"] = rows
    asks = calls("fetch", {"path": "many"})
    call = await service.play(
        greets(), CallerSays(text="All?"), asks, says("So."), CallerHangsUp(), to=LISTENS
    )
    assert (await service.record(call))["tools"][0]["reply"] == "[redacted]"


@beyond()
async def a_conversation_without_end(service: Service) -> None:
    """Thousands of turns, all with numbers that have to be masked once the call is over."""
    call, _ = await service.ring(greets(), to=LISTENS)
    await greeted(service, call)
    said = [f"Mail me at {n}@b.example" for n in range(5_000)]
    await service.wire.sidebands[call.id].hear(*said)
    await service.neighbour.is_served()
    await service.hang_up(call)
    turns = [turn["text"] for turn in (await service.record(call))["turns"] if turn["role"] == "caller"]
    assert turns == ["Mail me at [email]"] * len(said)


# Transfers and the end.


@waits_beyond("api.realtime.orders.REFER_REPLY_S")
async def a_transfer_that_the_api_does_not_answer(service: Service) -> None:
    steps = (CallerSays(text="A person!"), calls("to_a_person", {"destination": "desk"}))
    faults = Faults(refer=(SILENT,))
    call = await service.play(greets(), *steps, says("Nobody is there."), CallerHangsUp(), faults=faults)
    assert list(call.outputs().values()) == ['{"error":"the transfer was not completed"}']


@waits_beyond("call.machine.transfers.TRANSFER_S")
async def a_transferred_call_that_stays(service: Service) -> None:
    steps = (CallerSays(text="A person!"), calls("to_a_person", {"destination": "desk"}))
    faults = Faults(refer_effect=ReferEffect.STAYS)
    call = await service.play(greets(), *steps, says("Nobody is there."), CallerHangsUp(), faults=faults)
    assert list(call.outputs().values()) == ['{"error":"the transfer was not completed"}']


@waits_beyond("call.machine.sentence.LAST_WORDS_S")
async def a_tool_that_runs_when_the_call_has_to_end(service: Service) -> None:
    service.endpoint.handlers["hangs"] = hang
    both = (CallsTool(name="fetch", arguments={"path": "hangs"}), CallsTool(name="end_call", arguments={}))
    call = await service.play(greets(), CallerSays(text="Bye."), ScriptedResponse(output=both), greets())
    record = await service.record(call)
    assert record["ended"] == "hangup"
    assert record["tools"][0]["took_s"] > record["ended_at"] - record["tools"][0]["started_at"]


@waits_beyond("serve.timeouts.hangup_s", "call.machine.call_ending.HANG_UP_AGAIN_S")
async def a_call_that_cannot_be_hung_up(service: Service) -> None:
    faults = Faults(hangup=(SILENT,) * 2)
    call = await service.play(greets(), CallerSays(text="Bye."), calls("end_call"), faults=faults)
    detail = "the voice API could not be reached (no reply in time)"
    await service.logged("hang-up failed", call_id=call.id, detail=detail, final=False)
    assert (await service.record(call))["ended"] == "hangup"
