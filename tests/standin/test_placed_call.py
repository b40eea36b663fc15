"""What REST requests bring about, what is noted, and what the faults of a stream do."""

import json
from typing import Any

import pytest

from runner.standin.faults import (
    AUDIO_FRAME,
    Faults,
    HttpFault,
    Late,
    Lost,
    Noise,
    ReferEffect,
    SidebandRefusal,
    StreamFault,
    Twice,
)
from runner.standin.outgoing import CloseCall, CloseSideband, SidebandStream
from runner.standin.placed_call import PlacedCall, RestReply, State

ACCEPT = {"type": "realtime", "model": "gpt-realtime-2.1"}
NOW = 1_700_000_000.0


def placed(**faults: Any) -> PlacedCall:
    return PlacedCall("rtc_1", (), Faults(**faults))


def code(reply: RestReply) -> tuple[int, str | None]:
    return reply.status, reply.body["error"]["code"] if reply.body else None


def test_the_first_decision_about_a_ringing_call_wins() -> None:
    call = placed()
    assert code(call.answer("accept", ACCEPT, NOW)) == (200, None)
    assert call.state is State.ACCEPTED
    assert code(call.answer("accept", ACCEPT, NOW)) == (409, "decision_already_made")
    assert code(call.answer("reject", {"status_code": 486}, NOW)) == (409, "decision_already_made")


def test_a_rejected_call_is_known_no_more() -> None:
    call = placed()
    assert code(call.answer("reject", {"status_code": 486}, NOW)) == (200, None)
    assert call.state is State.REJECTED
    assert code(call.answer("accept", ACCEPT, NOW)) == (404, "call_id_not_found")


@pytest.mark.parametrize(("action", "body"), [("refer", {"target_uri": "tel:+1"}), ("hangup", None)])
def test_a_ringing_call_cannot_be_referred_or_hung_up(action: str, body: Any) -> None:
    assert code(placed().answer(action, body, NOW)) == (404, "call_id_not_found")


def test_a_second_hang_up_finds_no_call() -> None:
    call = placed()
    call.answer("accept", ACCEPT, NOW)
    assert code(call.answer("hangup", None, NOW)) == (200, None)
    assert CloseCall(1000) in list(iter(call.next, None))
    assert code(call.answer("hangup", None, NOW)) == (404, "call_id_not_found")


@pytest.mark.parametrize(("effect", "leaves"), [(ReferEffect.LEAVES, True), (ReferEffect.STAYS, False)])
def test_a_refer_answered_with_200_may_or_may_not_take_the_caller_away(
    effect: ReferEffect, leaves: bool
) -> None:
    call = placed(refer_effect=effect)
    call.answer("accept", ACCEPT, NOW)
    assert code(call.answer("refer", {"target_uri": "tel:+14155550123"}, NOW)) == (200, None)
    assert (CloseCall(1000) in list(iter(call.next, None))) is leaves


@pytest.mark.parametrize(
    ("action", "body", "violation"),
    [
        ("accept", None, "accept: the body must be a JSON object"),
        ("accept", {"model": "m"}, "accept: Missing required parameter: 'type', which must be 'realtime'."),
        ("reject", {"status": 486}, 'reject: the body must be {"status_code": <a SIP status>} or empty'),
        ("reject", {"status_code": 200}, 'reject: the body must be {"status_code": <a SIP status>} or empty'),
        ("refer", {}, 'refer: the body must be {"target_uri": "tel:…" or "sip:…"}'),
        ("refer", {"target_uri": "+1415"}, 'refer: the body must be {"target_uri": "tel:…" or "sip:…"}'),
        ("hangup", {"reason": "x"}, "hangup: the body must be empty"),
    ],
)
def test_a_body_that_the_api_would_not_take_is_refused_and_noted(
    action: str, body: Any, violation: str
) -> None:
    call = placed()
    if action in ("refer", "hangup"):
        call.answer("accept", ACCEPT, NOW)
    assert call.answer(action, body, NOW).status == 400
    assert call.violations == [violation]


@pytest.mark.parametrize("side", ["input", "output"])
def test_an_audio_format_is_taken_and_noted_because_it_breaks_the_audio(side: str) -> None:
    call = placed()
    body = {**ACCEPT, "audio": {side: {"format": {"type": "audio/pcmu"}}}}
    assert call.answer("accept", body, NOW).status == 200
    assert call.violations == [f"accept: 'audio.{side}.format' breaks the audio of a phone call"]


def test_the_sideband_of_a_call_is_unknown_for_as_many_attempts_as_was_asked_for() -> None:
    call = placed(unknown_attempts=2)
    assert call.attach() is None  # ringing
    call.answer("accept", ACCEPT, NOW)
    assert call.attach() is None
    assert call.attach() is call.conversation is not None


def test_a_refused_sideband_opens_and_is_closed_after_an_error() -> None:
    call = placed(refusal=SidebandRefusal(code="invalid_api_key", message="No.", close_code=4000))
    call.answer("accept", ACCEPT, NOW)
    call.attach()
    error, closed = iter(call.next, None)
    assert isinstance(error, dict)
    assert error["error"]["code"] == "invalid_api_key"
    assert closed == CloseSideband(4000)


def test_what_was_not_sent_before_the_sideband_broke_is_not_sent_after() -> None:
    call = placed()
    call.answer("accept", ACCEPT, NOW)
    call.attach()
    call.receive({"type": "response.create"})
    call.detach()
    call.attach()
    assert list(iter(call.next, None)) == []


def test_faults_of_a_request_are_used_up_one_by_one() -> None:
    fault = HttpFault(status=500)
    call = placed(accept=(fault,))
    assert [call.take_fault("accept"), call.take_fault("accept"), call.take_fault("hangup")] == [
        fault,
        None,
        None,
    ]


def event(kind: str) -> dict[str, str]:
    return {"type": kind}


def sent(stream: SidebandStream, *kinds: str) -> list[str]:
    frames = [frame for kind in kinds for frame in stream.frames(event(kind))]
    return [json.loads(frame)["type"] for frame in frames]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Twice(type="b"), ["a", "b", "b", "c", "d"]),
        (Lost(type="b"), ["a", "c", "d"]),
        (Late(type="b"), ["a", "c", "b", "d"]),
        (Late(type="b", events=2), ["a", "c", "d", "b"]),
        (Noise(frame=AUDIO_FRAME, before="c"), ["a", "b", "response.output_audio.delta", "c", "d"]),
        (Twice(type="z"), ["a", "b", "c", "d"]),
    ],
)
def test_a_stream_misbehaves_as_it_was_told(fault: StreamFault, expected: list[str]) -> None:
    assert sent(SidebandStream((fault,)), "a", "b", "c", "d") == expected


def test_what_is_late_comes_at_last_when_nothing_else_does() -> None:
    stream = SidebandStream((Late(type="b", events=9),))
    assert sent(stream, "a", "b") == ["a"]
    assert stream.rest() == ['{"type":"b"}']
    assert stream.rest() == []


def test_a_sideband_that_is_cut_leaves_the_call() -> None:
    call = placed()
    call.answer("accept", ACCEPT, NOW)
    call.attach()
    call.cut()
    assert call.next() == CloseSideband(1006)
    assert not call.is_over
