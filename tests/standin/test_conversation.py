"""The API's side of a call, event by event, as recordings of the API and its published types show it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from runner.standin.caller import Caller
from runner.standin.client_requests import receive
from runner.standin.conversation import Conversation
from runner.standin.faults import UNKNOWN_EVENT
from runner.standin.outgoing import CloseSideband, EndCall, Outgoing, RawFrame
from runner.standin.pace import AT_ONCE
from runner.standin.script import (
    CallerHangsUp,
    CallerIsSilent,
    CallerPresses,
    CallerSays,
    CallsMcpTool,
    CallsTool,
    Complains,
    Drops,
    Ending,
    Expires,
    Occasion,
    Says,
    ScriptedResponse,
    Sends,
    Step,
    Transcription,
    When,
    calls,
    greets,
    says,
)
from tests.standin.openai_types import server_complaint

CREATE = {"type": "response.create"}
TRANSCRIBED = {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}


def conversation(*script: Step, **session: Any) -> Conversation:
    made = Conversation(call="1", session={"type": "realtime", "model": "gpt-realtime-2.1", **session})
    made.play(script)
    made.flows.start(Caller(made, 1_700_000_000.0).flow())
    made.attached = True
    return made


def run(played: Conversation) -> list[Outgoing]:
    """Everything that happens until it is the client's turn."""
    outgoing = played.flows.settle()
    while (delay_s := played.flows.delay_s()) is not None:
        played.flows.pass_time(delay_s)
        outgoing += played.flows.settle()
    for each in outgoing:
        if isinstance(each, dict):
            assert server_complaint("event", each) is None
    return outgoing


def types(outgoing: list[Outgoing]) -> list[str]:
    return [each["type"] if isinstance(each, dict) else type(each).__name__ for each in outgoing]


def events(outgoing: list[Outgoing]) -> list[dict[str, Any]]:
    """What is sent, where all of it has to be events."""
    sent = [each for each in outgoing if isinstance(each, dict)]
    assert sent == outgoing
    return sent


def only(outgoing: list[Outgoing], kind: str) -> list[dict[str, Any]]:
    return [each for each in outgoing if isinstance(each, dict) and each["type"] == kind]


def say(sentence: str) -> dict[str, Any]:
    return {"type": "response.create", "response": {"instructions": f'Say: "{sentence}"'}}


def output(call_id: str, text: str = "{}") -> dict[str, Any]:
    item = {"type": "function_call_output", "call_id": call_id, "output": text}
    return {"type": "conversation.item.create", "event_id": "e1", "item": item}


def test_a_spoken_response_comes_in_the_recorded_order() -> None:
    played = conversation()
    outgoing = receive(played, say("Hello there.")) + run(played)
    assert types(outgoing) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "output_audio_buffer.started",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
        "output_audio_buffer.stopped",
    ]


def test_a_tool_call_comes_in_the_recorded_order() -> None:
    played = conversation(calls("get_weather", {"city": "London"}, call_id="call_a"))
    outgoing = receive(played, CREATE) + run(played)
    shortened = [
        kind for kind, after in zip(types(outgoing), [*types(outgoing)[1:], ""], strict=True) if kind != after
    ]
    assert shortened == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    (done,) = only(outgoing, "response.done")
    (item,) = done["response"]["output"]
    assert (item["name"], item["call_id"], item["arguments"]) == (
        "get_weather",
        "call_a",
        '{"city": "London"}',
    )


def test_a_callers_turn_is_answered_by_the_api_itself() -> None:
    played = conversation(CallerSays(text="Hello"), says("Hi."))
    assert types(run(played))[:6] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]


@pytest.mark.parametrize(
    ("detection", "answers"),
    [({"type": "semantic_vad"}, 1), ({"type": "server_vad", "create_response": False}, 0)],
)
def test_create_response_decides_whether_the_api_answers(detection: Any, answers: int) -> None:
    played = conversation(CallerSays(text="Hello"), audio={"input": {"turn_detection": detection}})
    assert types(run(played)).count("response.created") == answers


def test_without_turn_detection_nobody_notices_that_the_caller_spoke() -> None:
    played = conversation(CallerSays(text="Hello"), audio={"input": {"turn_detection": None}})
    assert run(played) == []


def test_transcription_is_off_unless_the_session_asks_for_it() -> None:
    played = conversation(CallerSays(text="Hello"))
    assert [kind for kind in types(run(played)) if "transcription" in kind] == []


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (Transcription.DURING_ANSWER, ["one", "two"]),
        (Transcription.AFTER_ANSWER, ["one", "two"]),
        (Transcription.AFTER_NEXT, ["two", "one"]),
        (Transcription.FAILED, ["two"]),
        (Transcription.NEVER, ["two"]),
    ],
)
def test_transcriptions_come_when_the_script_says(when: Transcription, expected: list[str]) -> None:
    played = conversation(CallerSays(text="one", transcription=when), CallerSays(text="two"), **TRANSCRIBED)
    outgoing = run(played)
    done = only(outgoing, "conversation.item.input_audio_transcription.completed")
    assert [event["transcript"] for event in done] == expected
    failed = only(outgoing, "conversation.item.input_audio_transcription.failed")
    assert len(failed) == (when is Transcription.FAILED)


def test_a_transcription_after_the_answer_comes_after_response_done() -> None:
    played = conversation(CallerSays(text="one", transcription=Transcription.AFTER_ANSWER), **TRANSCRIBED)
    kinds = types(run(played))
    assert kinds.index("response.done") < kinds.index("conversation.item.input_audio_transcription.completed")


def test_keys_have_no_event_id() -> None:
    outgoing = run(conversation(CallerPresses(keys="4#")))
    assert [(event["event"], "event_id" in event) for event in outgoing if isinstance(event, dict)] == [
        ("4", False),
        ("#", False),
    ]


def test_silence_brings_a_nudge_that_is_no_turn_of_the_callers() -> None:
    kinds = types(run(conversation(CallerIsSilent())))
    assert kinds[:5] == [
        "input_audio_buffer.timeout_triggered",
        "conversation.item.added",
        "conversation.item.done",
        "input_audio_buffer.committed",
        "conversation.item.added",
    ]
    assert "response.created" in kinds


def test_metadata_comes_back_with_the_response() -> None:
    played = conversation()
    outgoing = receive(played, {**CREATE, "response": {"metadata": {"wish": "w1"}}}) + run(played)
    (created,) = only(outgoing, "response.created")
    (done,) = only(outgoing, "response.done")
    assert created["response"]["metadata"] == done["response"]["metadata"] == {"wish": "w1"}


def test_a_second_response_is_refused_while_one_is_active() -> None:
    played = conversation(greets(), CallerHangsUp())
    receive(played, say("Hello."))
    (error,) = events(receive(played, {**CREATE, "event_id": "mine"}))
    assert error["error"] == {
        "type": "invalid_request_error",
        "code": "conversation_already_has_active_response",
        "message": "Conversation already has an active response in progress: resp_100001. "
        "Wait until the response is finished before creating a new one.",
        "param": None,
        "event_id": "mine",
    }
    assert len(played.violations) == 1


def test_a_response_that_the_api_has_made_meanwhile_is_no_fault_of_the_clients() -> None:
    played = conversation(ScriptedResponse(to=Occasion.OVERTAKES, output=(Says(text="I am first."),)))
    created, error = events(receive(played, say("Hello.")))
    assert created["response"]["metadata"] is None
    assert error["error"]["code"] == "conversation_already_has_active_response"
    assert played.violations == []


def test_cancel_ends_the_response_and_a_second_one_finds_none() -> None:
    played = conversation(ScriptedResponse(output=(Says(text="On and on."),), ending=Ending.NEVER))
    receive(played, CREATE)
    run(played)
    (done,) = only(receive(played, {"type": "response.cancel"}), "response.done")
    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    (error,) = events(receive(played, {"type": "response.cancel"}))
    assert error["error"]["code"] == "response_cancel_not_active"
    assert played.violations == []


@pytest.mark.parametrize(
    ("ending", "status", "details"),
    [
        (Ending.TURN_DETECTED, "cancelled", {"type": "cancelled", "reason": "turn_detected"}),
        (Ending.MAX_OUTPUT_TOKENS, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}),
        (Ending.CONTENT_FILTER, "incomplete", {"type": "incomplete", "reason": "content_filter"}),
    ],
)
def test_a_response_that_ends_badly_leaves_its_last_part_incomplete(
    ending: Ending, status: str, details: Any
) -> None:
    played = conversation(ScriptedResponse(output=(CallsTool(name="f", arguments={"a": 1}),), ending=ending))
    outgoing = receive(played, CREATE) + run(played)
    (done,) = only(outgoing, "response.done")
    assert (done["response"]["status"], done["response"]["status_details"]) == (status, details)
    assert [item["status"] for item in done["response"]["output"]] == ["incomplete"]
    # It comes on interruption too, which is why nobody may act on it.
    assert len(only(outgoing, "response.function_call_arguments.done")) == 1
    assert played.open_calls == {}


def test_a_failed_response_tells_its_error() -> None:
    played = conversation(ScriptedResponse(ending=Ending.FAILED))
    (done,) = only(receive(played, CREATE) + run(played), "response.done")
    assert done["response"]["status"] == "failed"
    assert done["response"]["status_details"]["error"]["code"] == "server_error"


def test_speech_and_a_call_interleave_in_one_response() -> None:
    parts = (
        Says(text="I'll look at the calendar for you."),
        CallsTool(name="f", arguments={"day": "friday"}),
    )
    played = conversation(ScriptedResponse(output=parts, interleaved=True))
    kinds = types(receive(played, CREATE) + run(played))
    last_word = len(kinds) - kinds[::-1].index("response.output_audio_transcript.delta") - 1
    assert kinds.index("response.function_call_arguments.delta") < last_word


def test_a_barge_in_cancels_the_response_and_forgets_what_was_not_heard() -> None:
    played = conversation(greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS), says("Sorry."))
    outgoing = receive(played, say("Welcome to a very long greeting that nobody wants.")) + run(played)
    kinds = types(outgoing)
    start = kinds.index("input_audio_buffer.speech_started")
    assert kinds[start + 1 : start + 10] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
        "output_audio_buffer.cleared",
        "conversation.item.truncated",
    ]
    first, second = only(outgoing, "response.done")
    assert first["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert second["response"]["status"] == "completed"


def test_an_interrupted_transcript_holds_just_the_words_that_were_sent() -> None:
    played = conversation(greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS))
    outgoing = receive(played, say("one two three four five six")) + run(played)
    (first, *_) = only(outgoing, "response.output_audio_transcript.done")
    deltas = [
        event["delta"]
        for event in only(outgoing, "response.output_audio_transcript.delta")
        if event["item_id"] == first["item_id"]
    ]
    assert "".join(deltas) == first["transcript"] == "one two three"


def test_a_barge_in_after_the_response_was_made_clears_the_playback_only() -> None:
    script = (greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS))
    played = conversation(*script)
    outgoing = receive(played, say("Hello.")) + run(played)
    kinds = types(outgoing)
    assert kinds.index("response.done") < kinds.index("input_audio_buffer.speech_started")
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("output_audio_buffer.cleared")
    assert only(outgoing, "response.done")[0]["response"]["status"] == "completed"


def test_responses_are_heard_one_after_the_other() -> None:
    played = conversation()
    outgoing = receive(played, say("A sentence that takes its time to be heard."))
    while not only(outgoing, "response.done"):
        played.flows.pass_time(played.flows.delay_s() or 0.0)
        outgoing += played.flows.settle()
    outgoing += receive(played, say("The next.")) + run(played)
    heard = [kind for kind in types(outgoing) if kind.startswith("output_audio_buffer")]
    assert heard == ["output_audio_buffer.started", "output_audio_buffer.stopped"] * 2
    assert len(only(outgoing, "response.done")) == 2


def test_the_caller_waits_until_tools_have_answered_and_the_model_has_spoken() -> None:
    played = conversation(greets(), calls("f", call_id="call_a"), CallerHangsUp())
    outgoing = receive(played, say("Hello.")) + run(played) + receive(played, CREATE) + run(played)
    assert "EndCall" not in types(outgoing)
    outgoing = receive(played, output("call_a")) + run(played)
    assert types(outgoing) == ["conversation.item.added", "conversation.item.done"]
    outgoing = receive(played, CREATE) + run(played)
    assert outgoing[-1] == EndCall(1000)


def test_a_caller_may_speak_or_leave_while_a_tool_runs() -> None:
    played = conversation(calls("f", call_id="call_a"), CallerHangsUp(when=When.TOOL_RUNS, close_code=1006))
    outgoing = receive(played, CREATE) + run(played)
    assert EndCall(1006) in outgoing
    assert types(outgoing).index("response.output_item.done") < outgoing.index(EndCall(1006))


@pytest.mark.parametrize(
    ("twice", "call_id", "message"),
    [
        (False, "call_b", "Tool call ID 'call_b' not found in conversation."),
        (True, "call_a", "Tool call ID 'call_a' has an output already."),
    ],
)
def test_an_output_is_taken_once_and_only_for_a_call_that_was_made(
    twice: bool, call_id: str, message: str
) -> None:
    played = conversation(calls("f", call_id="call_a"))
    receive(played, CREATE)
    run(played)
    if twice:
        assert types(receive(played, output("call_a"))) == [
            "conversation.item.added",
            "conversation.item.done",
        ]
    (error,) = events(receive(played, output(call_id)))
    assert (error["error"]["code"], error["error"]["message"]) == ("invalid_tool_call_id", message)
    assert played.violations == [message]


def test_what_a_response_has_read_the_next_one_reads_from_the_cache() -> None:
    played = conversation(instructions="x" * 400)
    first = only(receive(played, say("One.")) + run(played), "response.done")[0]["response"]["usage"]
    second = only(receive(played, say("Two.")) + run(played), "response.done")[0]["response"]["usage"]
    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_token_details"]["cached_tokens"] == first["input_tokens"] == 100
    for usage in (first, second):
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        details = usage["output_token_details"]
        assert usage["output_tokens"] == details["text_tokens"] + details["audio_tokens"]


@pytest.mark.parametrize(
    ("step", "outgoing"),
    [
        (Drops(close_code=1001), [CloseSideband(1001)]),
        (Sends(frame=UNKNOWN_EVENT), [RawFrame(UNKNOWN_EVENT)]),
        (CallerHangsUp(close_code=1006), [EndCall(1006)]),
    ],
)
def test_what_breaks_is_a_step_like_any_other(step: Step, outgoing: list[Outgoing]) -> None:
    assert run(conversation(step)) == outgoing


def test_an_expired_session_is_an_error_and_the_end() -> None:
    error, leave = run(conversation(Expires()))
    assert isinstance(error, dict)
    assert error["error"]["code"] == "session_expired"
    assert leave == EndCall(1001)


def test_a_complaint_may_close_the_sideband() -> None:
    error, closed = run(conversation(Complains(code="invalid_api_key", close_code=3000)))
    assert isinstance(error, dict)
    assert error["error"]["code"] == "invalid_api_key"
    assert closed == CloseSideband(3000)


def test_an_answer_can_be_held_until_the_client_has_sent_something() -> None:
    played = conversation(
        CallerSays(text="Hi"), ScriptedResponse(output=(Says(text="Yes?"),), held_until="response.create")
    )
    assert types(run(played))[-1] == "response.created"
    (error,) = events(receive(played, CREATE))
    assert error["error"]["code"] == "conversation_already_has_active_response"
    assert "response.done" in types(run(played))
    assert played.violations == []


def test_a_session_of_text_speaks_no_audio() -> None:
    played = conversation(output_modalities=["text"])
    kinds = types(receive(played, say("Hello.")) + run(played))
    assert "response.output_text.delta" in kinds
    assert not any("audio" in kind for kind in kinds)


def test_a_response_outside_the_conversation_adds_no_items() -> None:
    played = conversation()
    outgoing = receive(played, {**CREATE, "response": {"conversation": "none"}}) + run(played)
    assert "conversation.item.added" not in types(outgoing)
    assert played.items.last_id is None


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("hello", "Invalid event: expected an object."),
        ({"kind": "response.create"}, "Missing required parameter: 'type'."),
        ({**CREATE, "respone": {}}, "Unknown parameter: 'respone'."),
        ({**CREATE, "response": {"modalities": ["audio"]}}, "Unknown parameter: 'response.modalities'."),
        ({**CREATE, "response": {"metadata": {"n": 1}}}, "Invalid value for 'response.metadata'."),
        ({**CREATE, "event_id": 7}, "Invalid value for 'event_id'."),
        ({"type": "conversation.item.create"}, "Missing required parameter: 'item'."),
        (
            {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "a"}},
            "Missing required parameter: 'item.output'.",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "a", "output": {"a": 1}},
            },
            "Invalid value for 'item.output'.",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "id": "i" * 33, "call_id": "a", "output": ""},
            },
            "Invalid 'item.id': string too long. Expected a string with maximum length 32, "
            "but got a string with length 33 instead.",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "system", "content": [{"type": "text", "text": "x"}]},
            },
            "Invalid value for 'item.content[0].type'.",
        ),
        (
            {"type": "conversation.item.delete", "item_id": "nope"},
            "Error with the item: the item with id 'nope' does not exist.",
        ),
    ],
)
def test_what_the_api_would_not_take_is_refused_and_noted(event: Any, message: str) -> None:
    played = conversation()
    (error,) = events(receive(played, event))
    assert error["error"]["message"] == message
    assert played.violations == [message]


def test_the_audio_of_a_phone_call_is_not_the_clients() -> None:
    played = conversation()
    (error,) = events(receive(played, {"type": "input_audio_buffer.append", "audio": "AAAA"}))
    assert error["error"]["message"].startswith("Invalid value: 'input_audio_buffer.append'.")


def test_a_message_enters_the_conversation_where_it_is_put() -> None:
    played = conversation()
    content = [{"type": "input_text", "text": "The caller pressed 4."}]
    first = {"id": "one", "type": "message", "role": "user", "content": content}
    receive(played, {"type": "conversation.item.create", "item": first})
    added, _ = events(
        receive(
            played,
            {"type": "conversation.item.create", "previous_item_id": "root", "item": {**first, "id": "two"}},
        )
    )
    assert added["previous_item_id"] is None
    assert played.items.before("one") == "two"
    receive(played, {"type": "conversation.item.delete", "item_id": "two"})
    assert played.items.before("one") is None


def test_an_update_of_the_session_leaves_what_it_does_not_name() -> None:
    played = conversation(instructions="Old.", audio={"output": {"voice": "marin", "speed": 1.0}})
    update = {"type": "realtime", "instructions": "New.", "audio": {"output": {"speed": 1.2}}}
    (updated,) = events(receive(played, {"type": "session.update", "session": update}))
    assert updated["session"]["instructions"] == "New."
    assert updated["session"]["audio"] == {"output": {"voice": "marin", "speed": 1.2}}


def test_the_voice_is_frozen_once_it_was_heard() -> None:
    update = {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"output": {"voice": "cedar"}}},
    }
    played = conversation(audio={"output": {"voice": "marin"}})
    assert types(receive(played, update)) == ["session.updated"]
    receive(played, say("Hello."))
    run(played)
    assert types(receive(played, update)) == ["session.updated"]
    other = {**update, "session": {"type": "realtime", "audio": {"output": {"voice": "marin"}}}}
    (error,) = events(receive(played, other))
    assert error["error"]["code"] == "cannot_update_voice"
    assert len(played.violations) == 1


def test_a_caller_who_may_not_interrupt_is_answered_after_the_agent() -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    script = (greets(), CallerSays(text="Stop!", when=When.AGENT_SPEAKS))
    played = conversation(*script, audio={"input": {"turn_detection": detection}})
    outgoing = receive(played, say("A greeting that is a little longer.")) + run(played)
    assert "output_audio_buffer.cleared" not in types(outgoing)
    assert only(outgoing, "response.done")[0]["response"]["status"] == "completed"


def test_everything_that_is_sent_can_be_written_as_json() -> None:
    played = conversation(greets(), CallerSays(text="Ünïcode"), calls("f", "not json"), **TRANSCRIBED)
    outgoing = receive(played, say("Hello.")) + run(played)
    assert json.loads(json.dumps(outgoing)) == outgoing


MCP_CALL = CallsMcpTool(server="catalogue", name="search", arguments={"query": "mild"}, output="two")


def test_the_api_asks_an_mcp_server_and_the_response_waits_for_it() -> None:
    played = conversation(ScriptedResponse(output=(replace(MCP_CALL, takes_s=3.0),)))
    events = receive(played, CREATE) + run(played)
    kinds = [kind for kind in types(events) if "delta" not in kind]
    assert kinds == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    (done,) = only(events, "response.output_item.done")
    assert (done["item"]["output"], done["item"]["arguments"]) == ("two", '{"query": "mild"}')
    assert played.flows.now_s > 3.0


def test_an_mcp_server_that_fails_is_told_with_its_error() -> None:
    played = conversation(ScriptedResponse(output=(replace(MCP_CALL, output=None),)))
    events = receive(played, CREATE) + run(played)
    assert "response.mcp_call.failed" in types(events)
    assert only(events, "response.output_item.done")[0]["item"]["error"]["code"] == 502


@pytest.mark.parametrize(
    ("require_approval", "asks"),
    [
        (None, True),
        ("always", True),
        ("never", False),
        ({"never": {"tool_names": ["search"]}}, False),
        ({"never": {"tool_names": ["find"]}}, True),
    ],
)
@pytest.mark.parametrize("approve", [True, False])
def test_a_tool_of_an_mcp_server_waits_for_the_approval_that_the_session_wants(
    require_approval: Any, asks: bool, approve: bool
) -> None:
    server = {"type": "mcp", "server_label": "catalogue", "server_url": "https://c.example"}
    wanted = {} if require_approval is None else {"require_approval": require_approval}
    played = conversation(ScriptedResponse(output=(MCP_CALL,)), tools=[{**server, **wanted}])
    events = receive(played, CREATE) + run(played)
    requests = [
        event["item"]
        for event in only(events, "conversation.item.added")
        if event["item"]["type"] == "mcp_approval_request"
    ]
    assert bool(requests) is asks
    if asks:
        answer = {
            "type": "mcp_approval_response",
            "id": "a1",
            "approval_request_id": requests[0]["id"],
            "approve": approve,
        }
        assert "response.mcp_call.completed" not in types(events)
        events += receive(played, {"type": "conversation.item.create", "item": answer}) + run(played)
    assert ("response.mcp_call.completed" in types(events)) is (approve or not asks)
    assert types(events)[-2:] == ["response.done", "rate_limits.updated"]
    assert played.violations == []


def test_a_model_that_does_not_improvise_thinks_until_the_script_says_what_it_says() -> None:
    played = Conversation(call="1", session={"type": "realtime"}, pace=AT_ONCE, improvises=False)
    played.attached = True
    assert types(receive(played, CREATE) + run(played)) == ["response.created"]
    assert played.is_thinking
    played.play((says("Here I am."),))
    assert types(run(played))[-1] == "rate_limits.updated"
    assert (played.is_thinking, played.flows.now_s) == (False, 0.0)


def test_a_client_that_reacts_to_an_event_at_once_is_not_refused() -> None:
    played = conversation(calls("find", {}, call_id="call_a"), says("Found."))
    receive(played, CREATE)
    while next_of(played)["type"] != "response.output_item.done":
        pass
    assert types(receive(played, output("call_a")))[0] == "conversation.item.added"
    while next_of(played)["type"] != "response.done":
        pass
    assert types(receive(played, CREATE)) == ["response.created"]
    assert played.violations == []


def next_of(played: Conversation) -> dict[str, Any]:
    """The next event, whenever it comes."""
    while (sent := played.flows.step()) is None:
        played.flows.pass_time(played.flows.delay_s() or 0.0)
    assert isinstance(sent, dict)
    return sent


def test_at_once_the_caller_hears_a_response_begin_before_it_is_made() -> None:
    played = Conversation(call="1", session={"type": "realtime"}, pace=AT_ONCE)
    played.attached = True
    kinds = types(receive(played, say("One two three.")) + run(played))
    started, done = kinds.index("output_audio_buffer.started"), kinds.index("response.done")
    assert kinds.index("response.output_audio_transcript.delta") < started < done
    assert kinds.index("output_audio_buffer.stopped") > done


def test_three_responses_are_heard_in_their_order() -> None:
    played = conversation()
    sent: list[Outgoing] = []
    for sentence in ("The first one takes a while to be heard.", "The second.", "The third."):
        sent += receive(played, say(sentence))
        while played.active is not None:
            sent.append(next_of(played))
    sent += run(played)
    heard = [event["response_id"] for event in only(sent, "output_audio_buffer.started")]
    assert heard == [event["response"]["id"] for event in only(sent, "response.created")]


def test_what_was_heard_of_an_interrupted_answer_is_told_in_milliseconds() -> None:
    played = conversation(CallerSays(text="Wait.", when=When.AGENT_SPEAKS))
    played.flows.pass_time(5.0)
    outgoing = receive(played, say("one two three four five six")) + run(played)
    (truncated,) = only(outgoing, "conversation.item.truncated")
    # The caller speaks when the third word is made: two words, of 50 ms each, after the first was heard.
    assert truncated["audio_end_ms"] == 100


def test_an_update_can_be_refused_without_a_reason() -> None:
    played = conversation()
    played.refused_updates = 1
    update = {
        "type": "session.update",
        "event_id": "u1",
        "session": {"type": "realtime", "instructions": "x"},
    }
    (error,) = receive(played, update)
    assert isinstance(error, dict)
    assert (error["type"], error["error"]["event_id"]) == ("error", "u1")
    assert types(receive(played, update)) == ["session.updated"]
    assert played.violations == []
