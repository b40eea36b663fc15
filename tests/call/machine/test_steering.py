"""What people want of a call, act by act, wherever the call stands."""

import pytest

from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import UNANSWERED, Phase
from runner.call.machine.steering import phases_for
from runner.model.action import AddItem, HangUp, Interrupt, Log, LogEvent, SendOutput, SendRequest, Speak
from runner.model.agent import Limits, Wait
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    ItemPlaced,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
)
from runner.model.event import CallGone, SidebandLost, Steered
from runner.model.record import Attempt, Deed, Span
from runner.model.steering import (
    ACTS,
    AddNote,
    ChangeAgent,
    ChangeInstructions,
    EndCall,
    Hush,
    SaySentence,
    SentenceTiming,
    SetVariables,
    SteeringAct,
    TakeOver,
    TellAgent,
    TransferCall,
    act_fields,
    act_of,
)
from runner.model.tool import HttpBinding, Retries
from runner.model.values import JsonObject
from tests.call.machine.playing import (
    END_CALL,
    RINGING,
    TO_NURSE,
    Play,
    a_world,
    an_agent,
    expect,
    http_tool,
    tool,
    words,
)
from tests.call.machine.steered import (
    BY,
    cut_short,
    deed,
    leaving,
    outcome,
    reopens,
    running,
    speaking,
    steer,
    talking,
    updates,
    without_sideband,
)


@pytest.mark.parametrize("phase", [*UNANSWERED, Phase.OVER])
def test_nobody_steers_a_call_that_was_not_answered_or_is_over(phase: Phase) -> None:
    assert not [name for name, kind in ACTS.items() if phase in phases_for(kind.__new__(kind))]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("say", {"say": "One moment.", "when": "now"}),
        ("tell", {"tell": "Be brief.", "speak": True}),
        ("hush", {}),
        ("vars", {"set": {"name": "Ada"}}),
        ("instructions", {"add": "Be brief."}),
        ("handoff", {"agent": "recepcion", "speak": False}),
        ("transfer", {"to": "nurse", "say": "One moment."}),
        ("hangup", {}),
        ("take-over", {"for_s": 30.0}),
        ("give-back", {"speak": True}),
        ("note", {"text": "Knows us."}),
    ],
)
def test_an_act_is_its_name_and_the_fields_of_its_json(name: str, given: JsonObject) -> None:
    act = act_of(name, given)
    assert isinstance(act, ACTS[name])
    assert (act.NAME, act_fields(act)) == (name, given)


def test_a_call_that_still_rings_refuses_everything() -> None:
    machine, _ = CallMachine.ring(RINGING, a_world(an_agent()), 1000.0)
    fields = {"by": BY, "act": "hangup", "deed": "deed_1", "result": "refused"}
    why = 'no "hangup" now: the call is not answered yet'
    assert machine.handle(Steered(id="deed_1", by=BY, act=EndCall()), 1000.0) == [
        Log(event=LogEvent.PERSON_ACTED, fields={**fields, "detail": why})
    ]
    assert machine.handle(Steered(id="deed_1", by=BY, act=EndCall()), 1000.0) == []
    found = machine.deed("deed_1")
    assert found is not None
    assert (found.result, found.detail) == ("refused", why)


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    acts: list[SteeringAct] = [
        SaySentence(say="One moment."),
        Hush(),
        ChangeAgent(agent="recepcion"),
        TransferCall(to="nurse"),
        TakeOver(),
    ]
    play = leaving()
    for number, act in enumerate(acts):
        assert steer(play, act, f"deed_{number}") == []
    assert [(each.result, each.detail) for each in play.record.deeds] == [
        ("refused", f'no "{act.NAME}" now: the call is being ended') for act in acts
    ]


def test_a_call_that_is_not_connected_yet_and_one_that_is_transferred_say_so() -> None:
    play = Play(an_agent(tools=(TO_NURSE,), greeting=Wait()))
    steer(play, Hush())
    assert outcome(play) == ("refused", 'no "hush" now: the call is not connected yet')
    play.opens()
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    steer(play, Hush(), "deed_2")
    assert outcome(play, "deed_2") == ("refused", 'no "hush" now: the call is being transferred')
    play.responds()
    steer(play, Hush(), "deed_3")
    assert outcome(play, "deed_3") == ("refused", 'no "hush" now: the call is being transferred')


# say


def test_a_sentence_is_said_at_the_next_pause_and_its_end_is_told() -> None:
    play = speaking()
    assert steer(play, SaySentence(say="One moment.")) == []
    assert outcome(play) == ("waiting", "")
    said = play.happens(
        ResponseEnded(response_id="resp", outcome=Outcome.COMPLETED), PlaybackEnded(response_id="resp")
    )
    assert said == [Speak(wish="wish_1", say="One moment.")]
    play.passes(2)
    play.responds()
    assert outcome(play) == ("heard", "")
    assert deed(play).settled_at == 1002.0


def test_a_sentence_for_now_interrupts_and_comes_before_all_that_waits() -> None:
    play = speaking()
    steer(play, SaySentence(say="Later."), "deed_1")
    assert steer(play, SaySentence(say="Stop.", when=SentenceTiming.NOW), "deed_2") == [Interrupt()]
    assert cut_short(play) == [Speak(wish="wish_1", say="Stop. Later.")]


def test_a_sentence_for_now_interrupts_nobody_who_does_not_speak() -> None:
    play = talking()
    assert steer(play, SaySentence(say="Hi.", when=SentenceTiming.NOW)) == [Speak(wish="wish_1", say="Hi.")]


def test_a_sentence_that_the_caller_speaks_over_was_interrupted() -> None:
    play = talking()
    steer(play, SaySentence(say="One moment."))
    play.responds(heard=False)
    play.happens(PlaybackEnded(response_id="resp_1", interrupted=True))
    assert outcome(play) == ("interrupted", "")


def test_a_sentence_that_the_model_does_not_say_has_failed() -> None:
    play = talking()
    steer(play, SaySentence(say="One moment."))
    play.responds(outcome=Outcome.FAILED, audible=False)
    assert outcome(play) == ("failed", "the model did not say it")


def test_a_sentence_is_said_while_a_tool_runs() -> None:
    play, sent = running()
    assert steer(play, SaySentence(say="One moment.")) == [Speak(wish="wish_1", say="One moment.")]
    play.responds()
    assert play.replies(sent)[0] == SendOutput(call_id="call_1_0", output='{"ok":true}')
    assert outcome(play) == ("heard", "")


def test_a_sentence_waits_for_the_sideband() -> None:
    play = without_sideband()
    assert steer(play, SaySentence(say="One moment.")) == []
    assert outcome(play) == ("waiting", "")
    assert reopens(play) == [Speak(wish="wish_1", say="One moment.")]


def test_a_sentence_that_still_waits_when_the_call_ends_has_failed() -> None:
    play = speaking()
    steer(play, SaySentence(say="One moment."))
    play.happens(CallGone())
    assert outcome(play) == ("failed", "the call ended first")


# tell


def test_what_the_agent_is_told_joins_the_conversation_and_it_goes_on_where_that_is_wanted() -> None:
    play = talking()
    assert steer(play, TellAgent(tell="Be brief.")) == [AddItem(item_id="item_1", text="Be brief.")]
    told = AddItem(item_id="item_2", text="Offer Friday.")
    wanted = steer(play, TellAgent(tell="Offer Friday.", speak=True), "deed_2")
    assert wanted == [told, Speak(wish="wish_1")]
    assert [each.result for each in play.record.deeds] == ["done", "done"]


def test_a_call_that_leaves_is_told_and_says_nothing_about_it() -> None:
    play = leaving()
    assert steer(play, TellAgent(tell="Be brief.", speak=True)) == [
        AddItem(item_id="item_1", text="Be brief.")
    ]
    assert outcome(play) == ("done", "")


def test_what_the_agent_is_told_without_a_sideband_is_kept_for_it() -> None:
    play = without_sideband()
    assert steer(play, TellAgent(tell="Be brief.")) == []
    assert outcome(play) == ("waiting", "")
    assert reopens(play)[0] == AddItem(item_id="item_1", text="Be brief.")
    assert outcome(play) == ("done", "")


def test_what_is_kept_for_a_sideband_that_never_comes_has_failed() -> None:
    play = without_sideband()
    steer(play, TellAgent(tell="Be brief."))
    play.happens(CallGone())
    assert outcome(play) == ("failed", "the call ended first")


# hush


def test_hush_interrupts_and_drops_what_waits() -> None:
    play = speaking()
    steer(play, SaySentence(say="Later."), "deed_1")
    assert steer(play, Hush(), "deed_2") == [Interrupt()]
    assert cut_short(play) == []
    assert outcome(play, "deed_1") == ("failed", "it was dropped before it was said")
    assert outcome(play, "deed_2") == ("done", "")


def test_an_agent_that_was_hushed_is_not_urged_to_go_on() -> None:
    play = talking()
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    steer(play, Hush())
    assert play.passes(30) == []


def test_a_tool_goes_on_when_its_agent_is_hushed() -> None:
    play, sent = running()
    assert steer(play, Hush()) == []
    assert play.replies(sent) == [
        SendOutput(call_id="call_1_0", output='{"ok":true}'),
        Speak(wish="wish_1"),
    ]


# vars


def test_a_running_tool_keeps_what_it_was_made_with() -> None:
    binding = HttpBinding(
        method="GET",
        url=words("https://api.example/{{ vars.name }}"),
        retries=Retries(attempts=2, backoff_s=1.0, on=frozenset({503})),
    )
    play = talking(tool("find", binding))
    (sent,) = play.responds(("find", "{}"), audible=False)
    steer(play, SetVariables(set={"name": "Ada"}))
    play.replies(sent, status=503)
    (again,) = play.passes(1)
    assert expect(SendRequest, again).request == expect(SendRequest, sent).request
    assert expect(SendRequest, sent).request.url == "https://api.example/nobody"


def test_variables_that_there_are_are_set_and_no_others() -> None:
    play = talking(END_CALL)
    steer(play, SetVariables(set={"name": "Ada"}))
    assert play.session.texts.variables == {"name": "Ada"}
    assert outcome(play) == ("done", "")
    steer(play, SetVariables(set={"nme": "Ada", "name": "Bob"}), "deed_2")
    assert outcome(play, "deed_2") == ("refused", 'no "vars" now: agent "desk" has no variable "nme"')
    assert play.session.texts.variables == {"name": "Ada"}


@pytest.mark.parametrize("play", [leaving(), without_sideband()])
def test_variables_are_set_in_any_call_that_lives(play: Play) -> None:
    steer(play, SetVariables(set={"name": "Ada"}))
    assert play.session.texts.variables == {"name": "Ada"}


# instructions


def test_added_instructions_are_in_force_once_the_api_has_taken_them() -> None:
    play = talking()
    (update,) = updates(steer(play, ChangeInstructions(add="Be brief.")))
    assert (update.instructions, update.before, update.answers, update.with_voice) == (
        "You are desk.\n\nBe brief.",
        update.agent,
        None,
        False,
    )
    play.happens(SessionUpdated(), ApiError(kind=ApiErrorKind.OTHER, about="item_1"))
    assert outcome(play) == ("waiting", "")
    play.happens(SessionUpdated(update_id=update.update_id))
    assert outcome(play) == ("done", "")


def test_a_change_that_is_not_refused_in_time_counts_as_taken() -> None:
    play = talking()
    steer(play, ChangeInstructions(add="Be brief."))
    play.passes(1.9)
    assert outcome(play) == ("waiting", "")
    play.passes(0.1)
    assert outcome(play) == ("done", "")


def test_a_change_that_nobody_could_be_told_yet_does_not_count_as_taken() -> None:
    play = talking()
    steer(play, ChangeInstructions(add="Be brief."), "deed_1")
    play.happens(SidebandLost())
    steer(play, ChangeInstructions(add="Be kind."), "deed_2")
    play.passes(10)
    assert [each.result for each in play.record.deeds] == ["waiting", "waiting"]
    (update,) = updates(reopens(play))
    assert update.instructions == "You are desk.\n\nBe brief.\n\nBe kind."
    play.passes(2)
    assert [each.result for each in play.record.deeds] == ["done", "done"]


def test_a_change_that_the_api_refuses_has_failed() -> None:
    play = talking()
    steer(play, ChangeInstructions(add="Be brief."))
    play.happens(ApiError(kind=ApiErrorKind.OTHER, about="refresh_1", message="too long"))
    assert outcome(play) == ("failed", "the API refused it: too long")


def test_added_instructions_survive_a_hand_off_and_replaced_ones_end_with_the_agent() -> None:
    play = talking()
    steer(play, ChangeInstructions(replace="You are Ada."), "deed_1")
    (update,) = updates(steer(play, ChangeInstructions(add="Be brief."), "deed_2"))
    assert update.instructions == "You are Ada.\n\nBe brief."
    (switch,) = updates(steer(play, ChangeAgent(agent="recepcion"), "deed_3"))
    assert switch.instructions == "You are recepcion.\n\nBe brief."
    play.passes(2)
    assert play.session.texts.instructions == "You are recepcion.\n\nBe brief."


def test_instructions_for_one_response_come_with_the_added_ones() -> None:
    play = talking(limits=Limits(max_duration_s=60))
    steer(play, ChangeInstructions(add="Be brief."))
    play.passes(60)
    assert (play.spoken()[-1] or "").startswith("You are desk.\n\nBe brief.\n\nThe call has to end")


def test_instructions_that_nobody_could_be_told_are_told_when_the_sideband_is_back() -> None:
    play = without_sideband()
    assert updates(steer(play, ChangeInstructions(add="Be brief."))) == []
    play.passes(5)
    assert outcome(play) == ("waiting", "")
    (update,) = updates(reopens(play))
    play.happens(SessionUpdated(update_id=update.update_id))
    assert outcome(play) == ("done", "")


def test_instructions_that_come_during_a_hand_off_are_told_after_it() -> None:
    play = talking()
    (switch,) = updates(steer(play, ChangeAgent(agent="recepcion"), "deed_1"))
    assert updates(steer(play, ChangeInstructions(add="Be brief."), "deed_2")) == []
    (update,) = updates(play.happens(SessionUpdated(update_id=switch.update_id)))
    assert (update.agent.id, update.instructions) == ("recepcion", "You are recepcion.\n\nBe brief.")
    play.happens(SessionUpdated(update_id=update.update_id))
    assert [each.result for each in play.record.deeds] == ["done", "done"]


def test_what_the_api_has_confirmed_is_not_told_again() -> None:
    play = talking()
    (update,) = updates(steer(play, ChangeInstructions(add="Be brief.")))
    play.happens(SessionUpdated(update_id=update.update_id), SidebandLost())
    assert updates(reopens(play)) == []


# note


def test_a_note_stands_in_the_record_and_nowhere_else() -> None:
    play = talking()
    assert steer(play, AddNote(text="Knows us.")) == []
    assert play.record.deeds == (
        Deed(
            id="deed_1",
            by=BY,
            what="note",
            given={"text": "Knows us."},
            at=1000.0,
            result="done",
            settled_at=1000.0,
        ),
    )


def test_a_repeated_id_is_the_same_act() -> None:
    play = talking()
    steer(play, AddNote(text="Knows us."))
    play.passes(5)
    assert steer(play, EndCall()) == []
    assert [each.what for each in play.record.deeds] == ["note"]


def test_a_person_hangs_up_at_once() -> None:
    play = talking()
    assert steer(play, EndCall()) == [HangUp()]
    assert outcome(play) == ("done", "")
    play.happens(CallGone())
    assert play.record.ended == "person"


def test_what_comes_too_late_is_refused_and_stands_in_the_record() -> None:
    play = talking()
    steer(play, EndCall())
    steer(play, EndCall(), "deed_2")
    assert outcome(play, "deed_2") == ("refused", 'no "hangup" now: the call is being ended')
    assert [each.result for each in play.record.deeds] == ["done", "refused"]


def test_the_record_tells_who_was_heard_when_and_how_long_the_caller_waited() -> None:
    play = talking()
    play.happens(CallerSpeaks(began=True))
    play.passes(2)
    play.happens(CallerSpeaks(began=False))
    play.passes(0.8)
    play.happens(ResponseStarted(response_id="resp"), ItemPlaced(item_id="i", role=Role.AGENT, text="Hi."))
    play.happens(PlaybackStarted(response_id="resp"), PlaybackStarted(response_id="resp"))
    play.passes(1)
    play.happens(CallerSpeaks(began=True))
    play.happens(ResponseEnded(response_id="resp", outcome=Outcome.CANCELLED))
    play.happens(PlaybackEnded(response_id="resp", interrupted=True))
    steer(play, SaySentence(say="One moment."))
    play.happens(CallerSpeaks(began=False))
    play.passes(1)
    play.happens(ResponseStarted(response_id="resp_2", wish="wish_1"), PlaybackStarted(response_id="resp_2"))
    assert play.record.spans == (
        Span(who="caller", since=1000.0, until=1002.0),
        Span(who="agent", since=1002.8, until=1003.8, interrupted=True),
        Span(who="caller", since=1003.8, until=1003.8),
        Span(who="person", since=1004.8),
    )
    assert [(turn.text, turn.waited_s) for turn in play.record.turns] == [("Hi.", 0.8)]


def test_the_record_tells_each_attempt_of_a_tool_and_what_the_model_was_given() -> None:
    play = talking(http_tool(retries=Retries(attempts=2, backoff_s=1.0, on=frozenset({503}))))
    (sent,) = play.responds(("find_slots", "{}"), audible=False)
    play.passes(0.5)
    play.replies(sent, status=503)
    (again,) = play.passes(1)
    play.passes(0.25)
    play.replies(again, body=b'{"slots": ["09:00"]}')
    (use,) = play.record.tools
    assert use.tries == (
        Attempt(at=1000.0, took_s=0.5, http_status=503),
        Attempt(at=1001.5, took_s=0.25, http_status=200),
    )
    assert use.reply == {"slots": ["09:00"]}
