"""A served call: greeting, tools, sidebands that are lost, the end."""

from collections.abc import Callable
from typing import get_args

import pytest

from runner.call.machine.phase import CONNECTED, UNANSWERED, Phase
from runner.call.machine.session_events import row
from runner.model.action import (
    Action,
    AddItem,
    Finish,
    HangUp,
    SendOutput,
    SendRequest,
    Speak,
    Timer,
    TimerKind,
)
from runner.model.agent import Greeting, Keys, Limits, Say, Tell, Wait
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    ItemPlaced,
    KeyPressed,
    Outcome,
    OutputTaken,
    ResponseEnded,
    ResponseStarted,
    ToolCalled,
)
from runner.model.event import (
    CallEvent,
    CallGone,
    EndRequested,
    ReferAnswered,
    SidebandLost,
    SidebandOpened,
    Unreachable,
)
from runner.model.tool import Retries, StaticBinding
from tests.call.machine.playing import TO_NURSE, Play, an_agent, expect, http_tool, talking, tool, words


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


def test_a_recent_record_has_the_last_tool_calls_in_their_order_without_replies() -> None:
    play = talking(*(tool(name, StaticBinding(answer=words("Yes."))) for name in "abc"))
    play.responds(*((name, "{}") for name in "abc"))
    recent = play.session.recent(2)
    assert [(use.name, use.reply) for use in recent.tools] == [("b", None), ("c", None)]
    assert [(use.name, use.reply) for use in play.record.tools][2] == ("c", "Yes.")


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
    assert (use.status, use.http_status, use.attempts, use.took_s) == ("error", 503, 3, 0.6)


def test_a_late_reply_of_an_earlier_attempt_is_not_taken_for_the_present_one() -> None:
    play = talking(http_tool(retries=Retries(attempts=2, backoff_s=0.1, on=frozenset({503}))))
    (first,) = play.responds(("find_slots", "{}"))
    play.replies(first, 503)
    (second,) = play.passes(0.1)
    assert play.replies(first) == []
    assert isinstance(play.replies(second)[0], SendOutput)
    assert play.replies(second) == []


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


def test_after_a_loss_the_model_is_not_asked_to_continue_before_it_has_the_output_that_it_waits_for() -> None:
    play = talking(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.happens(SidebandLost(), SidebandOpened()) == []
    assert play.replies(sent) == [SendOutput(call_id="call_1_0", output='{"ok":true}'), Speak(wish="wish_1")]


def answered(play: Play) -> None:
    """The answer to a tool call is requested, and its output not confirmed."""
    play.replies(play.responds(("find_slots", "{}"))[0])
    play.happens(SidebandLost())


def answered_without_a_sideband(play: Play) -> None:
    (sent,) = play.responds(("find_slots", "{}"))
    play.happens(SidebandLost())
    play.replies(sent)


def answered_in_a_response_that_never_ended(play: Play) -> None:
    called = ToolCalled(response_id="r", call_id="c", name="find_slots", arguments="{}")
    play.replies(play.happens(ResponseStarted(response_id="r"), called)[0])
    play.happens(OutputTaken(call_id="c"), SidebandLost())


@pytest.mark.parametrize(
    "lose", [answered, answered_without_a_sideband, answered_in_a_response_that_never_ended]
)
def test_after_a_loss_a_response_that_is_being_made_is_no_answer_to_a_tools_output(
    lose: Callable[[Play], None],
) -> None:
    play = talking(http_tool())
    lose(play)
    wish = expect(Speak, play.opens()[-1]).wish
    play.happens(ApiError(kind=ApiErrorKind.BUSY_SPEAKING, about=wish))
    before_the_loss = ResponseEnded(response_id="old", outcome=Outcome.COMPLETED, audible=False)
    assert [type(action) for action in play.happens(before_the_loss)] == [Speak]


def test_an_output_is_answered_though_the_end_of_its_response_was_missed() -> None:
    play = talking(http_tool())
    called = ToolCalled(response_id="r", call_id="c", name="find_slots", arguments="{}")
    (sent,) = play.happens(ResponseStarted(response_id="r"), called)
    assert play.happens(SidebandLost(), SidebandOpened()) == []
    assert play.replies(sent)[-1] == Speak(wish="wish_1")


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


def test_keys_that_the_apis_own_answer_has_seen_are_answered_by_it() -> None:
    play = talking(keys=Keys(until="#"))
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    (item,) = play.happens(KeyPressed(key="7"), KeyPressed(key="#"))
    play.happens(ItemPlaced(item_id=expect(AddItem, item).item_id, role=Role.CALLER))
    play.happens(ResponseStarted(response_id="own"))
    assert play.happens(ResponseEnded(response_id="own", outcome=Outcome.COMPLETED, audible=False)) == []
