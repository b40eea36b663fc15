"""Responses that fail, and an API that takes no more."""

import pytest

from runner.model.action import Action, AddItem, Finish, HangUp, Interrupt, Refer, Speak
from runner.model.agent import IfBroken, Say
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    Outcome,
    ResponseEnded,
    ResponseStarted,
    ToolCalled,
)
from runner.model.event import CallGone, ReferAnswered
from tests.call.machine.playing import Play, an_agent, expect, http_tool, talking, words

# Failures of the model


def test_a_failure_is_apologised_for_once() -> None:
    play = talking()
    inform, go_on = play.responds(outcome=Outcome.FAILED, audible=False)
    assert expect(AddItem, inform).text.startswith("Your last answer was cut short")
    assert go_on == Speak(wish="wish_1")
    play.responds()
    again, *_ = play.responds(outcome=Outcome.INCOMPLETE)
    assert expect(AddItem, again).text == expect(AddItem, inform).text


def test_a_failure_that_is_told_twice_is_one_failure() -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    failed = ResponseEnded(response_id="r", outcome=Outcome.FAILED, audible=False)
    done = play.happens(ResponseStarted(response_id="r"), failed, failed)
    assert [type(action) for action in done] == [AddItem, Speak]


def test_an_interrupted_response_is_no_failure_and_no_success() -> None:
    play = talking(if_broken=IfBroken(say=words("Sorry, call again.")))
    play.responds(outcome=Outcome.FAILED)
    play.responds(outcome=Outcome.CANCELLED)
    assert play.responds(outcome=Outcome.FAILED)[-1] == Speak(wish="wish_2", say="Sorry, call again.")


def test_without_a_way_out_the_model_has_one_more_try_before_the_end() -> None:
    play = talking()
    for _ in range(2):
        apology, go_on = play.responds(outcome=Outcome.FAILED, audible=False)
        assert expect(AddItem, apology).text.startswith("Your last answer was cut short")
        assert isinstance(go_on, Speak)
    assert play.responds(outcome=Outcome.FAILED, audible=False) == [HangUp()]
    assert (play.record.ended, play.record.detail) == (
        "model_failed",
        "the model failed 3 times in a row: no reason given",
    )


def test_two_failures_in_a_row_take_the_way_out_by_transfer() -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    play.responds(outcome=Outcome.FAILED)
    assert play.responds(outcome=Outcome.FAILED) == [Refer(target="tel:+14155550123")]
    play.happens(ReferAnswered(ok=True))
    assert play.happens(CallGone()) == [Finish()]
    assert play.record.ended == "transferred"
    assert play.record.faults == ("the model failed 2 times in a row: no reason given",)


def test_a_way_out_that_does_not_work_ends_the_call() -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    play.responds(outcome=Outcome.FAILED)
    play.responds(outcome=Outcome.FAILED)
    assert play.happens(ReferAnswered(ok=False, detail="no")) == [HangUp()]
    assert play.record.ended == "model_failed"


def test_two_failures_in_a_row_take_the_way_out_with_a_sentence() -> None:
    play = talking(if_broken=IfBroken(say=words("Please call again.")))
    play.responds(outcome=Outcome.FAILED)
    assert expect(Speak, play.responds(outcome=Outcome.FAILED)[-1]).say == "Please call again."


# An API that takes no more, has no quota, or says nothing


def limited(play: Play, response_id: str, wish: str | None = None) -> list[Action]:
    """A response that fails since the API takes no more just now."""
    play.happens(ResponseStarted(response_id=response_id, wish=wish))
    return play.happens(
        ResponseEnded(
            response_id=response_id,
            wish=wish,
            outcome=Outcome.FAILED,
            cause=ApiErrorKind.RATE_LIMITED,
            code="rate_limit_exceeded",
            audible=False,
        )
    )


def test_a_response_over_the_rate_limit_is_asked_for_again_after_a_wait() -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    assert limited(play, "r1") == []
    assert play.passes(0.9) == []
    (again,) = play.passes(0.1)
    assert limited(play, "r2", expect(Speak, again).wish) == []
    assert play.passes(1.9) == []
    (again,) = play.passes(0.1)
    assert limited(play, "r3", expect(Speak, again).wish) == [Refer(target="tel:+14155550123")]
    assert play.record.faults[0] == "the API takes no more responses: rate_limit_exceeded"


def test_a_sentence_over_the_rate_limit_is_said_after_the_wait() -> None:
    play = Play(an_agent(greeting=Say(text=words("Hello."))))
    (greeting,) = play.opens()
    assert limited(play, "r1", expect(Speak, greeting).wish) == []
    assert play.passes(1) == [Speak(wish="wish_2", say="Hello.")]


def test_an_account_without_quota_is_not_asked_again() -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    ended = ResponseEnded(
        response_id="r",
        outcome=Outcome.FAILED,
        cause=ApiErrorKind.OUT_OF_QUOTA,
        code="insufficient_quota",
        audible=False,
    )
    assert play.happens(ResponseStarted(response_id="r"), ended) == [Refer(target="tel:+14155550123")]


def test_a_response_that_succeeds_ends_the_count_of_rate_limits() -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    for attempt in ("r1", "r3", "r5"):
        assert limited(play, attempt) == []
        (again,) = play.passes(1)
        assert play.happens(ResponseStarted(response_id=f"{attempt}b", wish=expect(Speak, again).wish)) == []
        play.happens(
            ResponseEnded(
                response_id=f"{attempt}b",
                wish=expect(Speak, again).wish,
                outcome=Outcome.COMPLETED,
                audible=False,
            )
        )


def test_a_request_that_is_refused_over_the_rate_limit_is_sent_again_after_a_wait() -> None:
    play = Play(an_agent(greeting=Say(text=words("Hello.")), if_broken=IfBroken(takes_leave=True)))
    (greeting,) = play.opens()
    for wait_s in (1.0, 2.0):
        limit = ApiError(kind=ApiErrorKind.RATE_LIMITED, about=expect(Speak, greeting).wish)
        assert play.happens(limit) == []
        assert play.passes(wait_s - 0.1) == []
        (greeting,) = play.passes(0.1)
        assert expect(Speak, greeting).say == "Hello."
    limit = ApiError(kind=ApiErrorKind.RATE_LIMITED, about=expect(Speak, greeting).wish)
    (goodbye,) = play.happens(limit)
    assert expect(Speak, goodbye).tell is not None
    assert play.record.detail == "the API takes no more responses: no reason given"


@pytest.mark.parametrize("about", [None, "output_call_1", "switch_1"])
def test_a_rate_limit_that_is_not_about_a_response_ends_no_call(about: str | None) -> None:
    play = talking()
    limit = ApiError(kind=ApiErrorKind.RATE_LIMITED, about=about, code="rate_limit_exceeded")
    assert play.happens(*[limit] * 9) == []
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.responds()
    assert play.record.ended == ""


def test_a_refusal_that_is_reported_twice_is_one_refusal() -> None:
    play = Play(an_agent(greeting=Say(text=words("Hello."))))
    (greeting,) = play.opens()
    limit = ApiError(kind=ApiErrorKind.RATE_LIMITED, about=expect(Speak, greeting).wish)
    assert play.happens(*[limit] * 9) == []
    assert play.passes(1) == [Speak(wish="wish_2", say="Hello.")]


def test_an_api_that_never_answers_is_asked_three_times() -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.passes(120)
    assert play.spoken() == [None] * 3
    assert play.done[-1] == Refer(target="tel:+14155550123")


def test_a_tool_that_is_answered_during_a_response_is_followed_by_words_after_it() -> None:
    play = talking(http_tool(), if_broken=IfBroken(transfer=words("tel:+14155550123")))
    call = ToolCalled(response_id="r", call_id="c", name="find_slots", arguments="{}")
    sent, *_ = play.happens(ResponseStarted(response_id="r"), call)
    play.replies(sent)
    play.happens(ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, audible=False, calls=(call,)))
    play.passes(120)
    assert play.spoken() == [None] * 4
    assert play.done[-1] == Refer(target="tel:+14155550123")


@pytest.mark.parametrize("starts_again", [False, True])
def test_responses_that_never_end_are_cancelled_and_asked_for_three_times(starts_again: bool) -> None:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False), ResponseStarted(response_id="r"))
    for second in range(300):
        for action in play.passes(1):
            if starts_again and isinstance(action, Speak):
                play.happens(ResponseStarted(response_id=f"r{second}", wish=action.wish))
    assert play.spoken() == [None] * 3
    assert play.done[0] == Interrupt()
    assert play.done[-1] == Refer(target="tel:+14155550123")
    detail = "the agent was asked to speak 3 times and said nothing"
    assert play.record.faults == (detail,)
