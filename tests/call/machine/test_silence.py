"""Silence: of the caller, of the agent, or of a line on which nobody is."""

import pytest

from runner.call.machine.phase import Phase
from runner.call.machine.silence import GhostWatch
from runner.model.action import (
    AddItem,
    ClearTimer,
    HangUp,
    Interrupt,
    SendRequest,
    SetTimer,
    Speak,
    Timer,
    TimerKind,
)
from runner.model.agent import Limits, Silence
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    KeyPressed,
    McpCallStarted,
    McpListed,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    SilenceNudge,
    Transcribed,
)
from runner.model.event import CallEvent, SidebandLost, SidebandOpened
from runner.model.tool import McpServer
from tests.call.machine.playing import TO_SPANISH, Play, an_agent, expect, http_tool, speaks, talking, words

ASK = Silence(after_s=20, say=words("Are you still there?"), times=2)


# Silence


def test_a_silent_caller_is_asked_so_many_times_and_then_the_call_ends() -> None:
    play = talking(limits=Limits(silence=ASK))
    assert play.passes(19) == []
    assert play.passes(1) == [Speak(wish="wish_1", say="Are you still there?")]
    play.responds()
    assert play.passes(20) == [Speak(wish="wish_2", say="Are you still there?")]
    play.responds()
    (leave,) = play.passes(20)
    assert "The call has to end now." in (expect(Speak, leave).tell or "")
    assert play.responds() == [HangUp()]
    assert play.record.ended == "silence"


def test_a_caller_who_speaks_is_asked_anew() -> None:
    play = talking(limits=Limits(silence=ASK))
    for _ in range(3):
        play.passes(20)
        play.responds()
        speaks(play)
    assert play.spoken() == ["Are you still there?"] * 3
    assert play.session.phase.now is Phase.TALKING


def test_a_key_is_a_sign_of_the_caller_too() -> None:
    play = talking(limits=Limits(silence=ASK))
    play.passes(15)
    play.happens(KeyPressed(key="1"))
    assert play.passes(19) == []
    assert play.passes(1) == [Speak(wish="wish_1", say="Are you still there?")]


def test_a_caller_who_presses_keys_or_only_begins_to_speak_is_asked_anew() -> None:
    for signs, until in (((KeyPressed(key="1"),), 20), ((CallerSpeaks(began=True),), 81)):
        play = talking(limits=Limits(silence=ASK))
        for _ in range(3):
            play.passes(20 if not play.spoken() else until)
            play.responds()
            play.happens(*signs)
        assert play.spoken() == ["Are you still there?"] * 3
        assert play.session.phase.now is Phase.TALKING


def test_the_nudge_of_the_api_itself_is_no_turn_of_the_caller() -> None:
    play = talking(limits=Limits(silence=ASK))
    for _ in range(2):
        play.passes(20)
        play.responds()
        play.happens(SilenceNudge(item_id="nudge"))
        play.responds()
    play.passes(20)
    assert play.record.ended == "silence"


def test_silence_counts_from_when_the_agent_has_been_heard() -> None:
    play = talking(limits=Limits(silence=ASK))
    play.responds(heard=False)
    assert play.passes(29) == []
    play.happens(PlaybackEnded(response_id="resp_1"))
    assert play.passes(19) == []
    assert play.passes(1) == [Speak(wish="wish_1", say="Are you still there?")]


def test_nobody_is_asked_while_a_tool_runs() -> None:
    play = talking(http_tool(), limits=Limits(silence=ASK))
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.passes(50) == []
    play.replies(sent)
    assert play.spoken() == [None]


# The agent falls silent


def test_an_agent_that_says_nothing_after_the_caller_is_asked_to_go_on() -> None:
    play = talking()
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    assert play.passes(5.9) == []
    assert play.passes(0.1) == [Speak(wish="wish_1")]


def test_an_agent_that_answers_is_not_asked() -> None:
    play = talking()
    speaks(play)
    assert play.passes(60) == []


def test_an_agent_whose_request_to_speak_was_lost_is_asked_again() -> None:
    play = talking(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.replies(sent)[-1] == Speak(wish="wish_1")
    assert play.passes(11) == []
    assert play.passes(1) == [Speak(wish="wish_2")]
    play.responds()
    assert play.passes(60) == []


def test_an_agent_whose_greeting_was_refused_is_asked_to_go_on() -> None:
    play = Play(an_agent())
    play.opens()
    play.happens(ApiError(kind=ApiErrorKind.OTHER, about="wish_1"))
    assert play.passes(6) == [Speak(wish="wish_2")]


def test_an_agent_that_was_heard_has_as_many_tries_as_before() -> None:
    play = talking()
    for heard in (1, 2, 0):
        play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
        for _ in range(heard):
            play.passes(6)
            play.happens(ApiError(kind=ApiErrorKind.OTHER, about=f"wish_{len(play.spoken())}"))
        play.responds(outcome=Outcome.CANCELLED)
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    assert play.passes(6) == [Speak(wish="wish_4")]


def empty(play: Play, response_id: str, wish: str | None = None) -> None:
    """A response that is completed and holds nothing."""
    play.happens(
        ResponseStarted(response_id=response_id, wish=wish),
        ResponseEnded(
            response_id=response_id, wish=wish, outcome=Outcome.COMPLETED, audible=False, is_empty=True
        ),
    )


def test_an_agent_whose_response_is_empty_is_asked_to_go_on() -> None:
    play = talking()
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    empty(play, "r1")
    assert play.passes(5.9) == []
    assert play.passes(0.1) == [Speak(wish="wish_1")]
    play.responds()
    assert play.passes(60) == []


def test_an_agent_whose_greeting_is_empty_is_asked_to_go_on() -> None:
    play = Play(an_agent())
    play.opens()
    empty(play, "r1", "wish_1")
    assert play.passes(6) == [Speak(wish="wish_2")]


def test_an_agent_whose_responses_are_all_empty_cannot_serve_the_call() -> None:
    play = talking()
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    empty(play, "r1")
    for n in (1, 2, 3):
        assert play.passes(6) == [Speak(wish=f"wish_{n}")]
        empty(play, f"asked_{n}", f"wish_{n}")
    assert play.passes(6) == [HangUp()]
    detail = "the agent was asked to speak 3 times and said nothing"
    assert (play.record.ended, play.record.detail) == ("model_failed", detail)


def test_a_response_that_was_heard_is_not_empty_whatever_its_end_says() -> None:
    play = talking()
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False), ResponseStarted(response_id="r"))
    play.happens(PlaybackStarted(response_id="r"))
    play.happens(
        ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, audible=False, is_empty=True),
        PlaybackEnded(response_id="r"),
    )
    assert play.passes(60) == []


def test_an_agent_that_waits_for_the_caller_is_not_asked_to_open() -> None:
    assert talking().passes(60) == []


def test_a_tool_that_takes_its_time_is_no_stall() -> None:
    play = talking(http_tool())
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.responds(("find_slots", "{}"))
    assert play.passes(30) == []


# Nobody there


def test_a_call_without_any_sign_of_life_is_ended() -> None:
    play = talking(limits=Limits(ghost_after_s=30))
    assert play.passes(29) == []
    assert play.passes(1) == [HangUp()]
    assert play.record.ended == "ghost"


@pytest.mark.parametrize(
    "sign",
    [
        CallerSpeaks(began=True),
        PlaybackStarted(response_id="r"),
        KeyPressed(key="1"),
        Transcribed(item_id="i", role=Role.AGENT, text="Hello."),
    ],
)
def test_any_sign_of_life_is_enough(sign: CallEvent) -> None:
    play = talking(limits=Limits(ghost_after_s=30))
    play.happens(sign)
    play.passes(300)
    assert play.record.ended == ""


def test_only_the_first_sign_of_life_is_acted_upon() -> None:
    watch = GhostWatch(30)
    sign = CallerSpeaks(began=True)
    assert watch.handle(SidebandOpened(), 0.0) == [SetTimer(timer=Timer(TimerKind.GHOST), at=30.0)]
    assert watch.handle(sign, 1.0) == [ClearTimer(timer=Timer(TimerKind.GHOST))]
    assert watch.handle(sign, 2.0) == []
    assert watch.handle(SidebandOpened(), 3.0) == []


def test_the_time_of_a_ghost_does_not_begin_again_with_the_sideband_and_ends_with_a_hand_off() -> None:
    watch = GhostWatch(30)
    watch.handle(SidebandOpened(), 0.0)
    assert watch.handle(SidebandOpened(), 20.0) == []
    assert watch.stop(25.0) == [ClearTimer(timer=Timer(TimerKind.GHOST))]


def test_a_sideband_lost_and_opened_again_does_not_make_a_ghost() -> None:
    play = talking(limits=Limits(ghost_after_s=30))
    play.happens(PlaybackStarted(response_id="r"), SidebandLost(), SidebandOpened())
    assert play.timer(TimerKind.GHOST) is None


def test_an_agent_that_takes_over_a_live_call_does_not_make_a_ghost_of_it_either() -> None:
    limits = Limits(ghost_after_s=30)
    play = talking(TO_SPANISH, limits=limits, others=(an_agent("recepcion", limits=limits),))
    play.happens(CallerSpeaks(began=True))
    play.responds(("to_spanish", "{}"), audible=False)
    play.happens(SidebandLost(), SidebandOpened())
    assert play.timer(TimerKind.GHOST) is None


# Silence that is none


def test_a_caller_whose_end_of_speech_is_lost_does_not_end_the_ladder() -> None:
    play = talking(limits=Limits(silence=ASK))
    play.happens(CallerSpeaks(began=True))
    assert play.passes(79.9) == []
    assert play.passes(0.1) == [Speak(wish="wish_1", say="Are you still there?")]


def test_what_is_still_being_heard_is_no_silence() -> None:
    play = talking(limits=Limits(silence=Silence(after_s=3, say=words("Hello?"), times=1)))
    play.happens(ResponseStarted(response_id="r"), PlaybackStarted(response_id="r"))
    play.happens(ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, audio_s=70))
    assert play.passes(70) == []
    play.happens(PlaybackEnded(response_id="r"))
    assert play.passes(3) == [Speak(wish="wish_1", say="Hello?")]
    play.happens(ResponseStarted(response_id="r2"), PlaybackStarted(response_id="r2"))
    play.happens(ResponseEnded(response_id="r2", outcome=Outcome.COMPLETED, audio_s=70))
    assert play.passes(74) == []
    assert "The call has to end now." in (expect(Speak, play.passes(3)[0]).tell or ""), "its end is not told"


def test_speech_of_unknown_length_is_heard_until_the_api_says_otherwise() -> None:
    play = talking(limits=Limits(silence=Silence(after_s=3, say=words("Hello?"), times=1)))
    play.happens(ResponseStarted(response_id="r"), PlaybackStarted(response_id="r"))
    play.happens(ResponseEnded(response_id="r", outcome=Outcome.COMPLETED))
    assert play.passes(70) == []
    play.happens(PlaybackEnded(response_id="r"))
    assert play.passes(3) == [Speak(wish="wish_1", say="Hello?")]


def test_a_tool_that_the_api_runs_is_no_silence_but_not_for_ever() -> None:
    server = McpServer(label="crm", settings={"server_label": words("crm")})
    ladder = Limits(silence=Silence(after_s=2, say=words("Hello?"), times=1))
    play = talking(mcp=(server,), limits=ladder)
    play.happens(McpListed(item_id="a", ok=True), ResponseStarted(response_id="r"))
    play.happens(McpCallStarted(item_id="m", server="crm", tool="look_up"))
    play.happens(ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, audible=False))
    assert play.passes(59) == []
    assert play.passes(3) == [Speak(wish="wish_1", say="Hello?")], "its end is not told"


def test_a_background_tool_at_work_is_no_silence() -> None:
    ladder = Limits(silence=Silence(after_s=2, say=words("Hello?"), times=1))
    play = talking(http_tool(background=True), limits=ladder)
    _, sent, *_ = play.responds(("find_slots", "{}"))
    sent = next(action for action in play.done if isinstance(action, SendRequest))
    play.responds()
    assert play.passes(12) == []
    told, _ = play.replies(sent)
    assert expect(AddItem, told).text.startswith("The result of find_slots")


def test_an_agent_whose_responses_begin_and_never_end_cannot_serve_the_call() -> None:
    """Each lasts its minute, is cancelled, and the API does not care."""
    play = talking()
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.happens(ResponseStarted(response_id="own"))
    began = play.now
    for n in (1, 2, 3):
        interrupted, asked = play.passes(66)
        assert (interrupted, asked) == (Interrupt(), Speak(wish=f"wish_{n}"))
        play.happens(ResponseStarted(response_id=f"asked_{n}", wish=f"wish_{n}"))
    assert play.passes(66)[-1] == HangUp()
    assert play.now - began == 264
    assert play.record.detail == "the agent was asked to speak 3 times and said nothing"
