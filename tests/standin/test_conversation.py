"""The API's side of a call, event by event, as recordings of the API and its published types show it."""

import json
from typing import Any

import pytest

from runner.standin.client_requests import receive
from runner.standin.conversation import PlayedConversation
from runner.standin.faults import UNKNOWN_EVENT
from runner.standin.outgoing import CloseCall, CloseSideband, Outgoing, RawFrame
from runner.standin.pace import AT_ONCE
from runner.standin.script import (
    CallerHangsUp,
    CallerIsSilent,
    CallerPresses,
    CallerSays,
    CallsTool,
    Complains,
    Drops,
    Ending,
    Expires,
    Occasion,
    Says,
    ScriptedResponse,
    ScriptStep,
    Sends,
    Transcription,
    When,
    calls,
    greets,
    says,
)
from tests.standin.conversations import (
    CREATE,
    TRANSCRIBED,
    conversation,
    events,
    next_of,
    only,
    output,
    run,
    say,
    types,
)


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


def test_the_caller_waits_until_tools_have_answered_and_the_model_has_spoken() -> None:
    played = conversation(greets(), calls("f", call_id="call_a"), CallerHangsUp())
    outgoing = receive(played, say("Hello.")) + run(played) + receive(played, CREATE) + run(played)
    assert "CloseCall" not in types(outgoing)
    outgoing = receive(played, output("call_a")) + run(played)
    assert types(outgoing) == ["conversation.item.added", "conversation.item.done"]
    outgoing = receive(played, CREATE) + run(played)
    assert outgoing[-1] == CloseCall(1000)


def test_a_caller_may_speak_or_leave_while_a_tool_runs() -> None:
    played = conversation(calls("f", call_id="call_a"), CallerHangsUp(when=When.TOOL_RUNS, close_code=1006))
    outgoing = receive(played, CREATE) + run(played)
    assert CloseCall(1006) in outgoing
    assert types(outgoing).index("response.output_item.done") < outgoing.index(CloseCall(1006))


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
        (CallerHangsUp(close_code=1006), [CloseCall(1006)]),
    ],
)
def test_what_breaks_is_a_step_like_any_other(step: ScriptStep, outgoing: list[Outgoing]) -> None:
    assert run(conversation(step)) == outgoing


def test_an_expired_session_is_an_error_and_the_end() -> None:
    error, leave = run(conversation(Expires()))
    assert isinstance(error, dict)
    assert error["error"]["code"] == "session_expired"
    assert leave == CloseCall(1001)


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


def test_everything_that_is_sent_can_be_written_as_json() -> None:
    played = conversation(greets(), CallerSays(text="Ünïcode"), calls("f", "not json"), **TRANSCRIBED)
    outgoing = receive(played, say("Hello.")) + run(played)
    assert json.loads(json.dumps(outgoing)) == outgoing


def test_a_model_that_does_not_improvise_thinks_until_the_script_says_what_it_says() -> None:
    played = PlayedConversation(call="1", session={"type": "realtime"}, pace=AT_ONCE, improvises=False)
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
