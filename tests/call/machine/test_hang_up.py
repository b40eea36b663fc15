"""Hanging up, and what the caller is to hear before."""

from runner.call.machine.phase import Phase
from runner.model.action import Finish, HangUp, Refer, SendOutput, SendRequest, Speak
from runner.model.agent import Limits
from runner.model.conversation_event import (
    CallerSpeaks,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    ToolCalled,
)
from runner.model.event import CallGone, HangUpFailed, ReferAnswered, SidebandLost
from runner.model.tool import TransferBinding, WaitingStep
from tests.call.machine.playing import (
    END_CALL,
    HANG_UP,
    TO_NURSE,
    Play,
    expect,
    http_tool,
    talking,
    tool,
    words,
)

# Hang-up


def test_hang_up_waits_until_the_goodbye_has_been_heard() -> None:
    play = talking(END_CALL)
    assert play.responds(("end_call", "{}")) == [Speak(wish="wish_1", say="Goodbye!")]
    assert play.responds(heard=False) == []
    assert play.happens(PlaybackEnded(response_id="resp_2")) == [HangUp()]
    assert play.happens(CallGone()) == [Finish()]
    assert play.record.ended == "hangup"
    assert play.record.tools[0].status == "ok"


def test_before_a_goodbye_nothing_is_said_that_still_waited() -> None:
    slow = http_tool(while_waiting=(WaitingStep(after_s=1, say=(words("Let me look."),)),))
    play = talking(slow, limits=Limits(max_duration_s=20))
    play.responds(("find_slots", "{}"))
    play.happens(CallerSpeaks(began=True))
    play.passes(20)
    play.happens(CallerSpeaks(began=False))
    play.responds()
    (goodbye,) = play.spoken()
    assert goodbye is not None
    assert goodbye.startswith("You are desk.\n\nThe call has to end now.")


def test_a_goodbye_that_is_interrupted_ends_the_call_too() -> None:
    play = talking(END_CALL)
    play.responds(("end_call", "{}"))
    play.responds(heard=False)
    assert play.happens(PlaybackEnded(response_id="resp_2", interrupted=True)) == [HangUp()]


def test_a_goodbye_that_is_never_said_does_not_keep_the_call_open() -> None:
    play = talking(END_CALL)
    play.responds(("end_call", "{}"))
    assert play.passes(9) == []
    assert play.passes(1) == [HangUp()]


def test_a_goodbye_that_cannot_be_asked_for_does_not_keep_the_call_open() -> None:
    play = talking(END_CALL)
    play.happens(SidebandLost())
    called = ToolCalled(response_id="r", call_id="c", name="end_call", arguments="{}")
    assert play.happens(called) == []
    assert play.passes(29) == []
    assert play.passes(1) == [HangUp()]


def test_hang_up_without_a_sentence_is_at_once() -> None:
    play = talking(HANG_UP)
    assert play.responds(("hang_up", "{}")) == [HangUp()]


def test_hang_up_waits_for_tools_that_still_run() -> None:
    play = talking(http_tool("book"), HANG_UP)
    (sent,) = play.responds(("book", "{}"), ("hang_up", "{}"))
    assert isinstance(sent, SendRequest)
    assert play.replies(sent) == [SendOutput(call_id="call_1_0", output='{"ok":true}'), HangUp()]


def test_a_hang_up_that_fails_is_tried_again_until_that_is_final() -> None:
    play = talking(HANG_UP)
    play.responds(("hang_up", "{}"))
    for _ in range(2):
        assert play.happens(HangUpFailed(detail="503", final=False)) == []
        assert play.passes(29.9) == []
        assert play.passes(0.1) == [HangUp()]
    assert play.happens(HangUpFailed(detail="403 Forbidden", final=True)) == [Finish()]
    assert play.record.faults == ("the call could not be hung up: 403 Forbidden",)


def test_nothing_more_is_said_once_the_call_is_ending() -> None:
    play = talking(http_tool("book"), END_CALL)
    sent, goodbye = play.responds(("book", "{}"), ("end_call", "{}"))
    assert goodbye == Speak(wish="wish_1", say="Goodbye!")
    assert play.replies(sent) == [SendOutput(call_id="call_1_0", output='{"ok":true}')]
    assert play.responds() == [HangUp()]


def test_a_second_way_out_is_refused_while_the_first_is_taken() -> None:
    play = talking(END_CALL, TO_NURSE)
    play.responds(("end_call", "{}"), ("to_a_person", '{"destination":"nurse"}'))
    assert play.outputs() == {"call_1_1": '{"error":"not now: the call is being ended"}'}


# What the caller is to hear first


def hanging_up(*, audio_s: float = 0.0) -> Play:
    """A call whose agent says goodbye and hangs up in one response, which is still being heard."""
    play = talking(HANG_UP)
    called = ToolCalled(response_id="r", call_id="c", name="hang_up", arguments="{}")
    play.happens(ResponseStarted(response_id="r"), PlaybackStarted(response_id="r"), called)
    ended = ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, calls=(called,), audio_s=audio_s)
    assert play.happens(ended) == []
    return play


def test_a_hang_up_without_a_sentence_waits_until_the_response_was_heard() -> None:
    play = hanging_up()
    assert play.passes(3) == []
    assert play.happens(PlaybackEnded(response_id="r")) == [HangUp()]


def test_a_response_that_is_never_said_to_be_heard_holds_up_the_hang_up_for_its_length() -> None:
    play = hanging_up(audio_s=40)
    assert play.passes(44) == []
    assert play.passes(1) == [HangUp()]


def test_a_caller_who_speaks_over_the_last_words_ends_the_wait() -> None:
    play = hanging_up()
    assert play.happens(PlaybackEnded(response_id="r", interrupted=True)) == [HangUp()]


def test_a_sideband_that_is_lost_in_the_last_words_ends_the_wait() -> None:
    play = hanging_up()
    assert play.happens(SidebandLost()) == [HangUp()]
    play = talking(HANG_UP)
    called = ToolCalled(response_id="r", call_id="c", name="hang_up", arguments="{}")
    play.happens(ResponseStarted(response_id="r"), called)
    assert play.happens(SidebandLost()) == [HangUp()]


def test_a_hang_up_in_a_response_whose_beginning_was_missed_waits_until_it_was_heard() -> None:
    play = talking(http_tool(), HANG_UP)
    (sent,) = play.responds(("find_slots", "{}"))
    wish = expect(Speak, play.replies(sent)[-1]).wish
    called = ToolCalled(response_id="r", call_id="c", name="hang_up", arguments="{}")
    ended = ResponseEnded(response_id="r", wish=wish, outcome=Outcome.COMPLETED, calls=(called,))
    assert play.happens(called, PlaybackStarted(response_id="r"), ended) == []
    assert play.happens(PlaybackEnded(response_id="r")) == [HangUp()]


def test_a_hang_up_in_a_response_that_was_heard_already_is_done_at_once() -> None:
    play = talking(HANG_UP)
    play.happens(ResponseStarted(response_id="r"), PlaybackStarted(response_id="r"))
    play.happens(PlaybackEnded(response_id="r"))
    called = ToolCalled(response_id="r", call_id="c", name="hang_up", arguments="{}")
    assert play.happens(called) == [HangUp()]


def test_a_hang_up_whose_response_nobody_hears_is_done_at_once() -> None:
    play = talking(HANG_UP)
    assert play.responds(("hang_up", "{}"), audible=False) == [HangUp()]


def test_a_transfer_without_a_sentence_waits_until_the_response_was_heard() -> None:
    binding = TransferBinding(destinations={"nurse": words("sip:nurse@maple.example")})
    play = talking(tool("transfer", binding, parameters={"type": "object"}))
    assert play.responds(("transfer", '{"destination":"nurse"}'), heard=False) == []
    assert play.session.phase.now is Phase.ANNOUNCING
    play.passes(10)
    assert play.happens(PlaybackEnded(response_id="resp_1")) == [Refer(target="sip:nurse@maple.example")]


def test_a_goodbye_waits_for_what_stands_before_it() -> None:
    play = talking(END_CALL)
    called = ToolCalled(response_id="r", call_id="c", name="end_call", arguments="{}")
    play.happens(ResponseStarted(response_id="r"), PlaybackStarted(response_id="r"), called)
    ended = ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, calls=(called,), audio_s=70)
    (goodbye,) = play.happens(ended)
    wish = expect(Speak, goodbye).wish
    play.happens(
        ResponseStarted(response_id="g", wish=wish),
        ResponseEnded(response_id="g", wish=wish, outcome=Outcome.COMPLETED, audio_s=1),
    )
    # Seventy seconds of speech come first, though they were made in no time.
    assert play.passes(60) == []
    play.happens(PlaybackEnded(response_id="r"), PlaybackStarted(response_id="g"))
    assert play.happens(PlaybackEnded(response_id="g")) == [HangUp()]


def test_a_sentence_that_could_not_be_said_before_a_transfer_is_not_said_after_it() -> None:
    play = talking(TO_NURSE)
    play.happens(CallerSpeaks(began=True))
    play.happens(
        ToolCalled(response_id="r", call_id="c", name="to_a_person", arguments='{"destination":"nurse"}')
    )
    for _ in range(3):
        assert play.passes(9) == [], "the caller speaks, so the sentence waits"
        play.happens(CallerSpeaks(began=False), CallerSpeaks(began=True))
    assert play.passes(3) == [Refer(target="sip:nurse@maple.example")]
    play.happens(ReferAnswered(ok=False, detail="no"))
    play.passes(60)
    assert "One moment." not in play.spoken()
