"""One call on the session machine: what is done about what happens, phase by phase."""

from typing import get_args

import pytest

from runner.call.machine.phase import CONNECTED, UNANSWERED, Phase
from runner.call.machine.session_events import row
from runner.model.action import (
    Action,
    AddItem,
    Finish,
    HangUp,
    LogEvent,
    Refer,
    SendOutput,
    SendRequest,
    Speak,
    SwitchAgent,
    Timer,
    TimerKind,
)
from runner.model.agent import Greeting, Keys, Limits, Say, Tell, Wait
from runner.model.call import Role
from runner.model.event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    CallEvent,
    CallGone,
    EndRequested,
    ItemPlaced,
    KeyPressed,
    Outcome,
    OutputTaken,
    PlaybackEnded,
    PlaybackStarted,
    ReferAnswered,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    SidebandLost,
    SidebandOpened,
    ToolCalled,
    Unreachable,
)
from runner.model.tool import McpServer, Retries, StaticBinding, Tool, TransferBinding, WaitingStep
from runner.model.usage import Usage
from runner.model.values import Json
from tests.call.machine.playing import (
    END_CALL,
    HANG_UP,
    TO_NURSE,
    TO_SPANISH,
    Play,
    an_agent,
    expect,
    http_tool,
    tool,
    words,
)


def talking(*tools: Tool, **fields: Json) -> Play:
    """A call whose agent waits for the caller, so that the tests have the stage for themselves."""
    play = Play(an_agent(tools=tools, **{"greeting": Wait(), **fields}), an_agent("recepcion"))
    play.opens()
    return play


def test_when_it_is_over_nothing_is_done_any_more() -> None:
    phases = {phase for kind in get_args(CallEvent) for phase in row(kind.__new__(kind))}
    assert phases == set(Phase) - {*UNANSWERED, Phase.OVER}


@pytest.mark.parametrize(
    ("greeting", "asked"),
    [
        (Say(text=words("Hello {{ call.from.number }}.")), [Speak(wish="wish_1", say="Hello +14155550100.")]),
        (Tell(text=words("Greet.")), [Speak(wish="wish_1", tell="You are desk.\n\nGreet.")]),
        (Wait(), []),
        (None, [Speak(wish="wish_1")]),
    ],
)
def test_the_agent_greets_as_declared_as_soon_as_the_sideband_is_open(
    greeting: Greeting | None, asked: list[Action]
) -> None:
    play = Play(an_agent(greeting=greeting))
    assert play.done == []
    assert play.opens() == asked


def test_a_greeting_that_cannot_be_made_is_left_out_and_the_record_tells() -> None:
    play = Play(an_agent(greeting=Say(text=words("{{ 1 / (vars.zero or 0) }}"))))
    assert play.opens() == [Speak(wish="wish_1")]
    assert len(play.record.faults) == 1


def test_a_tool_is_run_once_though_it_is_told_twice() -> None:
    play = talking(http_tool())
    (sent,) = play.responds(("find_slots", '{"day":"2026-11-27"}'))
    assert isinstance(sent, SendRequest)
    assert play.replies(sent) == [
        SendOutput(call_id="call_1_0", output='{"ok":true}'),
        Speak(wish="wish_1"),
    ]


def test_outputs_go_out_as_they_come_and_the_model_goes_on_after_the_last() -> None:
    play = talking(http_tool("a"), http_tool("b"))
    first, second = play.responds(("a", "{}"), ("b", "{}"))
    assert play.replies(second) == [SendOutput(call_id="call_1_1", output='{"ok":true}')]
    assert play.replies(first) == [
        SendOutput(call_id="call_1_0", output='{"ok":true}'),
        Speak(wish="wish_1"),
    ]


def test_an_output_before_the_end_of_its_response_waits_with_going_on() -> None:
    play = talking(http_tool())
    called = ToolCalled(response_id="r", call_id="c", name="find_slots", arguments="{}")
    (sent,) = play.happens(ResponseStarted(response_id="r"), called)
    assert play.replies(sent) == [SendOutput(call_id="c", output='{"ok":true}')]
    ended = ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, calls=(called,), audible=False)
    assert play.happens(ended) == [Speak(wish="wish_1")]


def test_a_slow_tool_does_not_hold_up_the_next_response() -> None:
    play = talking(http_tool("slow"), http_tool("fast"))
    play.responds(("slow", "{}"))
    (fast,) = play.responds(("fast", "{}"))
    assert play.replies(fast)[-1] == Speak(wish="wish_1")


def test_a_barge_in_does_not_stop_a_tool_and_its_output_is_still_sent() -> None:
    play = talking(http_tool())
    (sent,) = play.responds(("find_slots", "{}"), outcome=Outcome.CANCELLED)
    play.happens(CallerSpeaks(began=True))
    assert play.replies(sent) == [SendOutput(call_id="call_1_0", output='{"ok":true}')]
    play.happens(OutputTaken(call_id="call_1_0"), CallerSpeaks(began=False))
    assert play.responds() == []


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        (
            "fly",
            "{}",
            '{"error":"there is no tool \\"fly\\"; the tools are: find_slots"}',
        ),
        ("find_slots", '{"day": 5}', None),
        ("find_slots", "{", None),
    ],
)
def test_a_call_that_cannot_run_is_answered_with_an_error_and_sends_nothing(
    name: str, arguments: str, told: str | None
) -> None:
    play = talking(http_tool())
    output, go_on = play.responds((name, arguments))
    assert isinstance(output, SendOutput)
    assert output.output.startswith('{"error":')
    assert told in {None, output.output}
    assert go_on == Speak(wish="wish_1")
    (use,) = play.record.tools
    assert (use.name, use.status, use.attempts) == (name, "refused", 0)


def test_a_fixed_answer_is_given_at_once() -> None:
    play = talking(tool("hours", StaticBinding(answer={"open": words("nine")})))
    assert play.responds(("hours", "{}")) == [
        SendOutput(call_id="call_1_0", output='{"open":"nine"}'),
        Speak(wish="wish_1"),
    ]


def test_a_request_is_tried_again_as_declared_and_the_same_one() -> None:
    play = talking(http_tool(retries=Retries(attempts=3, backoff_s=0.2, on=frozenset({503}))))
    (first,) = play.responds(("find_slots", "{}"))
    assert play.replies(first, 503) == []
    (second,) = play.passes(0.2)
    assert play.replies(second, 503) == []
    assert play.passes(0.3) == []
    (third,) = play.passes(0.1)
    sent = [expect(SendRequest, each) for each in (first, second, third)]
    assert [each.attempt for each in sent] == [1, 2, 3]
    assert sent[0].request == sent[1].request == sent[2].request
    assert dict(sent[0].request.headers)["Idempotency-Key"] == "call_1_0"
    output, _ = play.replies(third, 503)
    assert (
        expect(SendOutput, output).output
        == '{"error":"the endpoint answered 503 Service Unavailable","status":503}'
    )
    (use,) = play.record.tools
    assert (use.status, use.http_status, use.attempts) == ("error", 503, 3)


def test_a_late_reply_of_an_earlier_attempt_is_not_taken_for_the_present_one() -> None:
    play = talking(http_tool(retries=Retries(attempts=2, backoff_s=0.1, on=frozenset({503}))))
    (first,) = play.responds(("find_slots", "{}"))
    play.replies(first, 503)
    play.passes(0.1)
    assert play.replies(first, 503) == []


# The sideband is lost


def test_after_a_loss_outputs_are_told_again_until_the_api_has_them_and_nobody_is_greeted_again() -> None:
    play = Play(an_agent(tools=(http_tool(),), greeting=Say(text=words("Hello."))))
    play.opens()
    play.responds()
    (sent,) = play.responds(("find_slots", "{}"))
    play.happens(SidebandLost())
    play.replies(sent)
    assert play.happens(SidebandOpened()) == [
        SendOutput(call_id="call_2_0", output='{"ok":true}'),
        Speak(wish="wish_2"),
    ]
    play.happens(OutputTaken(call_id="call_2_0"), SidebandLost())
    assert play.happens(SidebandOpened()) == [Speak(wish="wish_3")]


def test_after_a_loss_a_response_that_is_being_made_answers_the_nudge() -> None:
    play = talking()
    play.happens(SidebandLost(), SidebandOpened())
    assert play.done == [Speak(wish="wish_1")]
    play.happens(ApiError(kind=ApiErrorKind.BUSY_SPEAKING, about="wish_1"))
    assert play.responds() == []


def test_a_call_that_cannot_be_reached_is_hung_up() -> None:
    play = Play(an_agent())
    assert play.happens(Unreachable(detail="not found")) == [HangUp()]
    assert play.happens(CallGone()) == [Finish()]
    assert (play.record.ended, play.record.detail) == ("failed", "not found")


def test_a_caller_who_leaves_ends_the_call() -> None:
    play = talking()
    assert play.happens(CallGone()) == [Finish()]
    assert (play.record.ended, play.record.ended_at) == ("caller_hung_up", 1000.0)


def test_a_request_under_way_when_the_caller_leaves_is_still_recorded() -> None:
    play = talking(http_tool(retries=Retries(attempts=2, on=frozenset({503}))))
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.happens(CallGone()) == []
    assert play.replies(sent, 503) == [Finish()]
    (use,) = play.record.tools
    assert (use.status, use.http_status) == ("error", 503)


def test_a_request_that_is_still_under_way_when_we_have_to_end_is_waited_for_no_longer() -> None:
    play = talking(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    play.happens(CallGone())
    assert play.happens(EndRequested(reason="shutdown")) == [Finish()]
    assert play.replies(sent) == []
    assert (play.record.ended, play.record.tools[0].status) == ("caller_hung_up", "unfinished")


def test_a_request_that_waits_for_its_next_attempt_when_the_caller_leaves_is_not_tried_again() -> None:
    play = talking(http_tool(retries=Retries(attempts=2, on=frozenset({503}))))
    (sent,) = play.responds(("find_slots", "{}"))
    play.replies(sent, 503)
    assert play.happens(CallGone()) == [Finish()]
    assert play.passes(60) == []
    assert play.record.tools[0].status == "unfinished"


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


# Transfer


def transferring() -> Play:
    play = talking(TO_NURSE)
    assert play.responds(("to_a_person", '{"destination":"nurse"}')) == [
        Speak(wish="wish_1", say="One moment.")
    ]
    return play


def test_a_transfer_is_asked_for_when_its_sentence_has_been_heard() -> None:
    play = transferring()
    play.responds(heard=False)
    assert play.happens(PlaybackEnded(response_id="resp_2")) == [Refer(target="sip:nurse@maple.example")]


def test_an_announcement_that_fails_is_neither_said_later_nor_apologised_for() -> None:
    play = transferring()
    failed = ResponseEnded(response_id="r", wish="wish_1", outcome=Outcome.FAILED, audible=False)
    play.happens(ResponseStarted(response_id="r", wish="wish_1"))
    assert play.happens(failed) == [Refer(target="sip:nurse@maple.example")]
    play.happens(ReferAnswered(ok=False, detail="no"))
    assert play.spoken() == ["One moment.", None]
    assert [action for action in play.done if isinstance(action, AddItem)] == []


def test_a_transfer_does_not_wait_for_ever_for_its_sentence() -> None:
    play = talking(TO_NURSE)
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    play.happens(SidebandLost())
    assert play.timer(TimerKind.SAYING_GOODBYE) is None, "lost while it was said, which ends the wait"
    play = talking(TO_NURSE)
    called = ToolCalled(response_id="r", call_id="c", name="to_a_person", arguments='{"destination":"nurse"}')
    play.happens(ResponseStarted(response_id="r"), called, SidebandLost())
    assert play.passes(29.9) == []
    assert play.passes(0.1) == [Refer(target="sip:nurse@maple.example")]


def test_a_transfer_is_completed_when_the_call_has_left() -> None:
    play = transferring()
    play.responds()
    assert play.happens(ReferAnswered(ok=True)) == []
    assert play.happens(SidebandLost(), CallGone()) == [Finish()]
    assert play.record.ended == "transferred"
    assert play.record.tools[0].status == "completed"


def test_a_transfer_that_was_accepted_and_did_not_happen_is_told_to_the_model() -> None:
    play = transferring()
    play.responds()
    play.happens(ReferAnswered(ok=True))
    assert play.passes(14.9) == []
    assert play.passes(0.1) == [
        SendOutput(
            call_id="call_1_0",
            output='{"error":"the transfer was not completed","on_error":"Say that nobody picked up."}',
        ),
        Speak(wish="wish_2"),
    ]
    assert play.record.tools[0].status == "not_completed"
    assert play.session.phase.now is Phase.TALKING


def test_a_transfer_to_what_is_no_address_is_told_to_the_model_which_goes_on() -> None:
    nowhere = tool(
        "put_through",
        TransferBinding(destinations={"desk": words("{{ vars.desk }}")}, say=words("One moment.")),
    )
    play = talking(nowhere)
    assert play.responds(("put_through", '{"destination":"desk"}')) == [
        Speak(wish="wish_1", say="One moment.")
    ]
    assert play.responds() == [
        SendOutput(call_id="call_1_0", output='{"error":"the transfer was not completed"}'),
        Speak(wish="wish_2"),
    ]


def test_a_transfer_that_was_refused_is_told_to_the_model_at_once() -> None:
    play = transferring()
    play.responds()
    output, go_on = play.happens(ReferAnswered(ok=False, detail="refer was answered 500"))
    assert expect(SendOutput, output).call_id == "call_1_0"
    assert go_on == Speak(wish="wish_2")
    assert play.record.faults == ("a transfer was not completed: refer was answered 500",)


def test_a_transfer_that_nobody_takes_goes_to_the_fallback_before_the_model_is_told() -> None:
    binding = TransferBinding(
        destinations={"nurse": words("sip:nurse@maple.example"), "office": words("tel:+14155550123")},
        fallback="office",
    )
    play = talking(tool("transfer", binding, parameters={"type": "object"}))
    assert play.responds(("transfer", '{"destination":"nurse"}')) == [Refer(target="sip:nurse@maple.example")]
    play.happens(ReferAnswered(ok=True))
    assert play.passes(15) == [Refer(target="tel:+14155550123")]
    output, *_ = play.happens(ReferAnswered(ok=False, detail="no"))
    assert expect(SendOutput, output).call_id == "call_1_0"
    assert len(play.record.faults) == 2


def test_a_destination_that_is_no_address_for_this_call_is_not_asked_for() -> None:
    binding = TransferBinding(destinations={"desk": words("tel:{{ vars.number }}")})
    play = talking(tool("transfer", binding, parameters={"type": "object"}), vars={"number": words("nine")})
    output, go_on = play.responds(("transfer", '{"destination":"desk"}'))
    assert expect(SendOutput, output).output == '{"error":"the transfer was not completed"}'
    assert go_on == Speak(wish="wish_1")
    assert play.record.faults == ("a transfer was not completed: the destination is not an address",)


def test_the_fallback_itself_has_no_fallback() -> None:
    binding = TransferBinding(destinations={"office": words("tel:+14155550123")}, fallback="office")
    play = talking(tool("transfer", binding, parameters={"type": "object"}))
    play.responds(("transfer", '{"destination":"office"}'))
    output, *_ = play.happens(ReferAnswered(ok=False))
    assert expect(SendOutput, output).call_id == "call_1_0"


def test_a_caller_who_leaves_before_the_transfer_was_asked_for_has_hung_up() -> None:
    play = transferring()
    play.happens(CallGone())
    assert play.record.ended == "caller_hung_up"


# Hand-off


def test_a_hand_off_changes_the_agent_and_the_model_goes_on() -> None:
    play = talking(TO_SPANISH)
    (become,) = play.responds(("to_spanish", "{}"))
    assert isinstance(become, SwitchAgent)
    assert (become.agent.id, become.instructions) == ("recepcion", "You are recepcion.")
    assert (become.before.id, play.session.agent.id, play.record.handoffs) == ("desk", "desk", ())
    output, go_on = play.happens(SessionUpdated(update_id="switch_1"))
    assert play.session.agent.id == "recepcion"
    assert output == SendOutput(call_id="call_1_0", output='{"status":"handed off"}')
    assert go_on == Speak(wish="wish_1")
    assert [(each.agent, each.because) for each in play.record.handoffs] == [
        ("recepcion", 'tool "to_spanish"')
    ]


def test_the_voice_changes_only_before_it_was_heard() -> None:
    play = talking(TO_SPANISH)
    (become, *_) = play.responds(("to_spanish", "{}"), audible=False)
    assert expect(SwitchAgent, become).with_voice
    play = talking(TO_SPANISH)
    play.responds()
    (become, *_) = play.responds(("to_spanish", "{}"))
    assert not expect(SwitchAgent, become).with_voice


def test_variables_stay_when_the_agent_changes() -> None:
    play = Play(
        an_agent(tools=(TO_SPANISH,), vars={"city": words("Lima")}, greeting=Wait()),
        an_agent("recepcion", vars={"city": words("Quito"), "more": 1}, instructions=words("{{ vars }}")),
    )
    play.opens()
    (become, *_) = play.responds(("to_spanish", "{}"))
    assert expect(SwitchAgent, become).instructions == '{"city":"Lima","more":1}'


def test_hand_offs_in_a_circle_are_bounded() -> None:
    play = Play(
        an_agent(tools=(TO_SPANISH,), greeting=Wait()),
        an_agent("recepcion", tools=(TO_SPANISH,)),
    )
    play.opens()
    for number in range(1, 13):
        play.responds(("to_spanish", "{}"))
        play.happens(SessionUpdated(update_id=f"switch_{number}"))
    assert len(play.record.handoffs) == 10
    assert play.outputs()["call_12_0"].startswith('{"error":"the hand-off is not possible')


# Limits and the end


def test_the_longest_duration_ends_the_call_with_a_leave() -> None:
    play = talking(limits=Limits(max_duration_s=900))
    assert play.passes(899) == []
    (leave,) = play.passes(1)
    tell = expect(Speak, leave).tell
    assert tell is not None
    assert tell.startswith("You are desk.\n\nThe call has to end now.")
    assert play.responds() == [HangUp()]
    assert play.record.ended == "max_duration"


def test_the_longest_duration_counts_from_the_accept_also_without_a_sideband() -> None:
    play = Play(an_agent(limits=Limits(max_duration_s=900)))
    assert play.passes(900) == [HangUp()]


def test_a_limit_during_a_transfer_waits_for_what_becomes_of_it() -> None:
    play = talking(TO_NURSE, limits=Limits(max_duration_s=900))
    play.passes(899)
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    play.responds()
    assert play.passes(1) == []
    play.happens(ReferAnswered(ok=False, detail="no"))
    assert play.session.phase.now is Phase.SAYING_GOODBYE
    assert play.record.ended == "max_duration"


def test_a_drain_ends_the_call_at_once() -> None:
    play = talking()
    assert play.happens(EndRequested(reason="shutdown")) == [HangUp()]
    play.happens(CallGone())
    assert play.record.ended == "shutdown"


def test_an_expired_session_is_hung_up() -> None:
    play = talking()
    assert play.happens(ApiError(kind=ApiErrorKind.SESSION_EXPIRED)) == [HangUp()]
    assert play.record.ended == "session_expired"


def test_hang_up_is_asked_for_once() -> None:
    play = talking()
    play.happens(EndRequested(reason="shutdown"), EndRequested(reason="shutdown"))
    assert play.done == [HangUp()]


@pytest.mark.parametrize("phase", CONNECTED)
def test_an_agent_that_fell_silent_is_asked_to_go_on_only_while_it_talks(phase: Phase) -> None:
    play = talking()
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.machine._phase.now = phase
    assert play.passes(6) == ([Speak(wish="wish_1")] if phase is Phase.TALKING else [])


def test_no_timer_outlives_a_tool_that_waits_no_more() -> None:
    play = talking(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    play.replies(sent)
    play.responds()
    assert Timer(TimerKind.FLOOR) not in play.timers


# What the caller is to hear first


def hanging_up(*, audio_out: int = 0) -> Play:
    """A call whose agent says goodbye and hangs up in one response, which is still being heard."""
    play = talking(HANG_UP)
    called = ToolCalled(response_id="r", call_id="c", name="hang_up", arguments="{}")
    play.happens(ResponseStarted(response_id="r"), PlaybackStarted(response_id="r"), called)
    ended = ResponseEnded(
        response_id="r", outcome=Outcome.COMPLETED, calls=(called,), usage=Usage(audio_out=audio_out)
    )
    assert play.happens(ended) == []
    return play


def test_a_hang_up_without_a_sentence_waits_until_the_response_was_heard() -> None:
    play = hanging_up()
    assert play.passes(3) == []
    assert play.happens(PlaybackEnded(response_id="r")) == [HangUp()]


def test_a_response_that_is_never_said_to_be_heard_holds_up_the_hang_up_for_its_length() -> None:
    # 800 tokens of audio are 40 seconds.
    play = hanging_up(audio_out=800)
    assert play.passes(44) == []
    assert play.passes(1) == [HangUp()]


def test_a_caller_who_speaks_over_the_last_words_ends_the_wait() -> None:
    play = hanging_up()
    assert play.happens(PlaybackEnded(response_id="r", interrupted=True)) == [HangUp()]


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
    ended = ResponseEnded(
        response_id="r", outcome=Outcome.COMPLETED, calls=(called,), usage=Usage(audio_out=1400)
    )
    (goodbye,) = play.happens(ended)
    wish = expect(Speak, goodbye).wish
    play.happens(
        ResponseStarted(response_id="g", wish=wish),
        ResponseEnded(response_id="g", wish=wish, outcome=Outcome.COMPLETED, usage=Usage(audio_out=20)),
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


# Hand-offs that the API has to take


def test_a_hand_off_that_the_api_refuses_leaves_the_first_agent_with_its_own_tools() -> None:
    play = talking(TO_SPANISH, http_tool())
    (switch,) = play.responds(("to_spanish", "{}"))
    refused = ApiError(
        kind=ApiErrorKind.OTHER,
        about=expect(SwitchAgent, switch).update_id,
        code="bad",
        message="no such voice",
    )
    output, go_on = play.happens(refused)
    assert output == SendOutput(
        call_id="call_1_0", output='{"error":"the hand-off is not possible; go on as you are"}'
    )
    assert isinstance(go_on, Speak)
    assert (play.session.agent.id, play.session.texts.instructions) == ("desk", "You are desk.")
    assert play.record.handoffs == ()
    assert play.record.faults == ('no hand-off to "recepcion": the API refused it: no such voice',)
    assert [use.status for use in play.record.tools] == ["refused"]
    # What it called besides is still its own.
    assert isinstance(play.responds(("find_slots", "{}"))[0], SendRequest)
    # A late word about it changes nothing.
    assert play.happens(SessionUpdated(update_id="switch_1")) == []
    assert play.session.agent.id == "desk"


def test_a_hand_off_that_is_not_refused_in_two_seconds_has_happened() -> None:
    play = talking(TO_SPANISH)
    play.responds(("to_spanish", "{}"))
    assert play.passes(1.9) == []
    output, _ = play.passes(0.1)
    assert output == SendOutput(call_id="call_1_0", output='{"status":"handed off"}')
    assert play.session.agent.id == "recepcion"


def test_an_error_about_something_else_does_not_refuse_a_hand_off() -> None:
    play = talking(TO_SPANISH)
    play.responds(("to_spanish", "{}"))
    assert play.happens(ApiError(kind=ApiErrorKind.OTHER, about="output_x")) == []
    play.happens(SessionUpdated(update_id="switch_1"))
    assert play.session.agent.id == "recepcion"


def test_further_tool_calls_of_the_response_that_hands_over_are_the_first_agents() -> None:
    play = talking(TO_SPANISH, http_tool())
    play.happens(ResponseStarted(response_id="r"))
    play.happens(ToolCalled(response_id="r", call_id="c1", name="to_spanish", arguments="{}"))
    play.happens(SessionUpdated(update_id="switch_1"))
    (sent,) = play.happens(ToolCalled(response_id="r", call_id="c2", name="find_slots", arguments="{}"))
    assert expect(SendRequest, sent).tool == "find_slots"
    (refused,) = play.happens(ToolCalled(response_id="r2", call_id="c3", name="find_slots", arguments="{}"))
    assert "there is no tool" in expect(SendOutput, refused).output


def test_a_hand_off_that_cannot_be_prepared_changes_nothing() -> None:
    servers = (McpServer(label="crm", settings={"server_url": words("{{ 1 // 0 }}")}),)
    play = Play(
        an_agent(tools=(TO_SPANISH,), greeting=Wait()),
        an_agent("recepcion", vars={"fresh": 1}, mcp=servers),
    )
    play.opens()
    output, _ = play.responds(("to_spanish", "{}"))
    assert expect(SendOutput, output).output == '{"error":"the hand-off is not possible; go on as you are"}'
    assert (play.session.agent.id, play.session.texts.instructions) == ("desk", "You are desk.")
    assert dict(play.session.texts.variables) == {}


def test_a_hand_off_that_a_lost_sideband_may_have_swallowed_is_told_again() -> None:
    play = talking(TO_SPANISH)
    (switch,) = play.responds(("to_spanish", "{}"))
    play.happens(SidebandLost())
    again, *_ = play.happens(SidebandOpened())
    assert again == switch
    play.happens(SessionUpdated(update_id="switch_1"))
    play.happens(SidebandLost())
    assert switch not in play.happens(SidebandOpened())


# Outputs that cross with a response of the API's own


def test_an_output_that_crosses_with_an_answer_of_the_apis_is_answered_afterwards() -> None:
    play = talking(http_tool())
    (sent,) = play.responds(("find_slots", "{}"), audible=False)
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.replies(sent)
    # The API began before it had the output: the caller would wait for the result for ever.
    play.happens(ResponseStarted(response_id="own"), OutputTaken(call_id="call_1_0"))
    ended = ResponseEnded(response_id="own", outcome=Outcome.COMPLETED, audible=False)
    assert play.happens(ended) == [Speak(wish="wish_1")]


def test_keys_that_cross_with_an_answer_of_the_apis_are_answered_afterwards() -> None:
    play = talking(keys=Keys(until="#"))
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.happens(KeyPressed(key="7"), KeyPressed(key="#"))
    (item,) = [action for action in play.done if isinstance(action, AddItem)]
    play.happens(ResponseStarted(response_id="own"))
    play.happens(ItemPlaced(item_id=item.item_id, role=Role.CALLER, text=item.text))
    ended = ResponseEnded(response_id="own", outcome=Outcome.COMPLETED, audible=False)
    assert play.happens(ended) == [Speak(wish="wish_1")]


# What the log is told


def test_the_log_is_told_that_a_transfer_was_completed() -> None:
    play = transferring()
    play.responds()
    play.happens(ReferAnswered(ok=True), CallGone())
    assert [entry.event for entry in play.logged] == [LogEvent.TRANSFER_COMPLETED]
