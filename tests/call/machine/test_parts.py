"""What is watched during a call: silence, limits, keys, words and failures, on a clock that tests move."""

import pytest

from runner.call.machine.phase import Phase
from runner.call.machine.silence import GhostWatch
from runner.model.action import (
    Action,
    AddItem,
    ClearTimer,
    Finish,
    HangUp,
    Interrupt,
    Refer,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    SwitchAgent,
    Timer,
    TimerKind,
)
from runner.model.agent import Agent, Guardrail, IfBroken, Keys, Limits, Say, Silence, Then, Wait, WindDown
from runner.model.call import Role
from runner.model.event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    CallEvent,
    CallGone,
    FailureCause,
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
    SilenceNudge,
    ToolCalled,
    Transcribed,
    TranscriptGrew,
)
from runner.model.tool import HandoffBinding, HttpBinding, ResultSpec, Tool, WaitingStep
from runner.model.usage import TranscriptionUsage, Usage
from runner.model.values import Json
from tests.call.machine.playing import (
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

UNMAKEABLE = words("{{ 1 / (args.count or 0) }}")
ASK = Silence(after_s=20, say=words("Are you still there?"), times=2)


def talking(*tools: Tool, others: tuple[Agent, ...] = (), **fields: Json) -> Play:
    """A call whose agent waits for the caller, so that the tests have the stage for themselves."""
    play = Play(an_agent(tools=tools, **{"greeting": Wait(), **fields}), *others)
    play.opens()
    return play


def speaks(play: Play) -> None:
    """The caller says something, and the API lets the agent answer."""
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.responds()


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


# Limits


def test_before_the_longest_duration_the_model_is_told_to_wind_down() -> None:
    limits = Limits(max_duration_s=900, wind_down=WindDown(before_s=60, tell=words("One minute is left.")))
    play = talking(limits=limits)
    assert play.passes(839) == []
    assert play.passes(1) == [AddItem(item_id="item_1", text="One minute is left."), Speak(wish="wish_1")]


def spends(play: Play, usage: Usage) -> list[Action]:
    return play.happens(ResponseEnded(response_id="dear", outcome=Outcome.COMPLETED, usage=usage))


def test_a_call_that_has_cost_too_much_ends() -> None:
    play = talking(limits=Limits(max_cost_usd=2.00))
    assert spends(play, Usage(audio_out=31_249)) == []
    play = talking(limits=Limits(max_cost_usd=2.00))
    (leave,) = spends(play, Usage(audio_out=31_250))
    assert "The call has to end now." in (expect(Speak, leave).tell or "")
    assert play.record.ended == "max_cost"
    assert play.record.cost_usd == 2.0


def test_a_model_whose_price_is_unknown_is_not_stopped_for_its_cost() -> None:
    play = talking(model="my-deployment", limits=Limits(max_cost_usd=0.01))
    assert spends(play, Usage(audio_out=10_000_000)) == []
    assert play.record.cost_usd is None


def test_what_transcription_costs_counts_too_though_the_price_of_the_model_is_unknown() -> None:
    play = talking(model="my-deployment", transcription_model="whisper-1", limits=Limits(max_cost_usd=0.01))
    play.happens(
        Transcribed(item_id="i", role=Role.CALLER, text="Hm.", usage=TranscriptionUsage(seconds=100.0))
    )
    assert spends(play, Usage(audio_out=1)) != []
    assert play.record.ended == "max_cost"


def test_too_many_tool_calls_end_the_call() -> None:
    play = talking(http_tool(), limits=Limits(max_tool_calls=2))
    for _ in range(2):
        (sent,) = play.responds(("find_slots", "{}"))
        play.replies(sent)
        play.responds()
    assert play.session.phase.now is Phase.TALKING
    done = play.responds(("find_slots", "{}"))
    assert not [action for action in done if isinstance(action, SendRequest)], "the one over the limit"
    assert play.record.ended == "max_tool_calls"


def test_a_tool_call_over_the_limit_that_is_told_with_its_response_only_ends_the_call_as_well() -> None:
    play = talking(http_tool(), limits=Limits(max_tool_calls=1))
    calls = tuple(
        ToolCalled(response_id="r", call_id=call_id, name="find_slots", arguments="{}") for call_id in "ab"
    )
    play.happens(ResponseStarted(response_id="r"))
    play.happens(ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, calls=calls))
    assert play.record.ended == "max_tool_calls"


def test_a_limit_reached_while_a_tool_runs_waits_for_the_tool() -> None:
    play = talking(http_tool(), limits=Limits(max_duration_s=100))
    play.passes(95)
    (sent,) = play.responds(("find_slots", "{}"))
    play.passes(5)
    assert play.responds() == []
    assert play.replies(sent) == [SendOutput(call_id="call_1_0", output='{"ok":true}'), HangUp()]
    assert play.record.ended == "max_duration"


def test_limits_are_those_of_the_agent_that_took_over_counted_from_the_accept() -> None:
    from runner.model.tool import HandoffBinding

    other = an_agent("other", limits=Limits(max_duration_s=300))
    play = talking(
        tool("over", HandoffBinding(agent="other")), others=(other,), limits=Limits(max_duration_s=900)
    )
    play.passes(200)
    play.responds(("over", "{}"))
    play.happens(SessionUpdated(update_id="switch_1"))
    assert play.timer(TimerKind.MAX_DURATION) == 100


# Keys


@pytest.mark.parametrize(
    ("keys", "pressed", "told"),
    [
        (Keys(until="#"), "1234#", "(On the telephone I pressed 1234.)"),
        (Keys(max_keys=2), "12", "(On the telephone I pressed 12.)"),
        (Keys(until="#"), "#", "(On the telephone I pressed only #.)"),
        (Keys(until="#", max_keys=3), "1*2", "(On the telephone I pressed 1*2.)"),
    ],
)
def test_keys_enter_the_conversation_as_what_was_pressed(keys: Keys, pressed: str, told: str) -> None:
    play = talking(keys=keys)
    for key in pressed[:-1]:
        assert play.happens(KeyPressed(key=key)) == []
    assert play.happens(KeyPressed(key=pressed[-1])) == [
        AddItem(item_id="item_1", text=told, as_caller=True),
        Speak(wish="wish_1"),
    ]
    assert play.timer(TimerKind.KEYS) is None


def test_a_pause_ends_an_entry() -> None:
    play = talking(keys=Keys(timeout_s=5))
    play.happens(KeyPressed(key="4"))
    play.passes(4)
    play.happens(KeyPressed(key="2"))
    assert play.passes(4.9) == []
    assert expect(AddItem, play.passes(0.1)[0]).text == "(On the telephone I pressed 42.)"


def test_private_keys_reach_the_model_and_no_record() -> None:
    play = talking(keys=Keys(until="#", private=True))
    for key in "1234#":
        play.happens(KeyPressed(key=key))
    item = expect(AddItem, play.done[0])
    assert item.text == "(On the telephone I pressed 1234.)"
    play.happens(ItemPlaced(item_id=item.item_id, role=Role.CALLER, text=item.text))
    assert [(turn.role, turn.text) for turn in play.record.turns] == [
        ("caller", "(keys pressed, kept private)")
    ]


def test_private_keys_are_masked_wherever_the_model_repeats_them() -> None:
    play = talking(http_tool(), keys=Keys(until="#", private=True))
    for key in "4821#":
        play.happens(KeyPressed(key=key))
    play.responds(("find_slots", '{"day":"4821"}'))
    play.happens(Transcribed(item_id="i", role=Role.AGENT, text="You pressed 4 8 2 1."))
    assert play.record.tools[0].arguments == {"day": "[redacted]"}
    assert [turn.text for turn in play.record.turns][-1] == "You pressed [redacted]."


def test_keys_of_an_agent_that_wants_none_change_nothing() -> None:
    play = talking()
    assert play.happens(KeyPressed(key="1")) == []


def test_keys_pressed_while_the_sideband_is_lost_are_told_when_it_is_open_again() -> None:
    play = talking(keys=Keys(timeout_s=5))
    play.happens(KeyPressed(key="7"), SidebandLost())
    assert play.passes(5) == []
    assert expect(AddItem, play.happens(SidebandOpened())[0]).text == "(On the telephone I pressed 7.)"


# Guardrails


def guarded(then: Then, on: Role = Role.AGENT, **fields: Json) -> Play:
    other = an_agent("other")
    guardrail = Guardrail(name="no-cards", on=on, pattern=r"\b\d{4}\b", then=then, **fields)
    return talking(guardrails=(guardrail,), others=(other,))


def test_words_are_followed_only_where_there_is_a_guardrail() -> None:
    assert guarded(Then.CANCEL).session.follows_words
    assert not talking().session.follows_words


def test_a_guardrail_stops_the_agent_in_mid_sentence_and_says_its_own() -> None:
    play = guarded(Then.CANCEL, say=words("I can't read that out."))
    play.happens(ResponseStarted(response_id="r"))
    assert play.happens(TranscriptGrew(item_id="i", role=Role.AGENT, text="It is 12")) == []
    assert play.happens(TranscriptGrew(item_id="i", role=Role.AGENT, text="34.")) == [Interrupt()]
    assert play.happens(
        ResponseEnded(response_id="r", outcome=Outcome.CANCELLED),
        PlaybackEnded(response_id="r", interrupted=True),
    ) == [Speak(wish="wish_1", say="I can't read that out.")]


def test_a_guardrail_acts_once_for_each_item() -> None:
    play = guarded(Then.CANCEL)
    play.happens(TranscriptGrew(item_id="i", role=Role.AGENT, text="1234"))
    assert (
        play.happens(
            TranscriptGrew(item_id="i", role=Role.AGENT, text=" 5678"),
            Transcribed(item_id="i", role=Role.AGENT, text="1234 5678"),
        )
        == []
    )
    assert play.happens(Transcribed(item_id="j", role=Role.AGENT, text="1234")) == [Interrupt()]


def test_a_guardrail_over_the_caller_leaves_the_agent_alone() -> None:
    play = guarded(Then.SAY, on=Role.CALLER, say=words("Please tell me no numbers."))
    assert play.happens(Transcribed(item_id="i", role=Role.AGENT, text="1234")) == []
    assert play.happens(Transcribed(item_id="j", role=Role.CALLER, text="1234")) == [
        Speak(wish="wish_1", say="Please tell me no numbers.")
    ]


def test_a_guardrail_can_end_the_call() -> None:
    play = guarded(Then.HANGUP, say=words("Goodbye."))
    assert play.happens(Transcribed(item_id="i", role=Role.AGENT, text="1234")) == [
        Interrupt(),
        Speak(wish="wish_1", say="Goodbye."),
    ]
    assert (play.record.ended, play.record.detail) == ("guardrail", 'guardrail "no-cards"')


def test_a_guardrail_can_hand_the_call_over() -> None:
    play = guarded(Then.HANDOFF, handoff="other")
    done = play.happens(Transcribed(item_id="i", role=Role.CALLER, text="no digits"))
    assert done == []
    done = play.happens(Transcribed(item_id="j", role=Role.AGENT, text="1234"))
    assert [type(action) for action in done] == [Interrupt, SwitchAgent]
    play.happens(SessionUpdated(update_id="switch_1"))
    assert play.record.handoffs[0].because == 'guardrail "no-cards"'


# Failures of the model


def test_a_failure_is_apologised_for_once() -> None:
    play = talking()
    inform, go_on = play.responds(outcome=Outcome.FAILED, audible=False)
    assert expect(AddItem, inform).text.startswith("Your last answer was cut short")
    assert go_on == Speak(wish="wish_1")
    play.responds()
    again, *_ = play.responds(outcome=Outcome.INCOMPLETE)
    assert expect(AddItem, again).text == expect(AddItem, inform).text


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


# Tools that take their time, run in the background, or may not run


def waiting(*steps: WaitingStep, **fields: Json) -> Play:
    return talking(http_tool(while_waiting=steps, **fields))


def test_a_slow_tool_is_bridged_with_a_sentence() -> None:
    play = waiting(
        WaitingStep(after_s=1, say=(words("Let me look."),)), WaitingStep(after_s=4, tell=words("Apologise."))
    )
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.passes(0.9) == []
    assert play.passes(0.1) == [Speak(wish="wish_1", say="Let me look.")]
    play.responds()
    assert play.passes(3) == [Speak(wish="wish_2", tell="You are desk.\n\nApologise.")]
    play.responds()
    assert play.replies(sent)[-1] == Speak(wish="wish_3")


@pytest.mark.parametrize(
    "step", [WaitingStep(after_s=1, say=(UNMAKEABLE,)), WaitingStep(after_s=1, tell=UNMAKEABLE)]
)
def test_a_waiting_sentence_that_cannot_be_made_is_left_out_and_the_record_tells(step: WaitingStep) -> None:
    play = waiting(step)
    (sent,) = play.responds(("find_slots", "{}"))
    assert play.passes(2) == []
    assert play.replies(sent)[-1] == Speak(wish="wish_1")
    assert len(play.record.faults) == 1


def test_a_tool_that_answers_first_makes_the_sentence_needless() -> None:
    play = waiting(WaitingStep(after_s=1, say=(words("Let me look."),)))
    (sent,) = play.responds(("find_slots", "{}"))
    play.replies(sent)
    play.responds()
    assert play.passes(5) == []


def test_a_waiting_sentence_that_a_barge_in_held_up_is_dropped_when_the_tool_answers() -> None:
    play = waiting(WaitingStep(after_s=1, say=(words("Let me look."),)))
    (sent,) = play.responds(("find_slots", "{}"))
    play.happens(CallerSpeaks(began=True))
    play.passes(1)
    play.replies(sent)
    play.happens(OutputTaken(call_id="call_1_0"), CallerSpeaks(began=False))
    play.responds()
    assert play.spoken() == []


def test_one_of_several_sentences_is_chosen_and_not_always_the_same() -> None:
    texts = ("One.", "Two.", "Three.")
    play = waiting(WaitingStep(after_s=1, say=tuple(words(text) for text in texts)))
    for _ in range(12):
        (sent,) = play.responds(("find_slots", "{}"))
        play.passes(1)
        play.responds()
        play.replies(sent)
        play.responds()
    assert {text for text in play.spoken() if text} == set(texts)


def test_a_background_tool_is_answered_at_once_and_its_result_told_later() -> None:
    play = talking(http_tool(background=True))
    sent, output, go_on = play.responds(("find_slots", "{}"))
    assert isinstance(sent, SendRequest)
    assert output == SendOutput(call_id="call_1_0", output='{"status":"started","result":"will follow"}')
    assert go_on == Speak(wish="wish_1")
    play.responds()
    assert play.replies(sent) == [
        AddItem(item_id="item_1", text='The result of find_slots, which was started before: {"ok":true}'),
        Speak(wish="wish_2"),
    ]
    assert play.record.tools[0].status == "ok"


def test_a_tool_whose_condition_does_not_hold_is_refused_with_what_to_say() -> None:
    play = talking(
        http_tool(when=words("{{ args.day != null }}"), otherwise=words("Ask for the day first.")),
    )
    output, *_ = play.responds(("find_slots", "{}"))
    assert expect(SendOutput, output).output == '{"error":"Ask for the day first."}'
    assert isinstance(play.responds(("find_slots", '{"day":"x"}'))[0], SendRequest)


def test_what_a_reply_sets_is_known_to_later_templates() -> None:
    first = http_tool(result=ResultSpec(sets={"last_day": "day"}))
    second = tool("again", HttpBinding(method="GET", url=words("https://api.example/{{ vars.last_day }}")))
    play = talking(first, second)
    (sent,) = play.responds(("find_slots", "{}"))
    play.replies(sent, body=b'{"day": "2026-11-27"}')
    play.responds()
    (sent,) = play.responds(("again", "{}"))
    assert expect(SendRequest, sent).request.url == "https://api.example/2026-11-27"


# Where two of them meet


def test_a_hang_up_asked_for_in_the_same_breath_as_a_transfer_is_refused() -> None:
    play = talking(TO_NURSE, HANG_UP)
    play.responds(("to_a_person", '{"destination":"nurse"}'), ("hang_up", "{}"))
    assert play.outputs() == {"call_1_1": '{"error":"not now: the call is being transferred"}'}


def test_a_guardrail_that_ends_the_call_during_a_transfer_waits_for_its_outcome() -> None:
    guardrail = Guardrail(name="g", on=Role.CALLER, pattern="stop", then=Then.HANGUP)
    play = talking(TO_NURSE, guardrails=(guardrail,))
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    play.responds()
    play.happens(Transcribed(item_id="i", role=Role.CALLER, text="stop"))
    play.happens(ReferAnswered(ok=True), CallGone())
    assert play.record.ended == "transferred"


def test_silence_is_not_counted_while_the_call_is_being_transferred() -> None:
    play = talking(TO_NURSE, limits=Limits(silence=ASK))
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    play.responds()
    play.happens(ReferAnswered(ok=True))
    assert "Are you still there?" not in play.spoken()


# An API that takes no more, has no quota, or says nothing


def limited(play: Play, response_id: str, wish: str | None = None) -> list[Action]:
    """A response that fails since the API takes no more just now."""
    play.happens(ResponseStarted(response_id=response_id, wish=wish))
    return play.happens(
        ResponseEnded(
            response_id=response_id,
            wish=wish,
            outcome=Outcome.FAILED,
            cause=FailureCause.RATE_LIMITED,
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
        cause=FailureCause.OUT_OF_QUOTA,
        code="insufficient_quota",
        audible=False,
    )
    assert play.happens(ResponseStarted(response_id="r"), ended) == [Refer(target="tel:+14155550123")]


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


# Silence that is none


def test_a_caller_whose_end_of_speech_is_lost_does_not_end_the_ladder() -> None:
    play = talking(limits=Limits(silence=ASK))
    play.happens(CallerSpeaks(began=True))
    play.passes(81)
    assert play.spoken() == ["Are you still there?"]


def test_what_is_still_being_heard_is_no_silence() -> None:
    play = talking(limits=Limits(silence=Silence(after_s=3, say=words("Hello?"), times=1)))
    play.happens(ResponseStarted(response_id="r"), PlaybackStarted(response_id="r"))
    play.happens(ResponseEnded(response_id="r", outcome=Outcome.COMPLETED, usage=Usage(audio_out=1400)))
    assert play.passes(70) == []
    play.happens(PlaybackEnded(response_id="r"))
    assert play.passes(3) == [Speak(wish="wish_1", say="Hello?")]


def test_a_background_tool_at_work_is_no_silence() -> None:
    ladder = Limits(silence=Silence(after_s=2, say=words("Hello?"), times=1))
    play = talking(http_tool(background=True), limits=ladder)
    _, sent, *_ = play.responds(("find_slots", "{}"))
    sent = next(action for action in play.done if isinstance(action, SendRequest))
    play.responds()
    assert play.passes(12) == []
    told, _ = play.replies(sent)
    assert expect(AddItem, told).text.startswith("The result of find_slots")


# Keys across agents and entries


def test_keys_pressed_before_a_hand_off_are_told_and_the_next_entry_is_the_next_agents() -> None:
    other = an_agent("other", keys=Keys(until="#"))
    play = talking(
        tool("over", HandoffBinding(agent="other")), others=(other,), keys=Keys(until="#", timeout_s=5)
    )
    play.happens(KeyPressed(key="1"), KeyPressed(key="2"))
    play.responds(("over", "{}"))
    play.happens(SessionUpdated(update_id="switch_1"))
    play.passes(6)
    play.happens(KeyPressed(key="3"), KeyPressed(key="#"))
    texts = [action.text for action in play.done if isinstance(action, AddItem)]
    assert texts == ["(On the telephone I pressed 12.)", "(On the telephone I pressed 3.)"]


def test_the_ending_key_after_a_full_entry_is_part_of_it() -> None:
    play = talking(keys=Keys(until="#", max_keys=4))
    for key in "1234#":
        play.happens(KeyPressed(key=key))
    texts = [action.text for action in play.done if isinstance(action, AddItem)]
    assert texts == ["(On the telephone I pressed 1234.)"]
    play.happens(KeyPressed(key="#"))
    assert len([action for action in play.done if isinstance(action, AddItem)]) == 2
