"""A person leads a call for a while, and gives it back."""

import pytest

from runner.call.machine.phase import Phase
from runner.call.machine.steering import A_COLLEAGUE_HAS_SPOKEN
from runner.model.action import Action, AddItem, HangUp, Interrupt, SendOutput, Speak, SwitchAgent, TimerKind
from runner.model.agent import Guardrail, Limits, Say, Silence, Then
from runner.model.call import Role
from runner.model.conversation_event import (
    CallerSpeaks,
    PlaybackStarted,
    ResponseStarted,
    SessionUpdated,
    ToolCalled,
    Transcribed,
)
from runner.model.event import SidebandLost, Steered, TakenOver
from runner.model.steering import ChangeAgent, GiveBack, SaySentence, TakeOver, TellAgent, TransferCall
from tests.call.machine.playing import END_CALL, TO_NURSE, Play, expect, words
from tests.call.machine.steered import (
    BY,
    cut_short,
    outcome,
    reopens,
    running,
    speaking,
    steer,
    talking,
    updates,
    without_sideband,
)


def leads(play: Play, deed_id: str = "lead_1", for_s: float = 60.0) -> list[Action]:
    return steer(play, TakeOver(for_s=for_s), deed_id)


def test_a_person_takes_over_and_the_api_answers_the_caller_no_more() -> None:
    play = speaking()
    cut, update = leads(play)
    assert cut == Interrupt()
    assert expect(SwitchAgent, update).answers is False
    assert outcome(play, "lead_1") == ("done", "")
    assert cut_short(play) == []


def test_while_a_person_leads_the_agent_says_what_they_want_and_nothing_else() -> None:
    play, sent = running(
        limits=Limits(silence=Silence(after_s=20, say=words("Are you still there?"))),
        guardrails=(Guardrail(name="g", on=Role.CALLER, pattern="stop", then=Then.SAY, say=words("Sorry.")),),
    )
    leads(play, for_s=600)
    assert play.replies(sent) == [SendOutput(call_id="call_1_0", output='{"ok":true}')]
    play.happens(CallerSpeaks(began=True), CallerSpeaks(began=False))
    play.happens(Transcribed(item_id="i", role=Role.CALLER, text="stop"))
    assert play.passes(120) == []
    assert steer(play, SaySentence(say="I am here.")) == [Speak(wish="wish_1", say="I am here.")]
    play.responds()
    assert play.passes(120) == []
    assert steer(play, TellAgent(tell="Be brief.", speak=True), "deed_2") == [
        AddItem(item_id="item_1", text="Be brief.")
    ]
    assert outcome(play, "deed_2") == ("done", "the agent says nothing while a person leads the call")
    steer(play, TellAgent(tell="Be brief."), "deed_3")
    assert outcome(play, "deed_3") == ("done", "")


def test_a_persons_sentence_waits_for_the_caller_while_they_lead() -> None:
    play = talking()
    leads(play)
    play.happens(CallerSpeaks(began=True))
    assert steer(play, SaySentence(say="I am here.")) == []
    assert outcome(play) == ("waiting", "")
    play.happens(CallerSpeaks(began=False))
    assert play.passes(1) == [Speak(wish="wish_1", say="I am here.")]


def test_an_agent_that_has_ended_is_not_cut_short_by_taking_over() -> None:
    play = talking()
    play.responds()
    (update,) = leads(play)
    assert isinstance(update, SwitchAgent)


def test_what_the_agent_begins_all_the_same_is_cut_short() -> None:
    play = talking()
    leads(play)
    assert play.happens(ResponseStarted(response_id="resp")) == [Interrupt()]


def test_what_was_asked_for_just_before_is_cut_short_as_well() -> None:
    play = talking(greeting=Say(text=words("Hello.")))
    assert leads(play)[0] == Interrupt()
    assert play.happens(ResponseStarted(response_id="resp", wish="wish_1")) == [Interrupt()]


def test_a_persons_own_sentence_is_not_cut_short_by_taking_over() -> None:
    play = talking()
    steer(play, SaySentence(say="I am here."))
    play.happens(ResponseStarted(response_id="resp", wish="wish_1"), PlaybackStarted(response_id="resp"))
    (update,) = leads(play)
    assert isinstance(update, SwitchAgent)


def test_taking_over_cuts_short_what_the_agent_says_while_a_persons_sentence_waits_to_be_heard() -> None:
    play = talking()
    steer(play, SaySentence(say="I am here."))
    play.responds(heard=False)
    play.happens(ResponseStarted(response_id="own"))
    assert leads(play)[0] == Interrupt()


def test_a_lease_that_nobody_renews_ends_and_the_agent_goes_on() -> None:
    play = talking()
    leads(play)
    play.passes(59)
    assert play.session.speech.ask(play.now) == []
    update, told, go_on = play.passes(1)
    assert expect(SwitchAgent, update).answers is True
    assert told == AddItem(item_id="item_1", text=A_COLLEAGUE_HAS_SPOKEN)
    assert go_on == Speak(wish="wish_1")


def test_who_leads_renews_the_lease_and_the_record_holds_one_act() -> None:
    play = talking()
    leads(play)
    play.passes(50)
    assert leads(play, "lead_2") == []
    assert leads(play, "lead_2") == []
    assert outcome(play, "lead_2") == ("done", "")
    assert [entry.fields for entry in play.logged] == [
        {"by": BY, "act": "take-over", "deed": "lead_1", "result": "done"}
    ]
    assert play.timer(TimerKind.LEAD) == 60
    play.passes(59)
    assert [each.id for each in play.record.deeds] == ["lead_1"]
    assert len(play.passes(1)) == 3


def test_a_renewal_that_comes_twice_renews_once() -> None:
    play = talking()
    leads(play)
    leads(play, "lead_2")
    play.passes(30)
    leads(play, "lead_2")
    assert play.timer(TimerKind.LEAD) == 30


def test_one_person_at_a_time_leads() -> None:
    play = talking()
    leads(play)
    play.happens(Steered(id="deed_2", by="pager", act=TakeOver()))
    assert outcome(play, "deed_2") == ("refused", 'no "take-over" now: "shift-lead" leads the call')


@pytest.mark.parametrize(("speak", "then"), [(True, [Speak(wish="wish_1")]), (False, [])])
def test_a_person_gives_back(speak: bool, then: list[Action]) -> None:
    play = talking()
    leads(play)
    update, told, *rest = steer(play, GiveBack(speak=speak))
    assert (expect(SwitchAgent, update).answers, told, rest) == (
        True,
        AddItem(item_id="item_1", text=A_COLLEAGUE_HAS_SPOKEN),
        then,
    )
    assert play.timer(TimerKind.LEAD) is None
    steer(play, GiveBack(), "deed_2")
    assert outcome(play, "deed_2") == ("refused", 'no "give-back" now: no person leads the call')


def test_silence_is_counted_from_when_the_agent_leads_again() -> None:
    play = talking(limits=Limits(silence=Silence(after_s=20, say=words("Are you still there?"))))
    leads(play)
    play.passes(35)
    steer(play, GiveBack())
    assert play.passes(19) == []
    assert play.passes(1) == [Speak(wish="wish_1", say="Are you still there?")]


def test_without_a_sideband_both_are_told_when_there_is_one() -> None:
    play = without_sideband()
    assert leads(play) == []
    reopened = reopens(play)
    assert [update.answers for update in updates(reopened)] == [False]
    assert reopened[-1] == Interrupt(), "the API may have let the agent answer meanwhile"
    play.happens(SidebandLost())
    assert play.passes(60) == []
    reopened = reopens(play)
    assert [update.answers for update in updates(reopened)] == [True]
    assert reopened[-1] == Speak(wish="wish_1")


def test_an_output_that_nobody_could_be_told_is_told_while_a_person_leads() -> None:
    play, sent = running()
    leads(play)
    play.happens(SidebandLost())
    (output,) = play.replies(sent)
    assert reopens(play)[0] == output


def test_limits_hold_while_a_person_leads() -> None:
    play = talking(limits=Limits(max_duration_s=100))
    leads(play, for_s=600)
    (goodbye,) = play.passes(100)
    assert isinstance(goodbye, Speak)
    assert play.responds() == [HangUp()]
    assert play.timer(TimerKind.LEAD) is None


@pytest.mark.parametrize(("then", "acts"), [(Then.HANGUP, [Interrupt]), (Then.HANDOFF, [Interrupt])])
def test_guardrails_may_hang_up_and_hand_nothing_over_while_a_person_leads(
    then: Then, acts: list[type]
) -> None:
    guardrail = Guardrail(name="g", on=Role.CALLER, pattern="stop", then=then, handoff="recepcion")
    play = talking(guardrails=(guardrail,))
    leads(play)
    done = play.happens(Transcribed(item_id="i", role=Role.CALLER, text="stop"))
    assert [type(action) for action in done][:1] == acts
    assert updates(done) == []
    is_ending = play.session.phase.now is Phase.SAYING_GOODBYE
    assert is_ending is (then is Then.HANGUP)


def test_a_tool_of_the_agents_that_would_move_the_call_is_refused_while_a_person_leads() -> None:
    play = talking(END_CALL)
    play.happens(ResponseStarted(response_id="resp"))
    leads(play)
    called = ToolCalled(response_id="resp", call_id="c", name="end_call", arguments="{}")
    (output,) = play.happens(called)
    assert "not now: a colleague leads the call" in expect(SendOutput, output).output


def test_a_person_who_leads_may_hand_over_and_transfer() -> None:
    play = talking(TO_NURSE)
    leads(play)
    (switch,) = updates(steer(play, ChangeAgent(agent="recepcion", speak=True), "deed_1"))
    assert switch.answers is False
    assert play.happens(SessionUpdated(update_id=switch.update_id)) == updates(play.done[-1:])
    act = TransferCall(to="nurse", say="I put you through.")
    assert steer(play, act, "deed_2") == [Speak(wish="wish_1", say="I put you through.")]


def test_a_lease_goes_on_in_the_process_that_takes_the_call_up() -> None:
    play = talking()
    leads(play)
    play.happens(TakenOver())
    reopens(play)
    assert play.passes(50) == []
    assert [type(action) for action in play.passes(10)] == [SwitchAgent, AddItem, Speak]


def test_a_hand_off_that_the_session_of_a_person_has_outlived_is_not_told_again() -> None:
    play = talking()
    steer(play, ChangeAgent(agent="recepcion"))
    play.passes(2)
    (update,) = updates(leads(play))
    play.happens(SessionUpdated(update_id=update.update_id), SidebandLost())
    assert updates(reopens(play)) == []
